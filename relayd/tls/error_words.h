// Explains to the operator the wolfSSL errors that end a handshake: what the peer did, and what to do about it.
#pragma once

#include <cstdint>
#include <string>

namespace relayd::tls {

// What an error says about the peer, for counting. nothing_in_common: no TLS version, cipher suite, key exchange or
// application protocol.
enum class Fault : uint8_t { other, nothing_in_common, no_certificate };
Fault fault_of(int wolf_error);

// Continues a sentence that starts with "the device" or "the remote broker". Other errors keep wolfSSL's own text.
std::string in_plain_words(int wolf_error, bool of_device);

}  // namespace relayd::tls
