// The connector's half of a worker's channel, on a real socket pair; the test is the worker.
#pragma once

#include <fcntl.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/datagram.h"
#include "common/uv.h"
#include "relayd/connector/worker_channel.h"
#include "relayd/handover/channel.h"
#include "tests/unit/catch.h"
#include "tests/unit/places.h"

namespace unit {

namespace channel = relayd::channel;

constexpr int kWorker = 3;

// libuv 1.44 runs a timer that is due, then waits for the next event, however long. This makes sure that there is one.
struct Tick {
  common::Timer timer;
  explicit Tick(uv_loop_t* loop) : timer(loop, this, common::call<&Tick::again>) { again(); }
  void again() { timer.start(std::chrono::milliseconds(10)); }
};

// `duplicate` is what the supervisor keeps.
struct Half {
  uv_loop_t loop{};
  relayd::ConnectorPlan plan;
  common::Fd worker_end, duplicate;
  std::vector<SocketAddress> remote;
  std::shared_ptr<const common::Fd> certificates;  // null: remote.certs_dir is not set
  std::optional<relayd::connector::WorkerChannel> channel;
  std::optional<std::string> over;  // why the channel has ended

  explicit Half(std::vector<SocketAddress> addresses) : remote(std::move(addresses)) {
    plan.brokers = {{"broker.example", 8883}};
    uv_loop_init(&loop);
    plan.connect_timeout = kLong;
    plan.sign_timeout = std::chrono::milliseconds(1234);
    plan.series = 0x1122334455667788;
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    worker_end.reset(pair[0]);
    duplicate.reset(pair[1]);
  }
  ~Half() {
    channel.reset();
    uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) != 0) abort();
  }
  Half(const Half&) = delete;
  Half& operator=(const Half&) = delete;

  void begin(size_t most = 100) {
    channel.emplace(&loop, plan, kWorker, common::Fd(fcntl(duplicate.get(), F_DUPFD_CLOEXEC, 0)), most, certificates,
                    this, ended);
    channel->know_remote(0, remote);
  }
  static void ended(void* self, int worker, const std::string& why) {
    CHECK(worker == kWorker);
    static_cast<Half*>(self)->over = why;
  }
  template <typename Until>
  void run_until(Until until) {
    const Tick tick(&loop);
    while (!until()) uv_run(&loop, UV_RUN_ONCE);
  }
  void turn() {
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  void say(std::span<const uint8_t> bytes, int attached = -1) {
    REQUIRE(
        common::send_datagram(worker_end.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, attached));
  }
  void ask(const channel::Question& question) { say(channel::encode(question)); }
  std::optional<channel::Answer> answer(common::Fd& attached) {
    char bytes[channel::kMaxAnswer];
    const ssize_t got = common::receive_datagram(worker_end.get(), bytes, attached);
    if (got <= 0) return std::nullopt;
    return channel::decode_answer({reinterpret_cast<const uint8_t*>(bytes), static_cast<size_t>(got)});
  }
  channel::Answer wait_answer(common::Fd& attached) {
    std::optional<channel::Answer> got;
    run_until([&] { return (got = answer(attached)).has_value(); });
    return *got;
  }
  channel::Answer wait_answer() {
    common::Fd attached;
    auto got = wait_answer(attached);
    CHECK_FALSE(attached);
    return got;
  }
  void expect_began() { CHECK(std::holds_alternative<channel::Began>(wait_answer().body)); }
  void begin_both(size_t most = 100) {
    begin(most);
    expect_began();
    ask({0, channel::Begin{}});
  }
};

inline SocketAddress nowhere() { return *SocketAddress::parse("127.0.0.1", 1); }

}  // namespace unit
