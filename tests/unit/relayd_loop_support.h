// A loop that serves a blocking client, which runs in a thread of its own.
#pragma once

#include <sys/socket.h>
#include <sys/time.h>
#include <uv.h>

#include <exception>
#include <functional>
#include <string>
#include <system_error>
#include <thread>

#include "common/fd.h"
#include "tests/unit/catch.h"

namespace relayd_test {

class Loop {
 public:
  Loop() {
    uv_loop_init(&loop_);
    uv_async_init(&loop_, &done_, [](uv_async_t* done) { uv_stop(done->loop); });
  }
  ~Loop() {
    uv_close(reinterpret_cast<uv_handle_t*>(&done_), nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop_) != 0) abort();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  uv_loop_t* get() { return &loop_; }

  // Serves until `client` returns; rethrows what it throws.
  void serve(const std::function<void()>& client) {
    std::exception_ptr failure;
    std::thread thread([&] {
      try {
        client();
      } catch (...) {
        failure = std::current_exception();
      }
      uv_async_send(&done_);
    });
    uv_run(&loop_, UV_RUN_DEFAULT);
    thread.join();
    if (failure) std::rethrow_exception(failure);
  }

 private:
  uv_loop_t loop_;
  uv_async_t done_;
};

// A blocking client. Each wait ends after 20 s at most; only a failing test takes that long.
class Client {
 public:
  Client(const sockaddr* address, socklen_t size) : fd_(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{20, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd_.get(), address, size) != 0) throw std::system_error(errno, std::generic_category());
  }
  void send(const std::string& text) { ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL); }
  // Receives until the connection ends.
  std::string receive() {
    std::string all;
    char bytes[4096];
    ssize_t got = 0;
    while ((got = recv(fd_.get(), bytes, sizeof bytes, 0)) > 0) all.append(bytes, static_cast<size_t>(got));
    return got == 0 ? all : "no end: " + all;
  }

 private:
  common::Fd fd_;
};

}  // namespace relayd_test
