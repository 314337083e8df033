// The device signer of `check --client`: it signs one device's own handshakes, as often as asked, and nothing else.
#include "keyd/admin/device_signer.h"

#include <sys/socket.h>

#include <thread>

#include "ipc/codec.h"
#include "keyd_support.h"

using namespace keyd;
using namespace keyd::admin;
using namespace keyd_test;

namespace {

const std::vector<uint8_t> kHash(32, 0x5a);

// A signer on a thread of its own, and what asks it.
struct Stage {
  explicit Stage(size_t signatures) : room(Settings()) {
    keys.put("dev7.pem", key.text(witness::Form::pkcs8));
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    ours.reset(ends[0]);
    signer = std::thread([this, end = common::Fd(ends[1]), signatures] {
      sign_as_device({keys.path(), "test"}, room.reader, {"dev7", signatures}, end.get());
    });
  }
  ~Stage() {
    ours.reset();
    signer.join();
  }

  ipc::Sign sign(ipc::Kind kind = ipc::Kind::tls13_client, const std::string_view client_id = "dev7",
                 ipc::Role role = ipc::Role::device) const {
    return {{role, key.spki(), {}, client_id}, kind, ipc::Scheme::ecdsa_sha256, kHash};
  }
  ipc::Response ask(const ipc::Request& request) {
    ipc::RequestBuffer out;
    return ask(std::span(out).first(ipc::encode(request, out)));
  }
  // Status internal: the connection has ended.
  ipc::Response ask(std::span<const uint8_t> datagram) {
    if (::send(ours.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL) < 0) return {};
    const ssize_t got = ::recv(ours.get(), answer.data(), answer.size(), 0);
    return got <= 0 ? ipc::Response{} : ipc::decode_response(std::span(answer).first(static_cast<size_t>(got))).value();
  }

  const witness::Key key = witness::Key::generate("P-256");
  ScratchDir keys;
  KeyRoom room;
  common::Fd ours;
  std::thread signer;
  ipc::ResponseBuffer answer{};
};

}  // namespace

TEST_CASE("device signer: it answers HELLO as a keyd that asks for no proof, and signs", "[keyd][keyd-admin]") {
  Stage stage(2);
  const auto hello = stage.ask(ipc::Request{1, ipc::Hello{}});
  CHECK(hello.status == ipc::Status::ok);
  const auto welcome = ipc::decode_welcome(hello.payload);
  REQUIRE(welcome);
  CHECK_FALSE(welcome->require_presence);
  CHECK_FALSE(welcome->bind_remote);
  const auto signature = stage.ask(ipc::Request{2, stage.sign()});
  CHECK(signature.id == 2);
  REQUIRE(signature.status == ipc::Status::ok);
  const common::tls::CertificateVerifyContent covered(common::tls::Side::client, kHash);
  CHECK(stage.key.verifies(ipc::Scheme::ecdsa_sha256, covered.bytes(), signature.payload));
}

TEST_CASE("device signer: it signs as often as asked, then it ends", "[keyd][keyd-admin]") {
  Stage stage(2);
  CHECK(stage.ask(ipc::Request{1, stage.sign()}).status == ipc::Status::ok);
  CHECK(stage.ask(ipc::Request{2, stage.sign()}).status == ipc::Status::ok);
  CHECK(stage.ask(ipc::Request{3, stage.sign()}).status == ipc::Status::internal);
}

TEST_CASE("device signer: it signs nothing but that device's own TLS 1.3 handshake", "[keyd][keyd-admin]") {
  Stage stage(1);
  using ipc::Kind;
  for (const auto kind : {Kind::tls13_server, Kind::tls12_server, Kind::tls12_client, Kind::tls13_client_bound})
    CHECK(stage.ask(ipc::Request{1, stage.sign(kind)}).status == ipc::Status::denied);
  CHECK(stage.ask(ipc::Request{1, stage.sign(Kind::tls13_client, "dev8")}).status == ipc::Status::denied);
  CHECK(stage.ask(ipc::Request{1, stage.sign(Kind::tls13_client, "", ipc::Role::local)}).status == ipc::Status::denied);
  auto other = stage.sign();
  other.key.spki[0] ^= 1;
  CHECK(stage.ask(ipc::Request{1, other}).status == ipc::Status::denied);
  auto longer = stage.sign();
  const std::vector<uint8_t> content(33, 1);
  longer.content = content;
  CHECK(stage.ask(ipc::Request{1, longer}).status == ipc::Status::denied);
  CHECK(stage.ask(ipc::Request{1, stage.sign().key}).status == ipc::Status::denied);  // LOOKUP
  CHECK(stage.ask(ipc::Request{1, std::monostate{}}).status == ipc::Status::denied);  // STATS
  CHECK(stage.ask(bytes_of("nonsense")).status == ipc::Status::malformed);
  CHECK(stage.ask(ipc::Request{2, stage.sign()}).status == ipc::Status::ok);  // none of these was counted
}
