#include "relayd/connector/resolver.h"

#include <algorithm>
#include <cstring>

#include "common/log.h"
#include "relayd/handover/channel.h"

namespace relayd::connector {
namespace {

constexpr common::Milliseconds kRetry{5000};  // after a failure, or the interval if that is shorter

bool same(const std::vector<SocketAddress>& a, const std::vector<SocketAddress>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.text() == y.text(); });
}

}  // namespace

addrinfo resolver_hints() {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  return hints;
}

std::vector<SocketAddress> usable_addresses(const addrinfo* found) {
  std::vector<SocketAddress> addresses;
  for (const addrinfo* info = found; info && addresses.size() < channel::kMaxAddresses; info = info->ai_next) {
    SocketAddress address;
    if (info->ai_addrlen > sizeof address.storage) continue;
    address.size = static_cast<socklen_t>(info->ai_addrlen);
    memcpy(static_cast<void*>(&address.storage), info->ai_addr, info->ai_addrlen);
    addresses.push_back(address);
  }
  return addresses;
}

struct Resolver::Lookup {
  uv_getaddrinfo_t request{};
  Resolver* resolver;
};

Resolver::Resolver(uv_loop_t* loop, Config::Endpoint endpoint, common::Milliseconds interval,
                   std::vector<SocketAddress> known, void* owner, Changed changed)
    : loop_(loop),
      endpoint_(std::move(endpoint)),
      interval_(interval),
      owner_(owner),
      changed_(changed),
      again_(loop, this, common::call<&Resolver::look_up>),
      addresses_(std::move(known)),
      tried_(!addresses_.empty()) {
  look_up();
}

Resolver::~Resolver() {
  if (!running_) return;
  running_->resolver = nullptr;
  uv_cancel(reinterpret_cast<uv_req_t*>(&running_->request));
}

void Resolver::look_up() {
  running_ = new Lookup{{}, this};
  running_->request.data = running_;
  const addrinfo hints = resolver_hints();
  const auto done = [](uv_getaddrinfo_t* request, int status, addrinfo* found) {
    const std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(request->data));
    if (lookup->resolver) lookup->resolver->on_result(status, found);
    uv_freeaddrinfo(found);
  };
  const std::string port = std::to_string(endpoint_.port);
  const int status = uv_getaddrinfo(loop_, &running_->request, done, endpoint_.host.c_str(), port.c_str(), &hints);
  if (status == 0) return;
  delete running_;
  on_result(status, nullptr);
}

void Resolver::on_result(int status, const addrinfo* found) {
  running_ = nullptr;
  std::vector<SocketAddress> addresses = usable_addresses(found);
  const bool failed = status != 0 || addresses.empty();
  if (failed && !reported_failure_)
    common::log::warning("name_unresolved",
                         addresses_.empty() ? "name can't be resolved; sessions that need it are refused until it can"
                                            : "name can't be resolved any more; relayd keeps its last addresses",
                         {{"host", endpoint_.host}, {"cause", uv_strerror(status)}});
  if (!failed && reported_failure_)
    common::log::info("name_resolved", "name is resolved again", {{"host", endpoint_.host}});
  reported_failure_ = failed;
  const bool first = !tried_;
  tried_ = true;
  const bool changed = !failed && !same(addresses, addresses_);
  if (changed) addresses_ = std::move(addresses);
  again_.start(failed ? std::min(kRetry, interval_) : interval_);
  if (first || changed) changed_(owner_);
}

}  // namespace relayd::connector
