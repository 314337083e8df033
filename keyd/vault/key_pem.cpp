#include "keyd/vault/key_pem.h"

#include <algorithm>
#include <cctype>

#include "common/tls/pem.h"
#include "common/tls/wolfcrypt.h"

namespace keyd {
namespace {

// Without its line end, a BEGIN line's label may contain the key's base64. That has lower-case letters; labels have
// not.
std::string quoted(std::string_view label) {
  if (std::ranges::any_of(label, [](unsigned char c) { return !isupper(c) && !isdigit(c) && c != ' ' && c != '.'; }))
    return "a block with an unusual label";
  return "\"" + std::string(label) + "\"";
}

std::string name_of(std::string_view label) {
  if (label.ends_with("CERTIFICATE")) return "a certificate";
  if (label.ends_with("CERTIFICATE REQUEST")) return "a certificate request";
  if (label.ends_with("PUBLIC KEY")) return "a public key";
  return quoted(label);
}

std::string why_not_read(std::string_view label) {
  if (label == "OPENSSH PRIVATE KEY")
    return "found an OpenSSH key; convert a copy of it: `ssh-keygen -p -m PKCS8 -f COPY`";
  return "found " + quoted(label) + "; allowed are RSA, ECDSA and Ed25519 as PKCS#8, SEC1 or PKCS#1";
}

}  // namespace

PemKey find_private_key(std::string_view text, std::string& problem) {
  constexpr std::string_view kKey = "PRIVATE KEY";
  PemKey key;
  std::string_view found, other;
  const auto fail = [&](std::string what) {
    problem = std::move(what);
    return PemKey();
  };
  for (size_t at = 0; const auto block = common::tls::next_pem_block(text, at);) {
    if (!block->label.data()) return fail("it is not PEM: a BEGIN line is broken");
    if (!block->label.ends_with(kKey)) {
      if (other.empty()) other = block->label;
      continue;
    }
    if (!block->body.data()) return fail("it is cut off: " + quoted(block->label) + " has no END line of its own");
    if (!found.empty()) return fail("there are two private keys in it; keep one");
    found = block->label;
    key = {block->body, found.starts_with("ENCRYPTED ")};
  }
  if (found.empty() && other.empty()) return fail(kNotPem);
  if (found.empty())
    return fail("found " + name_of(other) + ", not a private key; the key that belongs to it must be here");
  if (found != kKey && found != "ENCRYPTED PRIVATE KEY" && found != "EC PRIVATE KEY" && found != "RSA PRIVATE KEY")
    return fail(why_not_read(found));
  if (key.body.find("DEK-Info") != text.npos)
    return fail(
        "it is traditional encrypted PEM (DEK-Info); convert it to PKCS#8: `openssl pkcs8 -topk8 -v2 "
        "aes-256-cbc -in FILE -out NEW`");
  return key;
}

size_t decode_base64(std::string_view text, std::string_view body, std::span<uint8_t> out, std::string& problem) {
  constexpr auto kWords = "its base64 is broken: ";
  size_t size = 0, padding = 0;
  for (const char& c : body) {
    if (std::string_view(" \t\r\n\v\f").find(c) != std::string_view::npos) continue;
    const bool good = isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '/' || c == '=';
    if (!good || (padding > 0 && c != '=')) {
      const auto line = 1 + std::count(text.data(), &c, '\n');
      problem =
          kWords +
          (isgraph(static_cast<unsigned char>(c)) ? std::string("found '") + c + "'" : "found an unprintable byte") +
          " in line " + std::to_string(line);
      if (c == '\\') problem += "; its line ends were written as \"\\n\": `printf '%b' \"$(cat FILE)\" >NEW`";
      return 0;
    }
    if (size == out.size()) return problem = "it is longer than any allowed key", 0;
    padding += c == '=';
    out[size++] = static_cast<uint8_t>(c);
  }
  // In place: never writes past what was read.
  auto decoded = static_cast<word32>(size);
  if (size == 0 || size % 4 != 0 || padding > 2 ||
      Base64_Decode(out.data(), static_cast<word32>(size), out.data(), &decoded) != 0 || decoded == 0)
    return problem = std::string(kWords) + "characters are missing, or there is none", 0;
  return decoded;
}

}  // namespace keyd
