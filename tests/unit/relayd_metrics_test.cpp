// /metrics: what it says, and that nobody can make it wait.
#include "relayd/supervisor/metrics.h"

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "relayd/socket_address.h"
#include "tests/unit/relayd_loop_support.h"

using namespace relayd;
using relayd_test::Client;
using relayd_test::Loop;

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
    status.ended = &ended;
    status.workers = {{0, 2, 71, "serving", 5, &*first}, {0, 1, 70, "retired", 0, &*second}, {1, 2, 0, "waiting", 6}};
  }
};

// The value of each sample by its name with labels. Fails where the text is not Prometheus's format.
std::map<std::string, std::string> parsed(const std::string& text) {
  static const std::regex kSample(R"re(([a-z_]+)(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? ([0-9]+))re");
  std::map<std::string, std::string> samples;
  std::set<std::string> helped, typed;
  std::istringstream lines(text);
  for (std::string line, family; std::getline(lines, line);) {
    CAPTURE(line);
    std::smatch match;
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      CHECK(line.size() > 7 + family.size() + 10);
      CHECK(helped.insert(family).second);
    } else if (line.starts_with("# TYPE ")) {
      CHECK(line == "# TYPE " + family + (family.ends_with("_total") ? " counter" : " gauge"));
      CHECK(typed.insert(family).second);
    } else {
      REQUIRE(std::regex_match(line, match, kSample));
      CHECK(match[1] == family);
      CHECK(samples.emplace(match[1].str() + match[2].str(), match[4]).second);
    }
  }
  CHECK(helped == typed);
  return samples;
}

struct Served {
  Loop loop;
  Sample sample;
  std::unique_ptr<Metrics> metrics =
      std::make_unique<Metrics>(loop.get(), Config::Endpoint{"127.0.0.1", 0}, this,
                                [](void* self) { return static_cast<Served*>(self)->sample.status; });

  Client connect() const {
    const auto address = SocketAddress::parse(metrics->text());
    return Client(address->get(), address->size);
  }
  std::string answer(const std::string& request) {
    std::string text;
    loop.serve([&] {
      Client client = connect();
      client.send(request);
      text = client.receive();
    });
    return text;
  }
};

}  // namespace

TEST_CASE("metrics_are_in_the_format_of_prometheus_and_have_every_counter", "[metrics]") {
  const Sample sample;
  auto samples = parsed(metrics_text(sample.status));
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
  for (const Series& series : all_series()) CHECK(metrics_text(sample.status).find(series.name) != std::string::npos);
}

TEST_CASE("metrics_count_what_is_wrong_with_cas_and_crls_by_kind", "[metrics]") {
  using Kind = trust::Concern::Kind;
  Sample sample;
  auto sound = parsed(metrics_text(sample.status));
  for (const char* problem : {"expired", "not_yet_valid", "other"})
    CHECK(sound["mqtt_relay_trust_concerns{problem=\"" + std::string(problem) + "\"}"] == "0");
  for (const Kind kind : {Kind::expired, Kind::expired, Kind::not_yet_valid})
    sample.status.trust.push_back({"devices.crl", "the CRL of \"CN=Root\"", "", "", false, kind});
  auto troubled = parsed(metrics_text(sample.status));
  CHECK(troubled["mqtt_relay_trust_concerns{problem=\"expired\"}"] == "2");
  CHECK(troubled["mqtt_relay_trust_concerns{problem=\"not_yet_valid\"}"] == "1");
  CHECK(troubled["mqtt_relay_trust_concerns{problem=\"other\"}"] == "0");
}

TEST_CASE("totals_do_not_go_back_when_a_worker_ends", "[metrics]") {
  Sample sample;
  add_ended(sample.ended, *sample.second);
  sample.status.workers.erase(sample.status.workers.begin() + 1);
  auto samples = parsed(metrics_text(sample.status));
  CHECK(samples["mqtt_relay_bytes_total{direction=\"up\"}"] == "110");
  CHECK(sample.ended.connections == 0);
}

TEST_CASE("a_label_can_not_break_out_of_its_quotes", "[metrics]") {
  Sample sample;
  sample.status.remote = "a\"} 1\nevil 2\\";
  CHECK(metrics_text(sample.status).find("\nevil") == std::string::npos);
  CHECK(metrics_text(sample.status).find("remote=\"a\\\"} 1 evil 2\\\\\"") != std::string::npos);
}

