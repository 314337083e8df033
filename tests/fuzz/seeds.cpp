// fuzz_seeds DIRECTORY: writes one datagram of every kind, made by the encoders, to messages/, and SIGN requests in the
// form that fuzz_policy reads to policy/.
#include <fstream>
#include <string>
#include <vector>

#include "ipc/codec.h"
#include "tests/fuzz/require.h"

namespace {

using ipc::Kind;
using ipc::Scheme;
using Content = std::vector<uint8_t>;

std::string folder;

void write(const std::string& name, std::span<const uint8_t> bytes) {
  std::ofstream out(folder + "/" + name, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(out.flush());
}

template <typename Buffer, typename Message>
void encode(const std::string& name, const Message& message) {
  Buffer buffer;
  const size_t size = ipc::encode(message, buffer);
  REQUIRE(size > 0);
  write("messages/" + name, std::span(buffer).first(size));
}

void request(const std::string& name, const ipc::Request& message) { encode<ipc::RequestBuffer>(name, message); }
void response(const std::string& name, const ipc::Response& message) { encode<ipc::ResponseBuffer>(name, message); }

// ServerECDHParams after the two randoms.
Content key_exchange(uint8_t curve, uint8_t size) {
  Content content(64, 0xab);
  content.insert(content.end(), {3, 0, curve, size, 4});
  content.resize(content.size() - 1 + size, 0xcd);
  return content;
}

Content messages(std::initializer_list<uint8_t> types) {
  Content content;
  for (const uint8_t type : types) content.insert(content.end(), {type, 0, 0, 3, 'a', 'b', 'c'});
  return content;
}

void sign(const std::string& name, Kind kind, Scheme scheme, const Content& content) {
  const bool server = kind == Kind::tls13_server || kind == Kind::tls12_server;
  const ipc::Origin origin{1, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, 8883};
  const ipc::Lookup key{server ? ipc::Role::listener : ipc::Role::device, {}, origin, server ? "" : "thermo-1"};
  request("sign-" + name, {3, ipc::Sign{key, kind, scheme, content}});
  const auto code = static_cast<uint16_t>(scheme);
  Content policy{static_cast<uint8_t>(kind), static_cast<uint8_t>(code >> 8), static_cast<uint8_t>(code),
                 static_cast<uint8_t>(key.role), static_cast<uint8_t>(key.client_id.size())};
  policy.insert(policy.end(), content.begin(), content.end());
  write("policy/" + name, policy);
}

}  // namespace

int main(int argc, char** argv) {
  REQUIRE(argc == 2);
  folder = argv[1];
  request("hello", {1, ipc::Hello{ipc::kVersion, 7}});
  request("lookup", {2, ipc::Lookup{ipc::Role::device, {}, {}, "thermo-1"}});
  request("lookup-spellings", {3, ipc::Lookup{ipc::Role::device, {}, {}, "Thermo-1", "thermo-1/THERMO-1/"}});
  request("stats", {4, std::monostate{}});
  sign("tls13-server-ecdsa", Kind::tls13_server, Scheme::ecdsa_sha256, Content(32, 1));
  sign("tls13-client-pss", Kind::tls13_client, Scheme::rsa_pss_rsae_sha256, Content(48, 1));
  sign("tls13-client-ed25519", Kind::tls13_client, Scheme::ed25519, Content(32, 1));
  sign("tls12-server-p256", Kind::tls12_server, Scheme::ecdsa_sha256, key_exchange(0x17, 65));
  sign("tls12-server-p384", Kind::tls12_server, Scheme::ecdsa_sha384, key_exchange(0x18, 97));
  sign("tls12-server-p521", Kind::tls12_server, Scheme::rsa_pkcs1_sha512, key_exchange(0x19, 133));
  sign("tls12-server-x25519", Kind::tls12_server, Scheme::rsa_pss_rsae_sha256, key_exchange(0x1d, 32));
  sign("tls12-client-pkcs1", Kind::tls12_client, Scheme::rsa_pkcs1_sha256, messages({1, 2, 11, 12, 13, 14, 11, 16}));
  sign("tls12-client-ed25519", Kind::tls12_client, Scheme::ed25519, messages({1, 2, 11, 12, 13, 14, 11, 16}));
  sign("tls13-bound", Kind::tls13_client_bound, Scheme::ecdsa_sha256, messages({1, 2, 8, 13, 11, 15, 20, 11}));
  sign("tls13-bound-retried", Kind::tls13_client_bound, Scheme::ed25519,
       messages({254, 2, 1, 2, 8, 13, 11, 15, 20, 11}));
  const auto welcome = ipc::encode_welcome({ipc::kVersion, true, true});
  const auto counters = ipc::encode_counters({1, 2, 3, 4, true});
  response("answer-welcome", {1, ipc::Status::ok, 0, welcome});
  response("answer-counters", {4, ipc::Status::ok, 0, counters});
  response("answer-signature", {3, ipc::Status::ok, 0, Content(72, 0x30)});
  response("answer-busy", {3, ipc::Status::busy, 100, {}});
}
