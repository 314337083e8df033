#include "relayd/admin/remote_probe.h"

#include <netdb.h>

#include <future>
#include <memory>
#include <thread>

#include "relayd/admin/loop.h"
#include "relayd/admin/plain_probe.h"
#include "relayd/connector/dialer.h"
#include "relayd/connector/resolver.h"
#include "relayd/mqtt/client_packets.h"
#include "relayd/session/first_bytes.h"
#include "relayd/tls/stream.h"

namespace relayd::admin {
namespace {

constexpr common::Milliseconds kMutePatience{3000}, kVerdictPatience{3000};

class Probe final : private tls::StreamHandler {
 public:
  Probe(Loop& loop, const ProbeWay& way, const tls::ClientContext* context, tls::Hello hello,
        common::Milliseconds patience, const AsDevice* as)
      : loop_(loop),
        context_(context),
        as_(as),
        hello_(hello),
        patience_(patience),
        book_(way.addresses),
        sources_(way.sources),
        first_(way.first),
        runtime_(std::make_unique<tls::Runtime>(loop.get(), as ? &as->keyd : nullptr)),
        deadline_(loop.get(), this, common::call<&Probe::too_late>),
        dialer_(loop.get(), {book_, quota_, sources_, way.through_proxy}, book_.order(uv_now(loop.get())), patience,
                this, common::call<&Probe::dialed>) {}

  ProbeResult take_result() {
    if (trusted_ && !leaf_.empty()) result_.certificate = tls::facts_of(leaf_, "the remote broker's certificate");
    return std::move(result_);
  }

 private:
  void dialed(connector::Dialer::Result dialed) {
    result_.causes = dialed.failure.causes;
    if (!dialed.socket) return end(dialed.failure.text());
    result_.address = dialed.text;
    if (!context_) return end("");
    deadline_.start(patience_);
    stream_ =
        std::make_unique<tls::Stream>(*runtime_, std::move(dialed.socket), static_cast<tls::StreamHandler&>(*this));
    stream_->send_first(first_);
    // This runs on the handshake's fiber, which has a small stack: the certificate is kept here and read later.
    const auto keep = [this](auto leaf) { leaf_.assign(leaf.begin(), leaf.end()); };
    if (!(as_ ? stream_->client_handshake(*context_, as_->chain, as_->key, hello_, keep)
              : stream_->anonymous_handshake(*context_, hello_, keep)))
      end("TLS could not begin");
  }

  void on_open(tls::Stream&) override {
    result_.tls = trusted_ = true;
    result_.wants_certificate = stream_->was_asked_for_certificate();
    if (!as_) return end("");
    if (!as_->connect.empty()) {
      deadline_.start(patience_);
      return stream_->write(as_->connect);
    }
    deadline_.start(kVerdictPatience);
    stream_->end_writing();
  }
  void on_data(tls::Stream&, std::span<const uint8_t> bytes) override {
    if (leaving_ || !as_ || as_->connect.empty()) return;
    result_.connack.feed(bytes);
    if (!result_.connack.done()) return;
    if (!result_.connack.code()) return end("it answered CONNECT with something other than CONNACK");
    if (result_.connack.code() != 0) return end("");
    leave();
  }
  // A session that the broker had kept stays as it was; one that began with this CONNECT ends with it.
  void leave() {
    std::vector<uint8_t> last;
    mqtt::append_disconnect(last, result_.connack.session_present() ? std::nullopt : std::optional(0U));
    stream_->write(last);
    leaving_ = true;
    deadline_.start(kVerdictPatience);
    stream_->end_writing();
  }

  void on_end(tls::Stream&, const tls::End& why) override {
    using Cause = tls::End::Cause;
    if (leaving_) return end("");
    result_.refused = why.cause == Cause::own_certificate;
    result_.vanished = result_.tls ? why.cause == Cause::lost : why.is_ordinary();
    result_.not_signed = why.status;
    if (result_.tls && why.cause == Cause::closed && as_->connect.empty()) return end("");
    result_.cause = why.cause;
    result_.alert = why.alert;
    if (result_.tls) return end(why.text);
    // If this side ended the handshake, it did not accept the certificate that it saw.
    trusted_ = why.alert || why.cause == Cause::closed || why.cause == Cause::lost;
    result_.advice = why.advice;
    result_.answered = named_answer(stream_->first_bytes(), "remote_port");
    result_.mute = stream_->first_bytes().empty();
    end(why.text);
  }
  void on_drained(tls::Stream&) override {}
  void on_closed(tls::Stream&) override {}

