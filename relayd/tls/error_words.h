// Explains to the operator the wolfSSL errors that end a handshake: what the peer did, and what to do about it.
#pragma once

#include <string>

namespace relayd::tls {

// Continues a sentence that starts with "the device" or "the remote broker". Other errors keep wolfSSL's own text.
std::string in_plain_words(int wolf_error, bool of_device);

}  // namespace relayd::tls
