// What is wrong, or soon will be: concerns and refusals.
#include <algorithm>
#include <tuple>

#include "relayd/handover/series.h"
#include "relayd/overview/numbers.h"
#include "relayd/overview/overview.h"

namespace relayd::overview {
namespace {

using Json = View::Json;

constexpr int64_t kDay = 86'400, kSoon = 30 * kDay;

// The families whose totals say that devices were turned away.
constexpr std::tuple<const char*, std::string_view> kRefusals[] = {
    {"handshake_failures", "TLS"},
    {"refused", "CONNACK"},
    {"remote_refused", "remote broker"},
    {"local_refused", "local broker"},
    {"dials_failed", "unreachable"},
    {"connections_shed", "limit"},
    {"proxy_refused", "PROXY header"},
    {"websocket_refused", "WebSocket"},
    {"certificate_file_refused", "certificate file"},
    {"suspicious_local", "stayed local"},
    {"keep_alive_timeouts", "ended"},
    {"send_timeouts", "ended"},
};

std::string text(const Json& object, const char* key) { return object.at(key).get<std::string>(); }

// Names of series and label values are "words_like_this".
std::string in_words(std::string text) {
  std::ranges::replace(text, '_', ' ');
  return text;
}

std::string cause_of(const Series& series) {
  if (series.meaning) return std::string(series.value) + " " + series.meaning;
  return in_words(series.label ? series.value : series.name);
}

}  // namespace

std::vector<std::string> concerns(const View& view) {
  std::vector<std::string> all;
  for (const Json& worker : view.now.at("workers"))
    if (text(worker, "state") == "quarantined")
      all.push_back("Worker " + std::to_string(worker.at("worker").get<uint64_t>()) +
                    " is in quarantine, because it died too often; the log says why");
  for (const Json& connector : view.now.at("connectors"))
    if (text(connector, "state") == "waiting") all.push_back("The connector has died and is to be started again");
  for (const Json& line : view.now.at("trust")) all.push_back(line.get<std::string>());
  for (const Json& expiry : view.now.at("expiries")) {
    const auto at = expiry.at("at").get<int64_t>();
    // CAs and CRLs that have expired are among "trust".
    if (text(expiry, "kind") == "certificate" && at < view.clock + kSoon)
      all.push_back("The certificate \"" + text(expiry, "subject") + "\" in " + text(expiry, "file") +
                    (at < view.clock ? " expired " : " expires ") + days_left(at, view.clock) + ", on " + day(at));
  }
  if (const uint64_t failed = view.now.at("failed_reloads").get<uint64_t>(); failed > 0)
    all.push_back(grouped(failed) + (failed == 1 ? " reload" : " reloads") +
                  " of the configuration failed; the log says why");
  if (const uint64_t dropped = view.total("log_lines_dropped"); dropped > 0)
    all.push_back(grouped(dropped) + " log lines were dropped, because standard error was not read");
  return all;
}

std::vector<Refusal> refusals(const View& view) {
  std::vector<Refusal> all;
  for (const auto& [name, where] : kRefusals) {
    for (const Series& series : all_series()) {
      if (std::string_view(series.name) != name) continue;
      const std::string_view label = series.label ? series.value : "";
      if (const uint64_t count = view.total(name, label); count > 0)
        all.push_back({where, cause_of(series), count, view.rate(name, label)});
    }
  }
  return all;
}

}  // namespace relayd::overview
