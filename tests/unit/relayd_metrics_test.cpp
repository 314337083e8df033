// /metrics: the page that the monitor makes of the supervisor's status.
#include "relayd/monitor/metrics_text.h"

#include <cstring>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "relayd/handover/series.h"
#include "relayd/supervisor/status.h"
#include "test_paths.h"
#include "tests/unit/catch.h"

using namespace relayd;

namespace {

struct Sample {
  Scoreboard first, second;
  Counters ended{};
  Status status;
  Sample() {
    first->connections = 3;
    first->bytes_up = 100;
    first->shed_memory = 4;
    first->refused[static_cast<size_t>(mqtt::Refusal::banned)] = 7;
    second->connections = 2;
    second->bytes_up = 10;
    first->remote_refused[mqtt::index_of_connack_code(0x87)] = 8;
    second->remote_refused[mqtt::index_of_connack_code(0x42)] = 9;
    second->not_tls[static_cast<size_t>(Speaks::mqtt)] = 6;
    status.generation = 2;
    status.reloads = 1;
    status.bind = "0.0.0.0:8883";
    status.remote = "broker.example:8883";
    status.expiries = {{trust::Expiry::Kind::certificate, "/etc/gateway.pem", "CN=gateway", 1'800'000'000},
                       {trust::Expiry::Kind::crl, "/etc/devices.crl", "CN=Root", 1'790'000'000}};
    first->keyd_sign.observe(300'000);          // 300 µs
    first->keyd_sign.observe(2'000'000'000);    // 2 s
    second->keyd_sign.observe(60'000'000'000);  // a minute
    ended.keyd_sign.observe(100'000);           // a bound belongs to its bucket
    status.ended = &ended;
    status.workers = {{0, 2, 71, "serving", 5, &*first}, {0, 1, 70, "retired", 0, &*second}, {1, 2, 0, "waiting", 6}};
  }
};

// The family that a sample belongs to, if the text before it says that it is of `type`.
std::string family_of(std::string name, const std::string& type, bool openmetrics) {
  const auto drop = [&](const char* suffix) {
    if (name.ends_with(suffix)) name.erase(name.size() - strlen(suffix));
  };
  if (type == "histogram")
    for (const char* suffix : {"_bucket", "_sum", "_count"}) drop(suffix);
  if (type == "counter" && openmetrics) drop("_total");
  return name;
}

// The value of each sample, by its name with labels. Fails if the text is not in Prometheus's format.
std::map<std::string, std::string> parsed(const std::string& text, bool openmetrics = false) {
  static const std::regex kSample(R"re(([a-z_]+)(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? ([0-9]+(\.[0-9]+)?))re");
  std::map<std::string, std::string> samples;
  std::set<std::string> helped, typed;
  std::istringstream lines(text);
  for (std::string line, family, type; std::getline(lines, line);) {
    CAPTURE(line);
    std::smatch match;
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      CHECK(line.size() > 7 + family.size() + 10);
      CHECK(helped.insert(family).second);
    } else if (line.starts_with("# TYPE ")) {
      type = line.substr(line.rfind(' ') + 1);
      CHECK(line == "# TYPE " + family + " " + type);
      CHECK((type == "counter") == (openmetrics ? type == "counter" : family.ends_with("_total")));
      CHECK(typed.insert(family).second);
    } else if (openmetrics && line.starts_with("# UNIT ")) {
      CHECK(family.ends_with(line.substr(line.rfind(' ') + 1)));
    } else if (openmetrics && line == "# EOF") {
      CHECK(lines.peek() == EOF);
    } else {
      REQUIRE(std::regex_match(line, match, kSample));
      CHECK(family_of(match[1], type, openmetrics) == family);
      CHECK(samples.emplace(match[1].str() + match[2].str(), match[4]).second);
    }
  }
  CHECK(helped == typed);
  return samples;
}

using monitor::Format;

std::string page(const Status& status, Format format = Format::prometheus) {
  return monitor::metrics_text(to_json(status), format);
}

}  // namespace

TEST_CASE("the metrics are in Prometheus's format and have every counter", "[metrics]") {
  const Sample sample;
  auto samples = parsed(page(sample.status));
  CHECK(samples["mqtt_relay_info{version=\"" MQTT_RELAY_VERSION
                "\",bind=\"0.0.0.0:8883\",remote=\"broker.example:8883\"}"] == "1");
  CHECK(samples["mqtt_relay_generation"] == "2");
  CHECK(samples["mqtt_relay_reloads_total{result=\"ok\"}"] == "1");
  CHECK(samples["mqtt_relay_connections{worker=\"0\",generation=\"2\"}"] == "3");
  CHECK(samples["mqtt_relay_connections{worker=\"0\",generation=\"1\"}"] == "2");
  CHECK_FALSE(samples.contains("mqtt_relay_connections{worker=\"1\",generation=\"2\"}"));
  CHECK(samples["mqtt_relay_worker_state{worker=\"1\",generation=\"2\",state=\"waiting\"}"] == "1");
  CHECK(samples["mqtt_relay_worker_restarts_total{worker=\"1\",generation=\"2\"}"] == "6");
  CHECK(samples["mqtt_relay_bytes_total{direction=\"up\"}"] == "110");
  CHECK(samples["mqtt_relay_connections_shed_total{reason=\"worker_max_memory\"}"] == "4");
  CHECK(samples["mqtt_relay_refused_total{reason=\"banned\"}"] == "7");
  CHECK(samples["mqtt_relay_remote_refused_total{code=\"0x87\",reason=\"Not authorized\"}"] == "8");
  CHECK(samples["mqtt_relay_remote_refused_total{code=\"other\",reason=\"unknown code\"}"] == "9");
  CHECK(samples["mqtt_relay_not_tls_total{protocol=\"mqtt\"}"] == "6");
  for (const Series& series : all_series()) CHECK(page(sample.status).find(series.name) != std::string::npos);
}

TEST_CASE("the metrics count problems with CAs and CRLs by kind", "[metrics]") {
  using Kind = trust::Concern::Kind;
  Sample sample;
  auto sound = parsed(page(sample.status));
  for (const char* problem : {"expired", "not_yet_valid", "other"})
    CHECK(sound["mqtt_relay_trust_concerns{problem=\"" + std::string(problem) + "\"}"] == "0");
  for (const Kind kind : {Kind::expired, Kind::expired, Kind::not_yet_valid, Kind::small_key, Kind::missing_crl})
    sample.status.trust.push_back({kind, "devices.crl", "the CRL of \"CN=Root\"", "", ""});
  auto troubled = parsed(page(sample.status));
  CHECK(troubled["mqtt_relay_trust_concerns{problem=\"expired\"}"] == "2");
  CHECK(troubled["mqtt_relay_trust_concerns{problem=\"not_yet_valid\"}"] == "1");
  CHECK(troubled["mqtt_relay_trust_concerns{problem=\"other\"}"] == "2");
}

TEST_CASE("totals do not go back when a worker ends", "[metrics]") {
  Sample sample;
  add_ended(sample.ended, *sample.second);
  sample.status.workers.erase(sample.status.workers.begin() + 1);
  auto samples = parsed(page(sample.status));
  CHECK(samples["mqtt_relay_bytes_total{direction=\"up\"}"] == "110");
  CHECK(sample.ended.connections == 0);
}

TEST_CASE("a label can't break out of its quotes", "[metrics]") {
  Sample sample;
  sample.status.remote = "a\"} 1\nevil 2\\";
  CHECK(page(sample.status).find("\nevil") == std::string::npos);
  CHECK(page(sample.status).find("remote=\"a\\\"} 1 evil 2\\\\\"") != std::string::npos);
}

TEST_CASE("the metrics are the same in OpenMetrics, whose counters' families have no total and whose end is marked",
          "[metrics]") {
  const Sample sample;
  const std::string text = page(sample.status, Format::openmetrics);
  CHECK(text.ends_with("\n# EOF\n"));
  CHECK(text.find("\n# TYPE mqtt_relay_messages counter\n") != text.npos);
  CHECK(text.find("\n# UNIT mqtt_relay_connect_duration_seconds seconds\n") != text.npos);
  CHECK(parsed(text, true) == parsed(page(sample.status)));
}

TEST_CASE("a histogram counts each observation once in the metrics, those of ended workers included", "[metrics]") {
  const Sample sample;
  auto samples = parsed(page(sample.status));
  const auto bucket = [&](const std::string& bound) {
    return samples["mqtt_relay_keyd_answer_duration_seconds_bucket{request=\"sign\",le=\"" + bound + "\"}"];
  };
  CHECK(bucket("0.0001") == "1");
  CHECK(bucket("0.00025") == "1");
  CHECK(bucket("0.0005") == "2");
  CHECK(bucket("1.0") == "2");
  CHECK(bucket("2.5") == "3");
  CHECK(bucket("10.0") == "3");
  CHECK(bucket("+Inf") == "4");
  CHECK(samples["mqtt_relay_keyd_answer_duration_seconds_count{request=\"sign\"}"] == "4");
  CHECK(samples["mqtt_relay_keyd_answer_duration_seconds_sum{request=\"sign\"}"] == "62.0004");
  CHECK(samples["mqtt_relay_keyd_answer_duration_seconds_count{request=\"lookup\"}"] == "0");
  size_t count = 0;
  for (const auto& [name, value] : samples) count += name.find("_duration_seconds_bucket{") != name.npos;
  CHECK(count == all_histograms().size() * Histogram::kBuckets);
}

TEST_CASE("the metrics say when certificates and CRLs expire, by file and subject", "[metrics]") {
  const Sample sample;
  auto samples = parsed(page(sample.status));
  CHECK(samples["mqtt_relay_certificate_not_after_timestamp_seconds{kind=\"certificate\",file=\"/etc/gateway.pem\","
                "subject=\"CN=gateway\"}"] == "1800000000");
  CHECK(samples["mqtt_relay_crl_next_update_timestamp_seconds{file=\"/etc/devices.crl\",issuer=\"CN=Root\"}"] ==
        "1790000000");
}

TEST_CASE("monitoring.md has a row for each series, with its type, its labels and its help", "[metrics]") {
  Sample sample;
  sample.status.connectors = {{2, 72, "serving", 0}};
  sample.status.listeners = {{"default", "0.0.0.0:8883"}};
  std::string rows, family, help, type;
  std::istringstream lines(page(sample.status));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      help = line.substr(8 + family.size());
    } else if (line.starts_with("# TYPE ")) {
      type = line.substr(line.rfind(' ') + 1);
    } else if (!family.empty()) {
      static const std::regex kLabel("[{,]([a-z_]+)=\"");
      std::string labels;
      for (std::sregex_iterator at(line.begin(), line.end(), kLabel), end; at != end; ++at)
        if ((*at)[1] != "le") labels.append(labels.empty() ? "" : ", ").append((*at)[1]);
      rows += "| `" + family.substr(strlen("mqtt_relay_")) + "` | " + type + " | " + labels + " | " + help + " |\n";
      family.clear();
    }
  }
  std::ifstream file(std::string(MQTT_RELAY_SOURCE_DIR) + "/packaging/doc/monitoring.md");
  const std::string document((std::istreambuf_iterator<char>(file)), {});
  const size_t begin = document.find("|---|---|---|---|\n", document.find("## Every series"));
  REQUIRE(begin != document.npos);
  CHECK(document.substr(begin + 18) == rows);
}
