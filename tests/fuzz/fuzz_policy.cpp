// Any SIGN request against every key type and every configuration. keyd signs exactly what the rule allows; the rule is
// written here a second time, from the RFCs and independently of policy.cpp.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "ipc/codec.h"
#include "keyd/vault/policy.h"
#include "tests/fuzz/require.h"

namespace {

using ipc::Kind;
using ipc::Role;
using keyd::KeyType;
using Bytes = std::span<const uint8_t>;

constexpr std::array kTypes{KeyType::rsa, KeyType::p256, KeyType::p384, KeyType::p521, KeyType::ed25519};

// The TLS schemes of a key (RFC 8446 4.2.3): in 1.3 one for each curve, in 1.2 any hash.
bool scheme_of(KeyType type, uint16_t scheme, bool tls13) {
  const auto one_of = [&](std::initializer_list<uint16_t> schemes) {
    return std::find(schemes.begin(), schemes.end(), scheme) != schemes.end();
  };
  switch (type) {
    case KeyType::rsa: return one_of({0x0804, 0x0805, 0x0806}) || (!tls13 && one_of({0x0401, 0x0501, 0x0601}));
    case KeyType::p256: return tls13 ? one_of({0x0403}) : one_of({0x0403, 0x0503, 0x0603});
    case KeyType::p384: return tls13 ? one_of({0x0503}) : one_of({0x0403, 0x0503, 0x0603});
    case KeyType::p521: return tls13 ? one_of({0x0603}) : one_of({0x0403, 0x0503, 0x0603});
    case KeyType::ed25519: return one_of({0x0807});
  }
  return false;
}

// Two randoms and an ephemeral ECDH key on one of four curves, with nothing before or after (RFC 8422 5.4).
bool server_key_exchange(Bytes content) {
  struct Curve {
    std::string_view head;  // named_curve, its number, the point's length, the point's format
    size_t size;
  };
  using namespace std::string_view_literals;
  constexpr Curve kCurves[] = {{"\x03\x00\x17\x41\x04"sv, 64 + 4 + 65},
                               {"\x03\x00\x18\x61\x04"sv, 64 + 4 + 97},
                               {"\x03\x00\x19\x85\x04"sv, 64 + 4 + 133},
                               {"\x03\x00\x1d\x20"sv, 64 + 4 + 32}};
  const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
  return std::any_of(std::begin(kCurves), std::end(kCurves), [&](const Curve& curve) {
    return text.size() == curve.size && text.substr(64).starts_with(curve.head);
  });
}

// Whole handshake messages, with the right types of the first and the last one (RFC 5246 7.4.8, RFC 8446 4.4.1). None
// is a HelloRequest, which no hash covers (RFC 5246 7.4.1.1).
bool messages(Bytes content, std::initializer_list<uint8_t> first, uint8_t last) {
  if (content.empty() || std::find(first.begin(), first.end(), content[0]) == first.end()) return false;
  size_t at = 0, begin = 0;
  while (at < content.size()) {
    begin = at;
    if (content[at] == 0) return false;
    for (const int header_byte : {1, 2, 3})
      if (at + static_cast<size_t>(header_byte) >= content.size()) return false;
    at += 4 + (size_t{content[at + 1]} * 65536 + size_t{content[at + 2]} * 256 + content[at + 3]);
  }
  return at == content.size() && content[begin] == last;
}

bool content_of(Kind kind, Bytes content) {
  switch (kind) {
    case Kind::tls13_server:
    case Kind::tls13_client: return content.size() == 32 || content.size() == 48;
    case Kind::tls12_server: return server_key_exchange(content);
    case Kind::tls13_client_bound: return messages(content, {1, 254}, 11);
    case Kind::tls12_client: return messages(content, {1}, 16);
  }
  return false;
}

bool rule(const ipc::Sign& sign, const keyd::Rules& rules, const keyd::KeyInfo& key) {
  const bool server = sign.kind == Kind::tls13_server || sign.kind == Kind::tls12_server;
  const bool tls13 =
      sign.kind == Kind::tls13_server || sign.kind == Kind::tls13_client || sign.kind == Kind::tls13_client_bound;
  const bool device = sign.key.role == Role::device;
  if (server != (sign.key.role == Role::listener) || (!device && !sign.key.client_id.empty())) return false;
  if (sign.kind == (device && rules.bind_remote ? Kind::tls13_client : Kind::tls13_client_bound)) return false;
  if (!server && !tls13 && !rules.allow_tls12_client) return false;
  const auto scheme = static_cast<uint16_t>(sign.scheme);
  const bool of_certificate = sign.key.spki == key.spki || sign.key.spki == key.compressed;
  return of_certificate && scheme_of(key.type, scheme, tls13) && content_of(sign.kind, sign.content);
}

// Content that is signed unchanged must not read as TLS 1.3 content of either role, which keyd alone constructs.
bool could_be_tls13(Bytes content) {
  return content.size() > 64 && std::all_of(content.begin(), content.begin() + 64, [](auto b) { return b == ' '; }) &&
         content[64] == 'T';
}

}  // namespace

// kind:1 scheme:2 role:1 client_id_len:1 content. It is not a datagram, whose lengths libFuzzer would have to guess
// again with each change of the content, but a datagram can carry all of it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kHead = 5;
  if (size < kHead) return 0;
  const std::string id(data[4], 'x');
  const auto scheme = static_cast<ipc::Scheme>(data[1] << 8 | data[2]);
  const ipc::Lookup key{static_cast<Role>(data[3]), {}, {}, id};
  ipc::RequestBuffer buffer;
  const size_t used =
      ipc::encode({1, ipc::Sign{key, static_cast<Kind>(data[0]), scheme, Bytes(data, size).subspan(kHead)}}, buffer);
  const auto request = ipc::decode_request(Bytes(buffer).first(used));
  const auto* sign = request ? std::get_if<ipc::Sign>(&request->body) : nullptr;
  if (!sign) return 0;
  for (const KeyType type : kTypes)
    for (int bits = 0; bits < 16; bits++) {
      const keyd::Rules rules{.allow_tls12_client = (bits & 1) != 0, .bind_remote = (bits & 2) != 0};
      keyd::KeyInfo info{type, 0, sign->key.spki, sign->key.spki};
      if (bits & 4) info.spki[31] ^= 1;
      if (bits & 8) info.compressed[31] ^= 1;
      const bool accepted = keyd::may_ask(*sign, rules) && keyd::may_sign(*sign, info);
      REQUIRE(accepted == rule(*sign, rules, info));
      if (accepted) REQUIRE(!could_be_tls13(sign->content));
    }
  return 0;
}
