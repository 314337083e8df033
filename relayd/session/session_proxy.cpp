// With proxy_protocol, a load balancer's PROXY header precedes the handshake and says whose connection it is. Only
// trusted_proxies may connect: whoever sends the header chooses the address in the log, in the audit and in limits.
#include <algorithm>

#include "relayd/session/proxy_header.h"
#include "relayd/session/session.h"

namespace relayd {

void Session::await_proxy_header() {
  const auto& trusted = listener().trusted_proxies;
  move_to(State::proxy_header);
  device_.plain();
  if (std::ranges::any_of(trusted, [&](const Network& network) { return network.contains(address_); })) return;
  refuse_proxy(ProxyFault::untrusted,
               "not in listener.trusted_proxies: add the address if it is a load balancer's; a device can't connect "
               "here without one");
}

void Session::read_proxy_header(std::span<const uint8_t> bytes) {
  connect_bytes_.insert(connect_bytes_.end(), bytes.begin(), bytes.end());
  const auto parsed = proxy::parse(connect_bytes_);
  if (std::holds_alternative<proxy::NeedMore>(parsed)) return;
  if (const auto* bad = std::get_if<proxy::BadHeader>(&parsed))
    return refuse_proxy(ProxyFault::bad_header, why_no_header(bad->why));
  const auto& header = std::get<proxy::Header>(parsed);
  if (header.endpoints) {
    address_ = header.endpoints->source.unmapped();
    if (!listener_.addresses.admit(address_, now())) {
      count(services_.counters.shed_address);
      return finish("its address is over max_conn_rate_per_address", common::log::Level::warning,
                    &services_.log_limits.failed_connects);
    }
    if (tells_addresses()) accepted_at_ = std::make_unique<SocketAddress>(header.endpoints->destination);
  }
  const auto received = std::exchange(connect_bytes_, {});
  shake_hands(std::span(received).subspan(header.size));
}

std::string Session::why_no_header(std::string_view flaw) const {
  std::string why = "sent no valid PROXY header: ";
  if (what_speaks(connect_bytes_) != Speaks::tls) return why.append(flaw);
  return why +
         "it began with TLS; switch the PROXY protocol on at the load balancer (HAProxy: send-proxy-v2; nginx: "
         "proxy_protocol on; AWS: proxy_protocol_v2.enabled), or off in listener.proxy_protocol";
}

void Session::left_before_proxy_header(const tls::End& end) {
  if (connect_bytes_.empty()) return was_probe();
  refuse_proxy(ProxyFault::bad_header, "sent no whole PROXY header: " + end.text);
}

void Session::refuse_proxy(ProxyFault fault, std::string_view why) {
  count(services_.counters.proxy_refused[static_cast<size_t>(fault)]);
  finish(why, common::log::Level::warning, &services_.log_limits.proxy_refusals[static_cast<size_t>(fault)]);
}

}  // namespace relayd
