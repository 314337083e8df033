// A real Prometheus and its promtool: what they say about /metrics, and about the alert rules and the dashboard that we
// ship.

#include <poll.h>

#include <regex>
#include <set>

#include "test_paths.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/raw_tls.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

const fs::path& packaging() {
  static const fs::path folder = fs::path(MQTT_RELAY_SOURCE_DIR) / "packaging";
  return folder;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  REQUIRE(text.find(what) != text.npos);
  for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += by.size()) text.replace(at, what.size(), by);
  return text;
}

std::string get(const Endpoint& from, const std::string& path, const std::string& headers = "") {
  RawSocket socket(from);
  socket.send("GET " + path + " HTTP/1.0\r\nHost: " + from.text() + "\r\n" + headers + "\r\n");
  const std::string response = socket.receive_to_end();
  return response.substr(response.find("\r\n\r\n") + 4);
}

// A relay with a CRL, so that every family has a sample, and with a session.
struct ScrapedWorld {
  TempDir crls;
  const Endpoint metrics{own_address(), ports::direct};
  std::optional<World> world;
  std::optional<Device> device;

  ScrapedWorld() {
    fs::permissions(crls.path(), fs::perms::all);
    const auto file = crls / "devices.crl";
    write_crl(file, {device_identity("p256", 90)});
    world.emplace(WorldOptions{.relayd = {{"metrics", {{"bind", metrics.text()}}}, {"listener", {{"crlfile", file}}}}});
    device.emplace(world->join("sensor-17"));
    device->ping();
  }
};

// A Prometheus that scrapes `target` each second and evaluates the alert rules, by the configuration that we ship.
class Prometheus {
 public:
  Prometheus(const TempDir& directory, const Endpoint& target) : endpoint_{own_address(), 19090} {
    std::string configuration = read_file(packaging() / "prometheus/prometheus.yml");
    configuration = replaced(replaced(configuration, "15s", "1s"), "127.0.0.1:9464", target.text());
    write_file(directory / "prometheus.yml", configuration);
    fs::copy_file(packaging() / "prometheus/alerts.yml", directory / "alerts.yml");
    process_.emplace(ProcessOptions{.argv = {"prometheus", "--config.file=" + (directory / "prometheus.yml").string(),
                                             "--storage.tsdb.path=" + (directory / "data").string(),
                                             "--web.listen-address=" + endpoint_.text()}});
    process_->err().wait_text("Server is ready to receive web requests");
  }
  Json ask(const std::string& path) const {
    const Json answer = Json::parse(get(endpoint_, path));
    INFO(path << " " << answer.dump());
    REQUIRE(answer.at("status") == "success");
    return answer.at("data");
  }
  // The samples that a query gives.
  Json query(const std::string& expression) const {
    std::string encoded;
    for (const unsigned char c : expression) {
      char hexadecimal[4];
      snprintf(hexadecimal, sizeof hexadecimal, "%%%02X", c);
      encoded += hexadecimal;
    }
    return ask("/api/v1/query?query=" + encoded).at("result");
  }
  // The same, once there are some.
  Json wait(const std::string& expression) const {
    for (const Deadline deadline = patience();;) {
      Json samples = query(expression);
      if (!samples.empty()) return samples;
      if (deadline.over()) throw Failure("Prometheus has no sample of " + expression);
      ::poll(nullptr, 0, 100);  // it scrapes once a second
    }
  }

 private:
  const Endpoint endpoint_;
  std::optional<Process> process_;
};

// The queries of the dashboard's panels and annotations, for any gateway.
std::vector<std::string> dashboard_queries() {
  const Json dashboard = Json::parse(read_file(packaging() / "grafana/mqtt-relay.json"));
  std::vector<std::string> queries;
  const auto add = [&](const Json& target) {
    std::string text = replaced(target.at("expr"), "$instance", ".*");
    for (size_t at; (at = text.find("$__rate_interval")) != text.npos;) text.replace(at, 16, "1m");
    queries.push_back(text);
  };
  for (const Json& panel : dashboard.at("panels"))
    for (const Json& target : panel.at("targets")) add(target);
  for (const Json& annotation : dashboard.at("annotations").at("list")) add(annotation);
  return queries;
}

