#include "keyd/vault/key_pem.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "common/der.h"
#include "common/tls/pem.h"
#include "common/tls/wolfcrypt.h"

namespace keyd {
namespace {

namespace der = common::der;

using namespace std::string_view_literals;

constexpr char kUtf16[] = "it is UTF-16 text; convert it: `iconv -f UTF-16 -t UTF-8 FILE >NEW`",
               kSsh[] = "found an OpenSSH public key; the private key is the file beside it without .pub";
// What a file without a PEM block probably is, judged by its first bytes.
constexpr std::pair<std::string_view, const char*> kOther[] = {{"\xff\xfe"sv, kUtf16}, {"\xfe\xff"sv, kUtf16},
                                                               {"-\0-\0"sv, kUtf16},   {"\0-\0-"sv, kUtf16},
                                                               {"ssh-"sv, kSsh},       {"ecdsa-sha2-"sv, kSsh}};

std::string what_it_is(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == text.npos) return "it is empty";
  for (const auto& [begin, what] : kOther)
    if (text.starts_with(begin)) return what;
  der::Bytes in(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  if (der::Bytes content = der::take(in, der::kSequence); !content.empty()) {
    if (der::text_of(content).starts_with("\x02\x01\x03"sv))  // PFX, version 3 (RFC 7292)
      return "it is PKCS#12; take the key out: `openssl pkcs12 -in FILE -nocerts -nodes -out NEW`";
    if (content[0] == der::kSequence) return "it is binary (DER), a certificate or a request, not a private key";
    return "it is binary (DER); convert it to PEM: `openssl pkey -inform DER -in FILE -out NEW`";
  }
  if (text.find("PRIVATE KEY") != text.npos)
    return "it is not PEM: the line BEGIN PRIVATE KEY must have five hyphens (-) on each side";
  return "it is not PEM: there is no \"-----BEGIN … PRIVATE KEY-----\" in it";
}

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
  if (found.empty() && other.empty()) return fail(what_it_is(text));
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