TEST_CASE("a_scraper_gets_the_metrics_and_the_end_of_the_connection", "[metrics]") {
  Served served;
  const std::string answer = served.answer("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n");
  const size_t body = answer.find("\r\n\r\n") + 4;
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.find("Content-Type: text/plain; version=0.0.4") < body);
  CHECK(answer.find("Connection: close") < body);
  CHECK(answer.find("Content-Length: " + std::to_string(answer.size() - body) + "\r\n") < body);
  CHECK(answer.substr(body) == metrics_text(served.sample.status));
}

TEST_CASE("what_is_no_request_for_metrics_is_told_so", "[metrics]") {
  Served served;
  CHECK(served.answer("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  CHECK(served.answer("GET /metrics?name=x HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));
  CHECK(served.answer("POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\nsome body").starts_with("HTTP/1.1 405 "));
  CHECK(served.answer("GET /metrics\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(served.answer("\x16\x03\x01 hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(served.answer("GET /metrics HTTP/1.1\r\nX: " + std::string(5000, 'x')).starts_with("HTTP/1.1 431 "));
}

TEST_CASE("connections_that_come_and_go_leave_nothing_behind", "[metrics]") {
  Served served;
  served.loop.serve([&] {
    for (int i = 0; i < 100; i++) served.connect().send("GET /met");
    Client last = served.connect();
    last.send("GET /metrics HTTP/1.1\r\n\r\n");
    CHECK(last.receive().starts_with("HTTP/1.1 200 "));
  });
}

TEST_CASE("an_address_that_can_not_be_had_is_named", "[metrics]") {
  Served served;
  const auto taken = SocketAddress::parse(served.metrics->text());
  const uint16_t port = ntohs(reinterpret_cast<const sockaddr_in*>(taken->get())->sin_port);
  const auto start = [&](const std::string& host) {
    try {
      Metrics(served.loop.get(), {host, port}, nullptr, nullptr);
      return std::string("it could be had");
    } catch (const common::ConfigError& error) {
      return std::string(error.what());
    }
  };
  CHECK(start("127.0.0.1").starts_with("metrics.bind: can't listen on 127.0.0.1:" + std::to_string(port)));
  CHECK(start("localhost").find("no numeric") != std::string::npos);
}

namespace {

struct Slow final : Responder::Owner {
  bool is_whole(std::string_view request) const override { return request.ends_with("\n"); }
  void on_request(uint64_t connection, std::string_view) override { asked.push_back(connection); }
  std::string too_long() const override { return "too long"; }
  std::vector<uint64_t> asked;
};

struct SlowServer {
  explicit SlowServer(const Responder::Limits& limits) {
    common::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    REQUIRE(bind(fd.get(), SocketAddress::parse("127.0.0.1", 0)->get(), sizeof(sockaddr_in)) == 0);
    REQUIRE(listen(fd.get(), 64) == 0);
    address = SocketAddress::bound_to(fd.get());
    responder.emplace(loop.get(), std::move(fd), limits, owner);
  }
  Client connect() const { return Client(address.get(), address.size); }
  Loop loop;
  Slow owner;
  SocketAddress address;
  std::optional<Responder> responder;
};

}  // namespace

TEST_CASE("who_asks_nothing_is_closed_at_the_deadline_and_so_is_who_is_never_answered", "[metrics]") {
  SlowServer server({.deadline = common::Milliseconds(50), .answer = common::Milliseconds(50)});
  server.loop.serve([&] {
    Client silent = server.connect(), half = server.connect(), whole = server.connect();
    half.send("half a request");
    whole.send("a request\n");
    CHECK(silent.receive().empty());
    CHECK(half.receive().empty());
    CHECK(whole.receive().empty());
  });
  CHECK(server.owner.asked.size() == 1);
  CHECK(server.responder->connections() == 0);
  server.responder->answer(server.owner.asked[0], "too late");
}

TEST_CASE("more_connections_than_allowed_wait_for_their_turn", "[metrics]") {
  SlowServer server({.connections = 2, .deadline = common::Milliseconds(50)});
  server.loop.serve([&] {
    std::vector<Client> clients;
    for (int i = 0; i < 7; i++) clients.push_back(server.connect());
    for (Client& client : clients) CHECK(client.receive().empty());  // two by two, at their deadlines
  });
  CHECK(server.responder->connections() == 0);
}
