// wolfSSL's errors that end a handshake, in an operator's words: what the peer did, and what to do about it.
#pragma once

#include <string>

namespace relayd::tls {

// To be read behind "the device" or "the remote broker". What has no words here keeps wolfSSL's own.
std::string in_plain_words(int wolf_error, bool of_device);

}  // namespace relayd::tls
