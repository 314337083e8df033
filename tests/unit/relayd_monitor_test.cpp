// The supervisor's side of the monitor, with a real monitor process.
#include "relayd/supervisor/monitor.h"

#include <signal.h>
#include <sys/wait.h>

#include "common/config_error.h"
#include "relayd/handover/monitor_question.h"
#include "relayd/handover/socket_address.h"
#include "relayd/monitor/metrics_text.h"
#include "tests/unit/relayd_loop_support.h"

using namespace relayd;
using relayd_test::Client;
using relayd_test::Loop;

namespace {

struct Served {
  Loop loop;
  Counters ended{};
  Status status;
  int looked = 0;
  const common::Program program{relayd::kMonitorProgram};
  std::unique_ptr<Monitor> monitor;

  Served() {
    status.ended = &ended;
    monitor = std::make_unique<Monitor>(loop.get(), program, Config::Endpoint{"127.0.0.1", 0},
                                        MonitorSettings{{common::log::Level::warning}, false}, this, [](void* self) {
                                          static_cast<Served*>(self)->looked++;
                                          return static_cast<Served*>(self)->status;
                                        });
  }

  Client connect() const {
    const auto address = SocketAddress::parse(monitor->text());
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
  // Turns the loop until the monitor is another process than `pid`.
  int wait_for_another(int pid) {
    while (monitor->status().pid == pid || monitor->status().pid == 0) uv_run(loop.get(), UV_RUN_ONCE);
    return monitor->status().pid;
  }
};

}  // namespace

TEST_CASE("a scraper gets what the supervisor knows when it asks", "[monitor]") {
  Served served;
  for (const int generation : {1, 2}) {
    served.status.generation = generation;
    const std::string answer = served.answer("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    REQUIRE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.substr(answer.find("\r\n\r\n") + 4) ==
          monitor::metrics_text(to_json(served.status), monitor::Format::prometheus));
  }
  CHECK(served.looked == 2);
}

TEST_CASE("a status of any size reaches the scraper", "[monitor]") {
  Served served;
  served.status.bind = std::string(3 << 20, 'x');  // more than a socket holds
  const std::string answer = served.answer("GET /metrics HTTP/1.1\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.find(served.status.bind) != std::string::npos);
}

TEST_CASE("over TCP, a body and a long head are refused with an answer that arrives", "[monitor]") {
  Served served;
  CHECK(served.answer("POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\nsome body").starts_with("HTTP/1.1 405 "));
  CHECK(served.answer("GET /metrics HTTP/1.1\r\nX: " + std::string(100'000, 'x')).starts_with("HTTP/1.1 431 "));
  CHECK(
      served.answer("GET /metrics HTTP/1.1\r\nX: " + std::string(5000, 'x') + "\r\n\r\n").starts_with("HTTP/1.1 431 "));
  CHECK(served.looked == 0);
}

TEST_CASE("many clients at once share the supervisor's work, and each sees the state from after its request",
          "[monitor]") {
  Served served;
  served.loop.serve([&] {
    std::vector<Client> clients;
    for (int i = 0; i < 15; i++) clients.push_back(served.connect());
    for (int round = 0; round < 2; round++)
      for (Client& client : clients) client.send(round == 0 ? "GET /metrics HTTP/1.1\r\n" : "\r\n");
    for (Client& client : clients) CHECK(client.receive().starts_with("HTTP/1.1 200 "));
  });
  CHECK(served.looked >= 1);
  CHECK(served.looked < 15);
}

TEST_CASE("connections that come and go leave nothing behind in the monitor", "[monitor]") {
  Served served;
  served.loop.serve([&] {
    for (int i = 0; i < 100; i++) served.connect().send("GET /met");
    Client last = served.connect();
    last.send("GET /metrics HTTP/1.1\r\n\r\n");
    CHECK(last.receive().starts_with("HTTP/1.1 200 "));
  });
}

TEST_CASE("a monitor that dies is replaced at once, and the new one serves the waiting scraper", "[monitor]") {
  Served served;
  const int first = served.monitor->status().pid;
  REQUIRE(served.answer("GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
  kill(first, SIGSTOP);
  siginfo_t stopped{};
  // All its threads have stopped, so none accepts.
  REQUIRE(waitid(P_PID, static_cast<id_t>(first), &stopped, WSTOPPED) == 0);
  served.loop.serve([&] {
    Client client = served.connect();
    client.send("GET /metrics HTTP/1.1\r\n\r\n");
    kill(first, SIGKILL);
    CHECK(client.receive().starts_with("HTTP/1.1 200 "));
  });
  CHECK(served.monitor->status().pid != first);
  CHECK(served.monitor->status().restarts == 1);
  CHECK(served.monitor->status().state == std::string("serving"));
}

TEST_CASE("a monitor that keeps dying is restarted after longer and longer pauses", "[monitor]") {
  Served served;
  int pid = served.monitor->status().pid;
  kill(pid, SIGKILL);
  pid = served.wait_for_another(pid);
  kill(pid, SIGKILL);
  while (served.monitor->status().pid != 0) uv_run(served.loop.get(), UV_RUN_ONCE);
  CHECK(served.monitor->status().state == std::string("waiting"));
  const auto begin = std::chrono::steady_clock::now();
  served.wait_for_another(pid);
  CHECK(std::chrono::steady_clock::now() - begin > Monitor::kFirst - std::chrono::milliseconds(100));
  CHECK(served.monitor->status().restarts == 2);
}

TEST_CASE("an address that is not available for metrics.bind is named", "[monitor]") {
  Served served;
  const auto taken = SocketAddress::parse(served.monitor->text());
  const uint16_t port = ntohs(reinterpret_cast<const sockaddr_in*>(taken->get())->sin_port);
  const auto start = [&](const std::string& host) {
    try {
      Monitor(served.loop.get(), served.program, {host, port}, {{common::log::Level::warning}, false}, nullptr,
              nullptr);
      return std::string("it was available");
    } catch (const common::ConfigError& error) {
      return std::string(error.what());
    }
  };
  CHECK(start("127.0.0.1").starts_with("metrics.bind: can't listen on 127.0.0.1:" + std::to_string(port)));
  CHECK(start("localhost").find("not a numeric") != std::string::npos);
}
