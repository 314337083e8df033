// common::Poll: what it reports, and how many system calls that takes.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/poll.h"
#include "common/uv.h"
#include "tests/unit/catch.h"

namespace {

size_t epoll_ctls = 0;

// A poll of one end of a socket pair, on a loop of its own.
struct Polled {
  Polled() {
    uv_loop_init(&loop);
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    own.reset(ends[0]);
    other.reset(ends[1]);
    poll = std::make_unique<common::Poll>(&loop, own.get(), this, common::call<&Polled::ready>);
  }
  ~Polled() {
    poll.reset();
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
  }
  void ready(int events) { reported.push_back(events); }
  // The events that one turn of the loop reports.
  std::vector<int> turn() {
    reported.clear();
    uv_run(&loop, UV_RUN_NOWAIT);
    return reported;
  }
  // The system calls that `change`, and the turn of the loop after it, make.
  size_t calls(const std::function<void()>& change) {
    epoll_ctls = 0;
    change();
    turn();
    return epoll_ctls;
  }
  void say() const { REQUIRE(write(other.get(), "x", 1) == 1); }

  uv_loop_t loop{};
  common::Fd own, other;
  std::unique_ptr<common::Poll> poll;
  std::vector<int> reported;
};

using Events = std::vector<int>;

}  // namespace

// libuv's calls come here.
extern "C" int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  epoll_ctls++;
  return static_cast<int>(syscall(SYS_epoll_ctl, epoll, operation, fd, event));
}

TEST_CASE("poll: only what is watched is reported", "[poll]") {
  Polled polled;
  CHECK(polled.turn() == Events{});
  polled.poll->watch(UV_WRITABLE);
  CHECK(polled.turn() == Events{UV_WRITABLE});
  polled.poll->watch(UV_READABLE);
  CHECK(polled.turn() == Events{});
  polled.say();
  CHECK(polled.turn() == Events{UV_READABLE});
  polled.poll->watch(0);
  for (int turn = 0; turn < 3; turn++) CHECK(polled.turn() == Events{});
  polled.poll->watch(UV_WRITABLE);
  CHECK(polled.turn() == Events{UV_WRITABLE});
  polled.poll->watch(UV_READABLE | UV_WRITABLE);
  CHECK(polled.turn() == Events{UV_READABLE | UV_WRITABLE});
}

TEST_CASE("poll: what was given up and is wanted again is reported, whether it fired meanwhile or not", "[poll]") {
  for (const bool fires : {false, true}) {
    CAPTURE(fires);
    Polled polled;
    polled.poll->watch(UV_READABLE);
    CHECK(polled.turn() == Events{});
    polled.poll->watch(0);
    if (fires) polled.say();
    for (int turn = 0; turn < 3; turn++) CHECK(polled.turn() == Events{});
    if (!fires) polled.say();
    polled.poll->watch(UV_READABLE);
    CHECK(polled.turn() == Events{UV_READABLE});
  }
}

TEST_CASE("poll: a descriptor that ends is reported once it is watched again", "[poll]") {
  Polled polled;
  polled.poll->watch(UV_READABLE);
  CHECK(polled.turn() == Events{});
  polled.poll->watch(0);
  polled.other.reset();
  for (int turn = 0; turn < 3; turn++) CHECK(polled.turn() == Events{});
  polled.poll->watch(UV_READABLE);
  REQUIRE(polled.turn().size() == 1);
  CHECK((polled.reported[0] & UV_READABLE) != 0);
}

TEST_CASE("poll: to stop and to watch again costs no system call while nothing arrives", "[poll]") {
  Polled polled;
  CHECK(polled.calls([&] { polled.poll->watch(UV_READABLE); }) > 0);
  CHECK(polled.calls([&] {
    for (int times = 0; times < 10; times++) {
      polled.poll->watch(0);
      polled.poll->watch(UV_READABLE);
    }
  }) == 0);
  polled.poll->watch(0);
  polled.say();
  CHECK(polled.calls([] {}) == 1);  // it fired, and is removed
  CHECK(polled.calls([] {}) == 0);
}

namespace {

void spend_patience() {
  const uint64_t until = uv_hrtime() + uint64_t{std::chrono::nanoseconds(common::Poller::kPatience).count()};
  while (uv_hrtime() < until) {
  }
}

// A loop that waits on its polls, as a worker's does.
struct Run {
  explicit Run(Polled& first) : loop(&first.loop), end(&first.loop, this, common::call<&Run::stop>) {}
  void stop() { common::Poller::stop(loop); }
  void for_a_moment() {
    end.start(std::chrono::milliseconds(20));
    common::Poller::run(loop);
  }
  uv_loop_t* loop;
  common::Timer end;
};

}  // namespace

TEST_CASE("poll: a descriptor costs two epoll_ctl in its life", "[poll]") {
  Polled polled;
  polled.poll->watch(UV_READABLE);
  polled.turn();
  epoll_ctls = 0;
  {
    common::Poll poll(&polled.loop, polled.other.get(), &polled, common::call<&Polled::ready>);
    poll.watch(UV_READABLE);
    polled.turn();
  }
  CHECK(epoll_ctls == 2);
}

TEST_CASE("poll: Poller::run reports events and fires timers, and libuv's own handles work", "[poll]") {
  Polled polled;
  polled.poll->watch(UV_READABLE);
  polled.say();
  Run run(polled);
  uv_async_t async;
  bool woken = false;
  REQUIRE(uv_async_init(&polled.loop, &async, [](uv_async_t* a) { *static_cast<bool*>(a->data) = true; }) == 0);
  async.data = &woken;
  REQUIRE(uv_async_send(&async) == 0);
  run.for_a_moment();
  CHECK(woken);
  CHECK(!polled.reported.empty());
  uv_close(reinterpret_cast<uv_handle_t*>(&async), nullptr);
}

