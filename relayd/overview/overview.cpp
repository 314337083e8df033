#include "relayd/overview/overview.h"

#include "relayd/overview/numbers.h"

namespace relayd::overview {
namespace {

constexpr char kHandshake[] = "tls_handshake_duration_seconds", kKeyd[] = "keyd_answer_duration_seconds";
constexpr char kConnect[] = "connect_duration_seconds";

std::string both_ways(const View& view, const char* name, std::string (*format)(double)) {
  const auto up = view.rate(name, "up"), down = view.rate(name, "down");
  return up && down ? "↑ " + format(*up) + "  ↓ " + format(*down) : "↑ –  ↓ –";
}

std::optional<double> sum(std::optional<double> a, std::optional<double> b) {
  return a && b ? std::optional(*a + *b) : std::nullopt;
}

Timing timing(const View& view, const char* name, const char* label, std::string_view of) {
  const auto times = view.times(name, label);
  return {of, times.count, view.times_rate(name, label), quantile(times.buckets, 0.5), quantile(times.buckets, 0.99)};
}

}  // namespace

std::string shown_rate(std::optional<double> rate) { return rate ? per_second(*rate) : "–"; }
std::string shown_time(std::optional<double> seconds) { return seconds ? in_seconds(*seconds) : "–"; }

Mood mood_of(std::string_view state) {
  if (state == "serving") return Mood::good;
  return state == "retired" || state == "starting" || state == "draining" ? Mood::neutral : Mood::bad;
}

std::vector<Headline> headlines(const View& view) {
  const auto bytes = sum(view.rate("bytes", "up"), view.rate("bytes", "down"));
  const Timing signs = timing(view, kKeyd, "sign", "");
  return {
      {"Sessions", grouped(view.total("sessions")), "of " + grouped(view.total("connections")) + " connections"},
      {"New sessions/s", shown_rate(view.rate("sessions_started")),
       grouped(view.total("sessions_started")) + " since the start"},
      {"Handshakes/s", shown_rate(view.times_rate(kHandshake, "device")),
       "failed: " + shown_rate(view.rate("handshakes_failed"))},
      {"Messages/s", shown_rate(sum(view.rate("messages", "up"), view.rate("messages", "down"))),
       both_ways(view, "messages", per_second)},
      {"Bytes/s", bytes ? in_bytes(*bytes) : "–", both_ways(view, "bytes", in_bytes)},
      {"keyd signs in", shown_time(signs.median), "99 %: " + shown_time(signs.most)},
  };
}

std::vector<Timing> keyd_timings(const View& view) {
  return {timing(view, kKeyd, "lookup", "lookup"), timing(view, kKeyd, "sign", "sign")};
}

std::vector<Timing> device_timings(const View& view) {
  std::vector<Timing> all{timing(view, kHandshake, "device", "TLS with the device"),
                          timing(view, kHandshake, "remote", "TLS with the remote broker"),
                          timing(view, kHandshake, "local", "TLS with the local broker"),
                          timing(view, kConnect, "remote", "CONNECT to CONNACK, remote"),
                          timing(view, kConnect, "local", "CONNECT to CONNACK, local")};
  std::erase_if(all, [](const Timing& one) { return one.count == 0; });
  return all;
}

}  // namespace relayd::overview
