#include "common/trust/pem.h"

#include <openssl/err.h>

#include <algorithm>
#include <optional>

#include "common/config.h"
#include "common/tls/pem.h"
#include "common/trust/openssl_ptr.h"

namespace trust {
namespace {

using common::ConfigError;

BlockKind kind_of(std::string_view label) {
  if (label == "CERTIFICATE" || label == "X509 CERTIFICATE") return BlockKind::certificate;
  if (label == "TRUSTED CERTIFICATE") return BlockKind::trusted_certificate;
  if (label == "X509 CRL") return BlockKind::crl;
  return BlockKind::other;
}

// Without its line end, the BEGIN line of a key in the wrong file has key bytes in its label. Base64 has lower-case
// letters, and labels do not.
std::string shown(std::string_view label) {
  const bool usual = std::ranges::all_of(
      label, [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '.'; });
  return usual ? std::string(label) : "an unusual label";
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Decodes base64 with white space anywhere; nullopt if it holds other characters or is not a whole number of bytes.
std::optional<Der> decoded(std::string_view body) {
  std::string packed;
  packed.reserve(body.size());
  for (const char c : body) {
    if (is_space(c)) continue;
    const bool base64 =
        (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
    if (!base64 && c != '=') return std::nullopt;
    if (base64 && !packed.empty() && packed.back() == '=') return std::nullopt;
    packed.push_back(c);
  }
  if (packed.empty() || packed.size() % 4 != 0) return std::nullopt;
  const size_t padding = packed.size() - (packed.find_last_not_of('=') + 1);
  Der der(packed.size() / 4 * 3);
  if (padding > 2 || EVP_DecodeBlock(der.data(), reinterpret_cast<const unsigned char*>(packed.data()),
                                     static_cast<int>(packed.size())) < 0)
    return std::nullopt;
  der.resize(der.size() - padding);
  return der;
}

// The size of the object of that kind at the start of `der`, in bytes; 0 if there is none.
template <auto d2i, auto release>
size_t size_of(const Der& der) {
  const unsigned char* at = der.data();
  auto* object = d2i(nullptr, &at, static_cast<long>(der.size()));
  ERR_clear_error();
  if (!object) return 0;
  release(object);
  return static_cast<size_t>(at - der.data());
}

std::string where(const Pem& pem, const PemBlock& block) {
  return pem.name() + ": line " + std::to_string(block.line) + ": \"" + block.label + "\" ";
}

std::string contents(const std::vector<PemBlock>& blocks) {
  std::vector<std::string> seen;
  for (const PemBlock& block : blocks) {
    std::string what = what_is_labelled(block.label);
    if (std::find(seen.begin(), seen.end(), what) == seen.end() && seen.size() < 4) seen.push_back(std::move(what));
  }
  std::string text;
  for (const std::string& what : seen) text += (text.empty() ? "" : ", ") + what;
  return text;
}

[[noreturn]] void fail_none(const Pem& pem, const std::vector<PemBlock>& blocks, std::string_view wanted) {
  const std::string expected = "; expected PEM text with \"-----BEGIN " + std::string(wanted) + "-----\"";
  if (blocks.empty()) throw ConfigError(pem.name() + ": " + what_is(pem.text) + expected);
  throw ConfigError(pem.name() + ": it holds only " + contents(blocks) + expected);
}

template <auto d2i, auto release>
std::vector<Der> objects_in(const Pem& pem, bool crls, std::string_view wanted, const char* noun) {
  std::vector<Der> objects;
  const auto blocks = pem_blocks(pem.text);
  for (const PemBlock& block : blocks) {
    if (block.kind == BlockKind::other || (block.kind == BlockKind::crl) != crls) continue;
    if (!block.problem.empty()) throw ConfigError(where(pem, block) + block.problem);
    const size_t size = size_of<d2i, release>(block.der);
    if (size == 0) throw ConfigError(where(pem, block) + "can't be read: its content is not " + noun);
    objects.emplace_back(block.der.begin(), block.der.begin() + static_cast<std::ptrdiff_t>(size));
  }
  if (objects.empty()) fail_none(pem, blocks, wanted);
  return objects;
}

}  // namespace

std::vector<PemBlock> pem_blocks(std::string_view text) {
  std::vector<PemBlock> blocks;
  size_t line = 1, counted = 0;
  for (size_t at = 0; const auto found = common::tls::next_pem_block(text, at);) {
    const auto before = text.substr(counted, found->begin - counted);
    line += static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
    counted = found->begin;
    PemBlock block{kind_of(found->label), shown(found->label), line, {}, ""};
    if (!found->label.data()) {
      block.problem = "the BEGIN line is broken";
    } else if (!found->body.data()) {
      block.problem = "has no END line: the file was cut, or a line is missing";
    } else if (block.kind != BlockKind::other) {
      if (auto der = decoded(found->body)) block.der = std::move(*der);
      else block.problem = "is damaged: the text between its BEGIN and END lines is not base64";
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

std::vector<Der> certificates_in(const Pem& pem) {
  return objects_in<d2i_X509, X509_free>(pem, false, "CERTIFICATE", "an X.509 certificate");
}

std::vector<Der> crls_in(const Pem& pem) {
  return objects_in<d2i_X509_CRL, X509_CRL_free>(pem, true, "X509 CRL", "an X.509 CRL");
}

}  // namespace trust