TEST_CASE("poll: an owner may destroy another poll whose event was reported together with its own", "[poll]") {
  Polled polled;
  struct Pair {
    std::unique_ptr<common::Poll> one, other;
    int calls = 0;
    void one_ready(int) { calls++, other.reset(); }
    void other_ready(int) { calls++, one.reset(); }
  } pair;
  pair.one = std::make_unique<common::Poll>(&polled.loop, polled.own.get(), &pair, common::call<&Pair::one_ready>);
  pair.other =
      std::make_unique<common::Poll>(&polled.loop, polled.other.get(), &pair, common::call<&Pair::other_ready>);
  pair.one->watch(UV_WRITABLE);
  pair.other->watch(UV_WRITABLE);
  uv_run(&polled.loop, UV_RUN_NOWAIT);
  CHECK(pair.calls == 1);
  CHECK((pair.one == nullptr) != (pair.other == nullptr));
}

TEST_CASE("poll: quick work comes first in each turn, and work that takes long gets a part of it", "[poll]") {
  Polled quick;  // its loop is the loop of all
  struct Slow {
    std::vector<std::string>& order;
    std::string name;
    void ready(int) {
      spend_patience();
      order.push_back(name);
    }
  };
  struct Quick {
    std::vector<std::string>& order;
    void ready(int) { order.push_back("quick"); }
  };
  std::vector<std::string> order;
  Slow first{order, "slow"}, second{order, "slow"};
  Quick other{order};
  common::Poll slow(&quick.loop, quick.own.get(), &first, common::call<&Slow::ready>);
  slow.set_patient(true);
  slow.watch(UV_WRITABLE);
  common::Fd copy(fcntl(quick.own.get(), F_DUPFD_CLOEXEC, 0)), third(fcntl(quick.own.get(), F_DUPFD_CLOEXEC, 0));
  common::Poll slow_too(&quick.loop, copy.get(), &second, common::call<&Slow::ready>);
  slow_too.set_patient(true);
  slow_too.watch(UV_WRITABLE);
  common::Poll fast(&quick.loop, third.get(), &other, common::call<&Quick::ready>);
  fast.watch(UV_WRITABLE);
  for (int turn = 0; turn < 2; turn++) uv_run(&quick.loop, UV_RUN_NOWAIT);
  CHECK(order == std::vector<std::string>{"quick", "slow", "quick", "slow"});
}

namespace {

// Descriptors whose peers have closed: more than one wait reports. Each callback takes all of a turn's patience.
struct Ended {
  struct One {
    Ended& all;
    common::Fd own;
    std::unique_ptr<common::Poll> poll;
    int calls = 0;
    void ready(int) {
      calls++;
      spend_patience();
      all.seen++;
      all.on_end(*this);
    }
  };

  Ended(uv_loop_t* loop, size_t count) {
    for (size_t i = 0; i < count; i++) {
      int ends[2];
      REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
      close(ends[1]);
      auto one = std::make_unique<One>(One{*this, common::Fd(ends[0]), nullptr});
      one->poll = std::make_unique<common::Poll>(loop, one->own.get(), one.get(), common::call<&One::ready>);
      one->poll->watch(UV_READABLE);
      ones.push_back(std::move(one));
    }
  }
  std::vector<std::unique_ptr<One>> ones;
  size_t seen = 0;
  std::function<void(One&)> on_end = [](One& one) { one.poll.reset(); };
};

}  // namespace

TEST_CASE("poll: what is quick does not wait for thousands of connections that ended before it", "[poll]") {
  Polled quick;
  Ended ended(&quick.loop, 400);
  struct Quick {
    Ended& ended;
    uv_loop_t* loop;
    size_t after = 0;
    void ready(int) {
      after = ended.seen;
      common::Poller::stop(loop);
    }
  } last{ended, &quick.loop};
  common::Fd copy(fcntl(quick.own.get(), F_DUPFD_CLOEXEC, 0));
  common::Poll fast(&quick.loop, copy.get(), &last, common::call<&Quick::ready>);
  fast.watch(UV_WRITABLE);
  common::Poller::run(&quick.loop);
  CHECK(last.after <= 3);
}

TEST_CASE("poll: the end of a connection is reported until nothing is watched, and not after destruction", "[poll]") {
  Polled first;  // its loop is the loop of all
  Ended ended(&first.loop, 2);
  Ended::One &one = *ended.ones[0], &other = *ended.ones[1];
  Run run(first);
  const auto soon = [&] { run.end.start(std::chrono::milliseconds(20)); };
  SECTION("it is level-triggered") {
    ended.on_end = [&](Ended::One& which) {
      if (which.calls == 3) which.poll->watch(0);
      if (one.calls == 3 && other.calls == 3) soon();
    };
    common::Poller::run(&first.loop);
    CHECK(one.calls == 3);
    CHECK(other.calls == 3);
  }
  SECTION("one that waits for its turn is destroyed by the other") {
    ended.on_end = [&](Ended::One& which) {
      (&which == &one ? other : one).poll.reset();
      which.poll->watch(0);
      soon();
    };
    common::Poller::run(&first.loop);
    CHECK(one.calls + other.calls == 1);
  }
  SECTION("nothing of it is wanted any more while it waits") {
    ended.on_end = [&](Ended::One& which) {
      (&which == &one ? other : one).poll->watch(0);
      which.poll.reset();
      soon();
    };
    common::Poller::run(&first.loop);
    CHECK(one.calls + other.calls == 1);
  }
}
