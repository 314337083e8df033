#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <thread>

#include "common/uv.h"
#include "relayd/admin/loop.h"
#include "relayd/tls/context.h"
#include "relayd/tls/stream.h"
#include "tests/differential/judges.h"
#include "tests/integration/harness/keyd.h"

namespace differential {

namespace tls = relayd::tls;

namespace {

constexpr std::chrono::milliseconds kPatience{20'000};

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;

// OpenSSL with the shape's chain and key and without checks of its own. Null if OpenSSL cannot send this chain.
Context peer_context(const Shape& shape, Role role, Tls version) {
  Context context(SSL_CTX_new(role == Role::device ? TLS_client_method() : TLS_server_method()), SSL_CTX_free);
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_mode(context.get(), SSL_MODE_NO_AUTO_CHAIN);
  const int number = version == Tls::v1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_CTX_set_min_proto_version(context.get(), number);
  SSL_CTX_set_max_proto_version(context.get(), number);
  STACK_OF(X509)* rest = sk_X509_new_null();
  for (size_t i = 1; i < shape.chain.size(); i++) sk_X509_push(rest, shape.chain[i].certificate.get());
  const int used =
      SSL_CTX_use_cert_and_key(context.get(), shape.chain[0].certificate.get(), shape.chain[0].key.get(), rest, 1);
  sk_X509_free(rest);
  if (used != 1) context.reset();
  return context;
}

// The peer, in a thread: completes the handshake, then waits until the product's side closes.
void play_peer(SSL_CTX* context, Role role, int fd) {
  const Ssl ssl(SSL_new(context), SSL_free);
  SSL_set_fd(ssl.get(), fd);
  char byte = 0;
  if ((role == Role::device ? SSL_connect(ssl.get()) : SSL_accept(ssl.get())) == 1) SSL_read(ssl.get(), &byte, 1);
}

trust::Pem pem_of(const std::vector<pki::Identity>& identities) {
  trust::Pem pem{"ca.pem", ""};
  for (const auto& identity : identities) pem.text += identity.pem();
  return pem;
}

trust::Pem pem_of(const std::vector<pki::Crl>& crls) {
  trust::Pem pem;
  for (const auto& crl : crls) pem.text += pki::pem(crl);
  if (!crls.empty()) pem.path = "crl.pem";
  return pem;
}

trust::Policy policy_of(const Shape& shape) {
  return {.depth = static_cast<unsigned>(shape.depth),
          .partial_chain = shape.partial_chain,
          .revocation = shape.crl_check_chain ? trust::Revocation::chain : trust::Revocation::leaf};
}

// The default of remote.groups.
std::vector<uint16_t> default_groups() {
  std::vector<uint16_t> groups;
  for (const char* name : {"X25519MLKEM768", "X25519", "P-256", "P-384", "P-521"})
    groups.push_back(tls::group_named(name));
  return groups;
}

// The product's side.
class Ours final : public tls::StreamHandler {
 public:
  explicit Ours(relayd::admin::Loop& loop)
      : loop_(loop), deadline_(loop.get(), this, [](void* self) {
          static_cast<Ours*>(self)->over({false, "too late"});
        }) {
    deadline_.start(kPatience);
  }
  void on_open(tls::Stream&) override { over({true, ""}); }
  void on_end(tls::Stream&, const tls::End& end) override { over({false, end.text}); }
  void on_data(tls::Stream&, std::span<const uint8_t>) override {}
  void on_drained(tls::Stream&) override {}
  void on_closed(tls::Stream&) override {}
  Opinion opinion{false, "no end"};

 private:
  void over(Opinion what) {
    opinion = std::move(what);
    deadline_.stop();
    loop_.stop();
  }
  relayd::admin::Loop& loop_;
  common::Timer deadline_;
};

}  // namespace

struct Handshakes::State {
  State() {
    signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets with write(2)
    keyd.start();
    client = std::make_unique<ipc::Client>(loop.get(), ipc::Client::Options{.socket_path = keyd.socket()});
    runtime = std::make_unique<tls::Runtime>(loop.get(), client.get());
  }

  // keyd with the key of `listener`.
  struct Signer : harness::Keyd {
    explicit Signer(const pki::Identity& listener) {
      const auto file = keys().parent_path() / "listener.key";
      harness::write_file(file, listener.key_pem());
      chmod(file.c_str(), 0600);
    }
  };

  pki::Identity listener =
      pki::self_signed({.subject = pki::cn("listener"), .extensions = pki::kServer}, pki::key("P-256", 999));
  Signer keyd{listener};
  relayd::admin::Loop loop;
  std::unique_ptr<ipc::Client> client;
  std::unique_ptr<tls::Runtime> runtime;  // too large for a stack
};

Handshakes::Handshakes() : state_(std::make_unique<State>()) {}
Handshakes::~Handshakes() {
  state_->runtime.reset();
  state_->client.reset();
}

Opinion Handshakes::judge(const Shape& shape, Role role, Tls version) {
  const Context peer = peer_context(shape, role, version);
  if (!peer) return {false, "the peer can't show it"};
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
  common::Fd ours(ends[0]), theirs(ends[1]);
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  const timeval patience{.tv_sec = kPatience.count() / 1000, .tv_usec = 0};
  setsockopt(theirs.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto versions = version == Tls::v1_2 ? tls::Versions::tls12 : tls::Versions::tls13;
  Ours handler(state_->loop);
  std::jthread thread([&] { play_peer(peer.get(), role, theirs.get()); });
  auto stream = std::make_unique<tls::Stream>(*state_->runtime, std::move(ours), handler);
  std::unique_ptr<tls::ServerContext> server;
  std::unique_ptr<tls::ClientContext> client;
  bool began = false;
  if (role == Role::device) {
    server =
        std::make_unique<tls::ServerContext>(tls::ServerOptions{.certificates = {pem_of(std::vector{state_->listener})},
                                                                .trusted = pem_of(shape.anchors),
                                                                .revoked = pem_of(shape.crls),
                                                                .versions = versions,
                                                                .policy = policy_of(shape)});
    began = stream->server_handshake(*server, {ipc::Role::listener, "", server->certificates().front().spki, {}});
  } else {
    client = std::make_unique<tls::ClientContext>(tls::ClientOptions{.trusted = pem_of(shape.anchors),
                                                                     .versions = versions,
                                                                     .name = shape.host,
                                                                     .alpn = {},
                                                                     .revoked = pem_of(shape.crls),
                                                                     .policy = policy_of(shape),
                                                                     .groups = default_groups()});
    began = stream->anonymous_handshake(*client, relayd::tls::Hello::usual, [](auto) {});
  }
  if (began) state_->loop.run();
  else handler.opinion.why = "it could not begin";
  stream.reset();  // ends the peer's wait
  return handler.opinion;
}

}  // namespace differential
