#include "relayd/admin/stand_in.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "relayd/tls/stream.h"

namespace relayd::admin {

// The one connection to the signer.
class StandIn::Source final : public ipc::ConnectionSource {
 public:
  Source(Loop& loop, common::Fd socket)
      : socket_(std::move(socket)), soon_(loop.get(), this, common::call<&Source::give>) {
    fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
  }

  void connect(Done done) override {
    done_ = std::move(done);
    soon_.start(common::Milliseconds(0));
  }
  void forget() override { done_ = {}; }

 private:
  void give() {
    if (!done_) return;
    const Done done = std::exchange(done_, {});
    if (!socket_) return done({}, "it has ended");
    ipc::RequestBuffer hello;
    const size_t size = ipc::encode(ipc::Request{0, ipc::Hello{}}, hello);
    if (::send(socket_.get(), hello.data(), size, MSG_NOSIGNAL) < 0) return done({}, strerror(errno));
    done(std::move(socket_), "");
  }

  common::Fd socket_;
  Done done_;
  common::Timer soon_;
};

// One handshake, with both ends.
class StandIn::Ends final : private tls::StreamHandler {
 public:
  Ends(StandIn& owner, const tls::ServerOptions& listener, const tls::CertificateChain& chain,
       const std::string& client_id, const ipc::Origin& origin, common::Milliseconds patience)
      : loop_(owner.loop_),
        at_listener_(std::make_unique<tls::Runtime>(loop_.get(), &owner.keyd_)),
        at_device_(std::make_unique<tls::Runtime>(loop_.get(), owner.signer_.get())),
        listener_(listener),
        device_({.trusted = {},
                 .verify_peer = false,
                 .versions = tls::Versions::tls13,
                 .name = "",
                 .alpn = {},
                 .groups = listener.groups}),
        deadline_(loop_.get(), this, common::call<&Ends::too_late>) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
      end(strerror(errno));
      return;
    }
    auto& handler = static_cast<tls::StreamHandler&>(*this);
    server_ = std::make_unique<tls::Stream>(*at_listener_, common::Fd(ends[0]), handler);
    client_ = std::make_unique<tls::Stream>(*at_device_, common::Fd(ends[1]), handler);
    deadline_.start(patience);
    if (!server_->server_handshake(listener_,
                                   {ipc::Role::listener, "", listener_.certificates().front().spki, origin}) ||
        !client_->client_handshake(device_, chain, {ipc::Role::device, client_id, chain.spki, origin},
                                   tls::Hello::usual))
      end("TLS could not begin");
  }

  Shown take() { return std::move(shown_); }
  bool ended() const { return ended_; }

 private:
  void on_open(tls::Stream& stream) override {
    if (&stream != server_.get()) return;  // the device's end is open before the listener has judged
    shown_.proof = stream.take_proof();
    end("");
  }
  void on_end(tls::Stream& stream, const tls::End& why) override {
    // What the other end says of it, if it says something, is the cause.
    const bool told = why.alert.has_value() || why.is_ordinary();
    if (told) return;
    end((&stream == client_.get() ? "the device's end: " : "the listener's end: ") + why.text);
  }
  void on_data(tls::Stream&, std::span<const uint8_t>) override {}
  void on_drained(tls::Stream&) override {}
  void on_closed(tls::Stream&) override {}
  void too_late() { end("it took too long"); }

  void end(std::string problem) {
    if (ended_) return;
    ended_ = true;
    shown_.problem = std::move(problem);
    deadline_.stop();
    loop_.stop();
  }

  Loop& loop_;
  std::unique_ptr<tls::Runtime> at_listener_, at_device_;  // too large for a stack
  const tls::ServerContext listener_;
  const tls::ClientContext device_;
  common::Timer deadline_;
  std::unique_ptr<tls::Stream> server_, client_;
  Shown shown_;
  bool ended_ = false;
};

StandIn::StandIn(Loop& loop, ipc::Client& keyd, common::Fd signer)
    : loop_(loop),
      keyd_(keyd),
      source_(std::make_unique<Source>(loop, std::move(signer))),
      signer_(std::make_unique<ipc::Client>(loop.get(), ipc::Client::Options{.socket_path = ""}, source_.get())) {}

StandIn::~StandIn() = default;

StandIn::Shown StandIn::connect(const tls::ServerOptions& listener, const tls::CertificateChain& chain,
                                const std::string& client_id, const ipc::Origin& origin,
                                common::Milliseconds patience) {
  Ends ends(*this, listener, chain, client_id, origin, patience);
  if (!ends.ended()) loop_.run();
  return ends.take();
}

}  // namespace relayd::admin
