#include "relayd/session/dial.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/unix_address.h"

namespace relayd {

using common::Milliseconds;
using Fault = DialFailure::Fault;

Dial::Dial(ConnectorClient& connector, channel::Target target, Milliseconds budget, void* owner, Done done,
           uint64_t device)
    : connector_(connector),
      target_(target),
      device_(device),
      until_(uv_now(connector.loop()) + static_cast<uint64_t>(budget.count())),
      owner_(owner),
      done_(done),
      deadline_(connector.loop(), this, common::call<&Dial::too_late>) {
  ask();
}

Dial::~Dial() {
  if (asked_) connector_.cancel(*asked_);
}

Milliseconds Dial::left() const { return Milliseconds(until_ - std::min(until_, uv_now(connector_.loop()))); }

Milliseconds Dial::share(Last last) const {
  const size_t tries = std::max(left_.size(), static_cast<size_t>(last == Last::again));
  const size_t more = std::min(tries, kMostConnections - std::min(connections_, kMostConnections));
  return left() / (more + 1);
}

void Dial::keep() {
  if (latest_.doubtful) connector_.judge(target_, latest_.address, true);
}

void Dial::blame() { connector_.judge(target_, latest_.address, false); }

channel::Question::Body Dial::question() const {
  const auto most = static_cast<int64_t>(channel::kMaxBudgetMs);
  return channel::Dial{target_, static_cast<uint32_t>(std::min<int64_t>(left().count(), most)), device_, left_};
}

void Dial::answered(const channel::Answer::Body& answer, common::Fd attached) {
  if (const auto* none = std::get_if<channel::Failed>(&answer)) return failed(none->failure);
  const auto* made = std::get_if<channel::Connected>(&answer);
  // Without a descriptor: this process had no room for it (recvmsg(2)).
  if (made && made->broker < connector_.brokers() &&
      (!attached || common::socket_option(attached.get(), SO_PROTOCOL) == IPPROTO_TCP))
    return connected(*made, std::move(attached));
  DialFailure wrong;
  wrong.add("connector", "it sent something other than a TCP connection to a broker");
  failed(wrong);
}

void Dial::ask() {
  deadline_.start(left() + kGrace);
  asked_ = connector_.ask(*this);
  if (asked_) return;
  failure_.add("connector", "too many dials wait for it", Fault::machine);
  deadline_.start(Milliseconds(0));
}

void Dial::try_next(std::string_view cause, Last last) {
  blame();
  failure_.add(latest_.text, cause);
  if (left_.empty() && last == Last::again) left_.push_back(latest_.address);
  if (has_more() && left().count() > 0) return ask();
  deadline_.start(Milliseconds(0));
}

void Dial::connected(const channel::Connected& connected, common::Fd socket) {
  asked_.reset();
  if (!socket) failure_.add(connected.text, "no descriptor is left", Fault::machine);
  if (!socket) return failed(connected.failure);
  deadline_.stop();
  failure_.add(connected.failure);
  latest_ = connected;
  left_ = connected.left;
  connections_++;
  done_(owner_, std::move(socket), failure_);  // may destroy this
}

void Dial::failed(const DialFailure& failure) {
  asked_.reset();
  deadline_.stop();
  failure_.add(failure);
  const DialFailure all = std::move(failure_);  // the owner may destroy this
  done_(owner_, common::Fd(), all);
}

// Also when there is nothing to try any more.
void Dial::too_late() {
  if (asked_) {
    connector_.cancel(*asked_);
    failure_.causes.silent = true;
    failure_.add("connector", "no answer within connect_timeout");
  }
  failed({});
}

}  // namespace relayd