  void too_late() {
    if (leaving_ || (result_.tls && as_->connect.empty())) return end("");
    if (result_.tls) return end("no answer to CONNECT in " + std::to_string(patience_.count()) + " ms");
    if (stream_->awaits_signature()) {
      result_.cause = tls::End::Cause::signature;
      return end("no signature in " + std::to_string(patience_.count()) + " ms");
    }
    result_.answered = named_answer(stream_->first_bytes(), "remote_port");
    result_.mute = result_.silent = stream_->first_bytes().empty();
    end("no answer to the TLS handshake in " + std::to_string(patience_.count()) + " ms");
  }

  void end(std::string problem) {
    result_.problem = std::move(problem);
    deadline_.stop();
    loop_.stop();
  }

  Loop& loop_;
  const tls::ClientContext* context_;  // null: TCP only
  const AsDevice* as_;                 // null: without a certificate
  const tls::Hello hello_;
  const common::Milliseconds patience_;
  connector::AddressBook book_;
  connector::SocketQuota quota_;
  connector::SourceAddresses sources_;
  std::vector<uint8_t> first_;
  std::unique_ptr<tls::Runtime> runtime_;  // too large for a stack
  common::Timer deadline_;
  connector::Dialer dialer_;
  std::unique_ptr<tls::Stream> stream_;
  std::vector<uint8_t> leaf_;  // set once it is verified and has the right name
  bool trusted_ = false;
  bool leaving_ = false;  // DISCONNECT has been written
  ProbeResult result_;
};

ProbeResult probe_on(Loop& loop, const ProbeWay& way, const tls::ClientContext* context, tls::Hello hello,
                     common::Milliseconds patience, const AsDevice* as) {
  Probe probe(loop, way, context, hello, patience, as);
  loop.run();
  return probe.take_result();
}

ProbeResult probe_once(const ProbeWay& way, const tls::ClientContext* context, tls::Hello hello,
                       common::Milliseconds patience, const AsDevice* as) {
  if (as) return probe_on(as->loop, way, context, hello, patience, as);
  Loop loop;
  return probe_on(loop, way, context, hello, patience, as);
}

}  // namespace

ProbeResult probe(const ProbeWay& way, const tls::ClientContext* context, common::Milliseconds patience,
                  const AsDevice* as) {
  ProbeResult result = probe_once(way, context, tls::Hello::usual, patience, as);
  const auto reached = way.through_proxy ? std::nullopt : SocketAddress::parse(result.address);
  if (!result.mute || !reached) return result;
  result.plain_mqtt = speaks_plain_mqtt(*reached, std::min(patience, kMutePatience));
  if (result.plain_mqtt || !context->has_small_hello()) return result;
  // As a session would: some middleboxes want the ClientHello in one segment.
  ProbeResult small = probe_once({{*reached}, way.sources, nullptr, way.first}, context, tls::Hello::small,
                                 std::min(patience, kMutePatience), as);
  if (small.address.empty() || small.mute) return result;
  small.wants_small_hello = true;
  return small;
}

std::vector<SocketAddress> resolve(const std::string& host, uint16_t port, common::Milliseconds patience,
                                   std::string& problem) {
  struct Answer {
    int status = 0;
    std::vector<SocketAddress> addresses;
  };
  // getaddrinfo(3) has no deadline. A thread that is still in it when the command exits dies with the process.
  auto promise = std::make_shared<std::promise<Answer>>();
  auto answer = promise->get_future();
  std::thread([promise, host, port] {
    const addrinfo hints = connector::resolver_hints();
    addrinfo* found = nullptr;
    Answer got;
    got.status = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (got.status == 0) {
      got.addresses = connector::usable_addresses(found);
      freeaddrinfo(found);
    }
    promise->set_value(std::move(got));
  }).detach();
  if (answer.wait_for(patience) != std::future_status::ready) {
    problem = "no answer from the name service in " + std::to_string(patience.count() / 1000) + " s";
    return {};
  }
  Answer got = answer.get();
  if (got.addresses.empty()) problem = got.status != 0 ? gai_strerror(got.status) : "it has no address";
  return std::move(got.addresses);
}

}  // namespace relayd::admin
