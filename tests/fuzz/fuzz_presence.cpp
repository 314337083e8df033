// Any bytes as the handshake messages of a proof of presence. What the vault's short walk finds of the listener lies
// within the messages, and is exactly what the notary's strict parser finds wherever that one accepts them.
#include <algorithm>
#include <vector>

#include "common/tls/sha2.h"
#include "keyd/notary/transcript.h"
#include "keyd/vault/presence.h"
#include "tests/fuzz/require.h"

namespace {

using Bytes = std::span<const uint8_t>;

bool within(Bytes part, Bytes whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

std::vector<uint8_t> signed_by_server(const keyd::Transcript& transcript) {
  std::vector<uint8_t> content(transcript.hash_size);
  if (transcript.hash_size > 0) {
    REQUIRE(common::tls::sha2(transcript.server_signed, content));
    return content;
  }
  for (const Bytes part : {transcript.client_random, transcript.server_random, transcript.server_signed})
    content.insert(content.end(), part.begin(), part.end());
  return content;
}

void check(ipc::Presence presence, Bytes messages) {
  const bool tls13 = presence != ipc::Presence::tls12;
  keyd::Listener listener;
  const char* problem = keyd::find_listener({presence, {}, {}, messages}, listener);
  keyd::Transcript transcript;
  const bool strict = keyd::parse_transcript(tls13 ? ipc::Kind::tls13_client_bound : ipc::Kind::tls12_client, messages,
                                             transcript) == nullptr;
  REQUIRE(!strict || problem == nullptr);
  if (problem) return;
  REQUIRE(listener.server_random.size() == 32 && within(listener.server_random, messages));
  REQUIRE(within(listener.signature, messages));
  if (tls13) REQUIRE(listener.content.size() == (presence == ipc::Presence::tls13_sha384 ? 48 : 32));
  else REQUIRE(listener.content.size() >= 64 + 4);
  if (!strict || (tls13 && transcript.hash_size != listener.content.size())) return;
  REQUIRE(std::ranges::equal(listener.server_random, transcript.server_random));
  REQUIRE(std::ranges::equal(listener.signature, transcript.server_signature));
  REQUIRE(listener.content == signed_by_server(transcript));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 1 + ipc::kMaxTranscript) return 0;
  for (const auto presence : {ipc::Presence::tls12, ipc::Presence::tls13_sha256, ipc::Presence::tls13_sha384})
    check(presence, Bytes(data, size).subspan(1));  // the first byte is a seed's kind, as in fuzz_transcript
  return 0;
}
