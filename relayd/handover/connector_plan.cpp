#include "relayd/handover/connector_plan.h"

#include <algorithm>

#include "common/program.h"
#include "relayd/handover/archive.h"
#include "relayd/handover/channel.h"

namespace relayd {

template <class Archive>
void fields(Archive& archive, Of<Archive, Config::Endpoint>& e) {
  archive(e.host, e.port);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, KnownAddresses>& known) {
  archive(known.remote, known.local);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Config::Proxy>& p) {
  archive(p.type, p.at, p.credentials_file, p.connect_timeout);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ProxyAccess>& p) {
  archive(p.settings, p.credentials);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ConnectorPlan>& p) {
  archive(p.generation, p.workers, p.brokers, p.strategy, p.sources, p.proxy, p.local, p.certs_dir, p.keyd_socket,
          p.series, p.sign_timeout, p.connect_timeout, p.resolve_interval, p.watchdog, p.log.level, p.log.format,
          p.require_sandbox, p.known);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, NamesReport>& report) {
  archive(report.unresolved, report.known);
}

std::vector<Config::Endpoint> ConnectorPlan::remote_places() const {
  return proxy ? std::vector{proxy->settings.at} : brokers;
}

common::Fd ConnectorPlan::to_memfd() const { return common::sealed(archived(*this)); }
ConnectorPlan ConnectorPlan::from_memfd(int fd) { return from_archive<ConnectorPlan>(common::read_sealed(fd)); }

std::string NamesReport::encode() const { return kNames + archived(*this); }

NamesReport NamesReport::decode(std::string_view message) {
  if (message.empty() || message.front() != kNames) throw BadArchive("not a report of names");
  auto report = from_archive<NamesReport>(message.substr(1));
  const auto& [remote, local] = report.known;
  const auto too_long = [](const std::string& list) { return list.size() > KnownAddresses::kMost; };
  if (remote.size() > Config::kMaxBrokers || std::ranges::any_of(remote, too_long) || too_long(local))
    throw BadArchive("a list of addresses that is too long");
  return report;
}

std::string known_as(const std::vector<SocketAddress>& addresses) {
  std::string known;
  for (const SocketAddress& address : addresses) known += address.text() + "\n";
  return known;
}

std::vector<SocketAddress> addresses_in(const std::string& known, uint16_t port) {
  std::vector<SocketAddress> addresses;
  for (size_t at = 0; at < known.size() && addresses.size() < channel::kMaxAddresses;) {
    const size_t end = std::min(known.find('\n', at), known.size());
    const auto address = SocketAddress::parse(known.substr(at, end - at));
    if (address && address->port() == port) addresses.push_back(*address);
    at = end + 1;
  }
  return addresses;
}

}  // namespace relayd
