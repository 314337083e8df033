#include "keyd/admin/not_a_key.h"

#include <utility>

#include "common/der.h"
#include "keyd/admin/key_source.h"
#include "keyd/vault/key_pem.h"

namespace keyd::admin {
namespace {

namespace der = common::der;

using namespace std::string_view_literals;

constexpr char kUtf16[] = "it is UTF-16 text; convert it: `iconv -f UTF-16 -t UTF-8 FILE >NEW`",
               kSsh[] = "found an OpenSSH public key; the private key is the file beside it without .pub";
constexpr std::pair<std::string_view, const char*> kOther[] = {{"\xff\xfe"sv, kUtf16}, {"\xfe\xff"sv, kUtf16},
                                                               {"-\0-\0"sv, kUtf16},   {"\0-\0-"sv, kUtf16},
                                                               {"ssh-"sv, kSsh},       {"ecdsa-sha2-"sv, kSsh}};

}  // namespace

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

std::string explained(std::string problem, int directory, const std::string& name) {
  if (problem != kNotPem) return problem;
  KeyBytes file;
  return file.read(directory, name).empty() ? what_it_is(file.text()) : problem;
}

}  // namespace keyd::admin
