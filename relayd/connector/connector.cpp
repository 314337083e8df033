#include "relayd/connector/connector.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/datagram.h"
#include "common/log.h"
#include "relayd/connector/certificate_file.h"

namespace relayd::connector {
namespace {

namespace log = common::log;

constexpr common::Milliseconds kMostBetweenBeats{1000};
constexpr size_t kOwnDescriptors = 64;  // the loop, look-ups, and one channel a worker besides
constexpr size_t kLeast = 8, kMost = 16'384;

// One worker's share of this process's descriptors.
size_t most_of_one(int workers) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto all = static_cast<size_t>(limit.rlim_cur), count = static_cast<size_t>(workers);
  return std::clamp((all - std::min(all, kOwnDescriptors + count)) / count, kLeast, kMost);
}

}  // namespace

Connector::Connector(uv_loop_t* loop, ConnectorPlan plan, common::Fd control)
    : loop_(loop),
      plan_(std::move(plan)),
      certificates_(plan_.certs_dir.empty() ? nullptr
                                            : std::make_shared<common::Fd>(open_certificates(plan_.certs_dir))),
      most_(most_of_one(plan_.workers)),
      control_(std::move(control)),
      control_poll_(std::make_unique<common::Poll>(loop, control_.get(), this, common::call<&Connector::on_control>)),
      beat_(loop, this, common::call<&Connector::beat>),
      sweep_(loop, this, common::call<&Connector::sweep>) {}

Connector::~Connector() {
  channels_.clear();
  control_poll_.reset();
}

void Connector::resolve() {
  const auto names = common::call<&Connector::on_names>;
  for (const Config::Endpoint& place : plan_.remote_places()) {
    const size_t i = remote_.size();
    const std::string known = i < plan_.known.remote.size() ? plan_.known.remote[i] : "";
    remote_.emplace_back(loop_, place, plan_.resolve_interval, addresses_in(known, place.port), this, names);
  }
  if (plan_.local)
    local_.emplace(loop_, *plan_.local, plan_.resolve_interval, addresses_in(plan_.known.local, plan_.local->port),
                   this, names);
}

void Connector::serve() {
  if (!tell({&kServing, 1}))
    throw std::system_error(errno, std::generic_category(), "can't tell the supervisor that the connector is ready");
  control_poll_->watch(UV_READABLE);
  beat();
  on_names();
}

bool Connector::tell(std::string_view message) {
  return ::send(control_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

void Connector::on_control(int) {
  char bytes[1 + sizeof(ChannelOf) + 1];
  common::Fd attached;
  const ssize_t got = common::receive_datagram(control_.get(), bytes, attached);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return common::Poller::stop(loop_);  // the generation or the supervisor has ended
  if (got == 2 && bytes[0] == kLogLevel && bytes[1] <= static_cast<char>(log::Level::error))
    return set_log_level(bytes[1]);
  ChannelOf which;
  memcpy(&which, bytes + 1, sizeof which);
  if (got != 1 + static_cast<ssize_t>(sizeof which) || bytes[0] != kChannel || !attached)
    return log::warning("order_unknown", "the supervisor's message makes no sense; the connector ignores it",
                        {{"size", got}});
  auto& channel = channels_[which.worker];
  channel.reset();
  channel = std::make_unique<WorkerChannel>(loop_, plan_, which.worker, std::move(attached), most_, certificates_, this,
                                            common::call<&Connector::on_over>);
  teach(*channel);
}

void Connector::set_log_level(char level) const {
  log::open(kConnectorProgram, static_cast<log::Level>(level), plan_.log.format);
}

void Connector::teach(WorkerChannel& channel) const {
  for (size_t i = 0; i < plan_.brokers.size(); i++) channel.know_remote(i, remote_[plan_.proxy ? 0 : i].addresses());
  if (local_) channel.know_local(local_->addresses());
}

// Every name has been looked up once, or the addresses have changed.
void Connector::on_names() {
  const bool all_begun =
      remote_.size() == plan_.remote_places().size() && local_.has_value() == plan_.local.has_value();
  if (!all_begun || !std::ranges::all_of(remote_, &Resolver::tried) || (local_ && !local_->tried())) return;
  for (auto& [worker, channel] : channels_) teach(*channel);
  NamesReport report;
  const auto has_none = [](const Resolver& resolver) { return resolver.addresses().empty(); };
  if (std::ranges::all_of(remote_, has_none)) report.unresolved = remote_.front().endpoint().host;
  else if (local_ && has_none(*local_)) report.unresolved = plan_.local->host;
  for (const Resolver& resolver : remote_) report.known.remote.push_back(known_as(resolver.addresses()));
  if (local_) report.known.local = known_as(local_->addresses());
  untold_ = !tell(report.encode());  // repeated with the next beat
}

void Connector::on_over(int worker, const std::string& why) {
  if (!why.empty())
    log::error("worker_misbehaved", "a worker misused its channel; the connector no longer serves it",
               {{"worker", worker}, {"cause", why}});
  sweep_.start(common::Milliseconds(0));
}

void Connector::sweep() {
  std::erase_if(channels_, [](const auto& entry) { return entry.second->over(); });
}

void Connector::beat() {
  beat_.start(std::min(kMostBetweenBeats, plan_.watchdog / 4));
  tell({&kBeat, 1});
  if (untold_) on_names();
  log::flush();
}

}  // namespace relayd::connector
