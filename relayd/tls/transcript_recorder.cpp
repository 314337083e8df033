#include "relayd/tls/transcript_recorder.h"

#include "common/tls/handshake_tap.h"
#include "common/tls/wolf_shim.h"

namespace relayd::tls {
namespace {

// wolfSSL hashes the message_hash header separately. No other message of a client's handshake has this type.
bool is_message_hash_header(std::span<const uint8_t> bytes) {
  constexpr uint8_t kMessageHash = 254;
  return bytes.size() == 4 && bytes[0] == kMessageHash;
}

}  // namespace

void TranscriptRecorder::record(std::span<const uint8_t> bytes) {
  if (is_message_hash_header(bytes)) messages_.clear();
  overflowed_ = overflowed_ || bytes.size() > ipc::kMaxTranscript - messages_.size();
  if (!overflowed_) messages_.insert(messages_.end(), bytes.begin(), bytes.end());
}

TranscriptRecorder::Scope::Scope(TranscriptRecorder* recorder) : active_(recorder != nullptr) {
  if (!active_) return;
  const auto tap = [](void* self, const void* hash, const unsigned char* data, size_t size) {
    auto* to = static_cast<TranscriptRecorder*>(self);
    if (hash == wolf_shim_handshake_hash(to->ssl_)) to->record({data, size});
  };
  mqtt_relay_tap_handshakes(tap, recorder);
  mqtt_relay_mark_hellos(recorder->mark_ ? recorder->mark_->data() : nullptr);
}

TranscriptRecorder::Scope::~Scope() {
  if (!active_) return;
  mqtt_relay_tap_handshakes(nullptr, nullptr);
  mqtt_relay_mark_hellos(nullptr);
}

}  // namespace relayd::tls