std::set<std::string> series_in(const std::string& text) {
  static const std::regex kName("mqtt_relay_[a-z_]+");
  std::set<std::string> names;
  for (std::sregex_iterator at(text.begin(), text.end(), kName), end; at != end; ++at) names.insert(at->str());
  return names;
}

bool prometheus_is_missing() {
  if (fs::exists("/usr/bin/prometheus") && fs::exists("/usr/bin/promtool")) return false;
  WARN("SKIPPED: Prometheus is not installed");
  return true;
}

Finished promtool(std::vector<std::string> words) {
  words.insert(words.begin(), "promtool");
  return run({.argv = std::move(words)});
}

}  // namespace

TEST_CASE("promtool finds no fault with the metrics of a running relay") {
  if (prometheus_is_missing()) return;
  ScrapedWorld test;
  const auto file = test.crls / "metrics";
  write_file(file, get(test.metrics, "/metrics"));
  const auto checked = run({.argv = {"sh", "-c", "promtool check metrics <\"$0\"", file}});
  CHECK(checked.status.code == 0);
  CHECK(checked.out + checked.err == "");
}

TEST_CASE("promtool finds no fault with the alert rules that we ship, and they fire when they should") {
  if (prometheus_is_missing()) return;
  for (const auto& words : {std::vector<std::string>{"check", "config", packaging() / "prometheus/prometheus.yml"},
                            {"check", "rules", "--lint-fatal", packaging() / "prometheus/alerts.yml"},
                            {"test", "rules", packaging() / "prometheus/alerts_test.yml"}}) {
    const auto checked = promtool(words);
    INFO(checked.out << checked.err);
    CHECK(checked.status.code == 0);
  }
}

TEST_CASE("a real Prometheus scrapes a running relay, and counts what its devices do") {
  if (prometheus_is_missing()) return;
  ScrapedWorld test;
  const TempDir directory;
  const Prometheus prometheus(directory, test.metrics);
  CHECK(prometheus.wait("up{job=\"mqtt-relay\"} == 1").size() == 1);
  const Json target = prometheus.ask("/api/v1/targets").at("activeTargets").at(0);
  CHECK(target.at("lastError") == "");
  CHECK(prometheus.wait("sum(mqtt_relay_sessions) == 1").size() == 1);
  CHECK(prometheus.wait("mqtt_relay_tls_handshake_duration_seconds_count{peer=\"remote\"} == 1").size() == 1);
  CHECK(prometheus.wait("mqtt_relay_keyd_answer_duration_seconds_bucket{request=\"sign\",le=\"10.0\"} >= 2").size() ==
        1);
  CHECK(prometheus.wait("mqtt_relay_certificate_not_after_timestamp_seconds{kind=\"certificate\"} > time()").size() ==
        1);
  test.world->join("another").ping();
  CHECK(prometheus.wait("mqtt_relay_sessions_started_total{broker=\"remote\"} == 2").size() == 1);
  // It asked for OpenMetrics and understood it: only there do families have a unit.
  CHECK(prometheus.ask("/api/v1/metadata?metric=mqtt_relay_connect_duration_seconds")
            .at("mqtt_relay_connect_duration_seconds")
            .at(0)
            .at("unit") == "seconds");
}

TEST_CASE("each query of the dashboard and each alert rule that we ship finds its series in a real Prometheus") {
  if (prometheus_is_missing()) return;
  ScrapedWorld test;
  const TempDir directory;
  const Prometheus prometheus(directory, test.metrics);
  prometheus.wait("up == 1");
  const auto exists = series_in(get(test.metrics, "/metrics"));
  const auto named =
      series_in(read_file(packaging() / "grafana/mqtt-relay.json") + read_file(packaging() / "prometheus/alerts.yml"));
  CHECK(named.size() > 20);
  for (const auto& name : named) {
    INFO(name);
    CHECK(exists.contains(name));
  }
  for (std::string query : dashboard_queries()) {
    if (query.ends_with(" > 0")) query.resize(query.size() - 4);  // empty while all is well
    INFO(query);
    CHECK_FALSE(prometheus.wait(query).empty());
  }
  const Json groups = prometheus.ask("/api/v1/rules").at("groups");
  size_t rules = 0;
  for (const Json& group : groups) {
    for (const Json& rule : group.at("rules")) {
      INFO(rule.dump());
      CHECK(rule.at("health") == "ok");
      CHECK(rule.at("state") != "firing");
      rules++;
    }
  }
  CHECK(rules > 15);
}
