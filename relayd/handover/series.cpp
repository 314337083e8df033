#include "relayd/handover/series.h"

#include <iterator>
#include <vector>

namespace relayd {
namespace {

using C = Counters;
constexpr bool kNow = false, kTotal = true;

constexpr Series kSeries[] = {
    {"connections", "Connections of devices that are open", kNow, nullptr, nullptr, &C::connections},
    {"sessions", "Connections that have an MQTT session", kNow, nullptr, nullptr, &C::sessions},
    {"memory_bytes", "Resident memory of the worker", kNow, nullptr, nullptr, &C::memory},
    {"fibers", "Handshakes waiting for a signature from keyd", kNow, nullptr, nullptr, &C::fibers},
    {"keyd_away", "1 while the worker has no connection to keyd", kNow, nullptr, nullptr, &C::keyd_away},
    {"keyd_degraded", "1 while keyd can't write its audit, so it signs nothing", kNow, nullptr, nullptr,
     &C::keyd_degraded},
    {"keyd_notary_away", "1 while keyd's notary does not answer, so no device's key signs", kNow, nullptr, nullptr,
     &C::keyd_notary_away},
    {"connections_accepted", "Connections accepted", kTotal, nullptr, nullptr, &C::accepted},
    {"connections_shed", "Connections closed at once", kTotal, "reason", "max_connections", &C::shed_connections},
    {"connections_shed", "", kTotal, "reason", "worker_max_memory", &C::shed_memory},
    {"connections_shed", "", kTotal, "reason", "descriptors", &C::shed_descriptors},
    {"connections_shed", "", kTotal, "reason", "max_conn_rate_per_address", &C::shed_address},
    {"tcp_probes", "Connections closed by the peer before it sent a byte, as health checks do", kTotal, nullptr,
     nullptr, &C::tcp_probes},
    {"handshakes_failed", "TLS handshakes of devices that failed", kTotal, nullptr, nullptr, &C::handshakes_failed},
    {"dials_failed", "Devices for which no address of the broker accepted a connection", kTotal, "broker", "remote",
     nullptr, [](C& c, size_t nth) -> C::Number& { return c.dials_failed[nth]; }, 0},
    {"dials_failed", "", kTotal, "broker", "local", nullptr,
     [](C& c, size_t nth) -> C::Number& { return c.dials_failed[nth]; }, 1},
    {"sessions_started", "Sessions that came up, by broker", kTotal, "broker", "remote", &C::remote_sessions},
    {"sessions_started", "", kTotal, "broker", "local", &C::local_sessions},
    {"local_refused", "Devices that the local broker refused by CONNACK", kTotal, nullptr, nullptr, &C::local_refused},
    {"suspicious_local", "Devices that stayed local although a key file may have been meant for them", kTotal,
     "client_id", "impossible_file_name", &C::impossible_ids},
    {"suspicious_local", "", kTotal, "client_id", "other_spelling", &C::other_spellings},
    {"suspicious_local", "", kTotal, "client_id", "certificate_without_key", &C::certificates_without_key},
    {"keep_alive_timeouts", "Sessions ended because the device was silent for too long", kTotal, nullptr, nullptr,
     &C::keep_alive_timeouts},
    {"send_timeouts", "Sessions ended because a peer took no data", kTotal, nullptr, nullptr, &C::send_timeouts},
    {"throttled", "Times that a device was read more slowly", kTotal, nullptr, nullptr, &C::throttled},
    {"log_lines_dropped", "Log lines dropped because standard error was not read", kTotal, nullptr, nullptr,
     &C::log_dropped},
    {"tap_down", "1 while local.tap has no connection to the local broker", kNow, nullptr, nullptr, &C::tap_down},
    {"tap_copied", "PUBLISH packets copied to the local broker", kTotal, nullptr, nullptr, &C::tap_copied},
    {"bytes", "MQTT bytes relayed; up is from the device", kTotal, "direction", "up", &C::bytes_up},
    {"bytes", "", kTotal, "direction", "down", &C::bytes_down},
    {"messages", "PUBLISH packets relayed; up is from the device", kTotal, "direction", "up", &C::messages_up},
    {"messages", "", kTotal, "direction", "down", &C::messages_down},
};

std::vector<Series> with_arrays() {
  std::vector<Series> series(std::begin(kSeries), std::end(kSeries));
  const auto add = [&](const Series& one) { series.push_back(one); };
  static constexpr std::array<const char*, Config::kMaxBrokers> kPlaces{"1", "2", "3", "4", "5", "6", "7", "8"};
  for (size_t i = 0; i < kPlaces.size(); i++)
    add({"remote_sessions_started", "Sessions that came up with each of remote_hosts, by its place in the list", kTotal,
         "place", kPlaces[i], nullptr, [](C& c, size_t nth) -> C::Number& { return c.sessions_by_broker[nth]; }, i});
  for (size_t i = 0; i < kHandshakeFailures.size(); i++)
    add({"handshake_failures", "TLS handshakes of devices that failed, by cause", kTotal, "cause",
         kHandshakeFailures[i], nullptr, [](C& c, size_t nth) -> C::Number& { return c.handshake_failures[nth]; }, i});
  for (size_t i = 0; i < kNotTls.size(); i++)
    add({"not_tls", "Failed handshakes of peers that did not speak TLS", kTotal, "protocol", kNotTls[i], nullptr,
         [](C& c, size_t nth) -> C::Number& { return c.not_tls[nth]; }, i});
  for (size_t i = 0; i < kProxyFaults.size(); i++)
    add({"proxy_refused", "Connections refused where a PROXY header was expected", kTotal, "reason", kProxyFaults[i],
         nullptr, [](C& c, size_t nth) -> C::Number& { return c.proxy_refused[nth]; }, i});
  for (size_t i = 0; i < websocket::kFaults.size(); i++)
    add({"websocket_refused", "Devices refused for what they sent in place of a WebSocket's upgrade or frames", kTotal,
         "reason", websocket::kFaults[i], nullptr,
         [](C& c, size_t nth) -> C::Number& { return c.websocket_refused[nth]; }, i});
  for (size_t i = 0; i < kTapDrops.size(); i++)
    add({"tap_dropped", "PUBLISH packets not copied to the local broker", kTotal, "reason", kTapDrops[i], nullptr,
         [](C& c, size_t nth) -> C::Number& { return c.tap_dropped[nth]; }, i});
  for (size_t i = 0; i < mqtt::kRefusals.size(); i++)
    add({"refused", "Devices refused by CONNACK", kTotal, "reason", mqtt::kRefusals[i].name.data(), nullptr,
         [](C& c, size_t nth) -> C::Number& { return c.refused[nth]; }, i});
  for (size_t i = 0; i < kCertificateFaults.size(); i++)
    add({"certificate_file_refused", "Devices refused because of their certificate file (remote.certs_dir)", kTotal,
         "reason", kCertificateFaults[i], nullptr,
         [](C& c, size_t nth) -> C::Number& { return c.certificate_faults[nth]; }, i});
  for (size_t i = 0; i < mqtt::kConnackCodes.size(); i++)
    add({"remote_refused", "Devices that the remote broker refused, by the code of its CONNACK", kTotal, "code",
         mqtt::kConnackCodes[i].code.data(), nullptr,
         [](C& c, size_t nth) -> C::Number& { return c.remote_refused[nth]; }, i, mqtt::kConnackCodes[i].name.data()});
  return series;
}

constexpr size_t kRemote = static_cast<size_t>(Upstream::remote), kLocal = static_cast<size_t>(Upstream::local);
constexpr char kHandshakeHelp[] = "Time of successful TLS handshakes, by peer";
constexpr char kConnectHelp[] = "Time from a device's CONNECT to its successful CONNACK, by broker";
constexpr char kKeydHelp[] = "Time from a worker's request to keyd's answer";

constexpr HistogramSeries kHistograms[] = {
    {"tls_handshake_duration_seconds", kHandshakeHelp, "peer", "device",
     [](C& c) -> Histogram& { return c.device_handshake; }},
    {"tls_handshake_duration_seconds", kHandshakeHelp, "peer", "remote",
     [](C& c) -> Histogram& { return c.broker_handshake[kRemote]; }},
    {"tls_handshake_duration_seconds", kHandshakeHelp, "peer", "local",
     [](C& c) -> Histogram& { return c.broker_handshake[kLocal]; }},
    {"connect_duration_seconds", kConnectHelp, "broker", "remote",
     [](C& c) -> Histogram& { return c.connect[kRemote]; }},
    {"connect_duration_seconds", kConnectHelp, "broker", "local", [](C& c) -> Histogram& { return c.connect[kLocal]; }},
    {"keyd_answer_duration_seconds", kKeydHelp, "request", "lookup", [](C& c) -> Histogram& { return c.keyd_lookup; }},
    {"keyd_answer_duration_seconds", kKeydHelp, "request", "sign", [](C& c) -> Histogram& { return c.keyd_sign; }},
};

}  // namespace

std::span<const HistogramSeries> all_histograms() { return kHistograms; }

std::span<const Series> all_series() {
  static const std::vector<Series> all = with_arrays();
  return all;
}

}  // namespace relayd
