// Records the handshake messages that one connection's transcript hash covers, for keyd. They start with the
// ClientHello, or, after a HelloRetryRequest, with message_hash (RFC 8446 section 4.4.1).
//
// wolfSSL keeps no messages in TLS 1.3, so they are copied where it hashes them (common/tls/handshake_tap.h). The
// recording is not trusted: the signer hashes it and compares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ipc/protocol.h"

struct WOLFSSL;

namespace relayd::tls {

class TranscriptRecorder {
 public:
  // `ssl` must not have started its handshake, and must outlive the recorder.
  // `mark`: for the ServerHello that this connection sends; null: none. It must outlive the recorder, and may change.
  explicit TranscriptRecorder(const WOLFSSL* ssl, const ipc::Mark* mark = nullptr) : ssl_(ssl), mark_(mark) {}
  TranscriptRecorder(const TranscriptRecorder&) = delete;
  TranscriptRecorder& operator=(const TranscriptRecorder&) = delete;

  // The messages exceed what keyd accepts (ipc::kMaxTranscript); recording has stopped.
  bool overflowed() const { return overflowed_; }
  std::span<const uint8_t> messages() const { return messages_; }
  std::vector<uint8_t> take() { return std::move(messages_); }

  // While a Scope lives, the recorder gets everything that wolfSSL hashes on this thread for its connection, and hellos
  // get the mark. One at a time; a null recorder records nothing and costs nothing.
  class Scope {
   public:
    explicit Scope(TranscriptRecorder* recorder);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    bool active_;
  };

 private:
  void record(std::span<const uint8_t> bytes);

  const WOLFSSL* ssl_;
  const ipc::Mark* mark_;
  std::vector<uint8_t> messages_;
  bool overflowed_ = false;
};

}  // namespace relayd::tls
