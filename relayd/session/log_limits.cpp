#include "relayd/session/log_limits.h"

#include <string>

#include "common/log.h"

namespace relayd {

void LogLimits::report(int worker, uint64_t now_ms) {
  const auto one = [&](common::LogLimit& limit, std::string_view kind, std::string_view which = {}) {
    const uint64_t count = limit.take_left_out(now_ms);
    if (count == 0) return;
    std::string name(kind);
    if (!which.empty()) name.append(" ").append(which);
    common::log::warning("lines_left_out", "so many more devices failed in the same way",
                         {{"worker", worker}, {"kind", name}, {"suppressed", count}});
  };
  one(failed_handshakes, "failed TLS handshake");
  one(failed_connects, "no CONNECT");
  one(impossible_ids, "local: impossible client id");
  one(other_spellings, "local: key spelled differently");
  one(certificates_without_key, "local: certificate without key");
  for (size_t i = 0; i < refusals.size(); i++) one(refusals[i], "refused:", mqtt::kRefusals[i].name);
  for (size_t i = 0; i < not_tls.size(); i++) one(not_tls[i], "not TLS:", kNotTls[i]);
  for (size_t i = 0; i < proxy_refusals.size(); i++) one(proxy_refusals[i], "PROXY header:", kProxyFaults[i]);
  for (size_t i = 0; i < websocket_refusals.size(); i++)
    one(websocket_refusals[i], "WebSocket:", websocket::kFaults[i]);
  for (size_t i = 0; i < broker_refusals.size(); i++)
    one(broker_refusals[i], "refused by the broker:", mqtt::kConnackCodes[i].name);
}

}  // namespace relayd
