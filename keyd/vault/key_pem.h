// Finds the one private key in a file's text (PEM, RFC 7468). If there are only other blocks, says which.
//
// Accepts what OpenSSL accepts: ignores white space, and text or other blocks beside the key. The only copy of a key is
// the one that decode_base64() writes into the caller's buffer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace keyd {

// The problem of a text without any block. What the file is instead, the operator's tools find out, because that takes
// more parsing than the process with the keys should do (keyd/admin/not_a_key.h).
inline constexpr char kNotPem[] =
    "it is not PEM: there is no \"-----BEGIN … PRIVATE KEY-----\" in it; `mqtt-relay check` says what it is";

struct PemKey {
  std::string_view body;  // base64, a part of the text; empty: no key, and `problem` says why
  bool encrypted = false;
};

// `problem`: what was found, and a command that converts it to a key, if there is one.
PemKey find_private_key(std::string_view text, std::string& problem);

// Returns the size; 0 and `problem` if `body`, a part of `text`, is not base64 or longer than `out`.
size_t decode_base64(std::string_view text, std::string_view body, std::span<uint8_t> out, std::string& problem);

}  // namespace keyd
