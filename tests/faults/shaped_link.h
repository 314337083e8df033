// A network of two hosts with the faults of a long line: this process, and a network namespace that it reaches only
// over a link with a delay, a loss rate and a switch. The link consists of two TUN devices and a thread that forwards
// each IP packet when it is due, or drops it. It replaces netem(8), which not every kernel has. Root only. Packets to
// an address that neither end has are dropped: such an address is a black hole.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/faults/network_namespace.h"

namespace faults {

struct LinkFigures {
  uint64_t passed = 0, dropped = 0;  // in both directions
};

class ShapedLink {
 public:
  ShapedLink();
  ~ShapedLink();
  ShapedLink(const ShapedLink&) = delete;
  ShapedLink& operator=(const ShapedLink&) = delete;

  std::string near_address() const { return near_address_; }
  std::string far_address() const { return far_address_; }
  // Addresses in the common network that neither end has.
  const std::vector<std::string>& black_holes() const { return black_holes_; }

  // Applies to packets sent from now on, in each direction: half the delay and half the loss of a round trip.
  void shape(std::chrono::microseconds delay_each_way, double lost_of_hundred);
  // Bandwidth in each direction; packets above it queue. 0: no limit.
  void limit(size_t bytes_a_second) { rate_ = bytes_a_second; }
  void cut() { cut_ = true; }  // packets on their way are lost, too
  void restore() { cut_ = false; }
  LinkFigures figures() const { return {passed_, dropped_}; }

  // For ProcessOptions::before_exec: runs the program at the far end.
  std::function<bool()> at_far_end() const { return namespace_.enter(); }
  // Runs `work` on a thread at the far end, as NetworkNamespace::run(). Its sockets bypass the link.
  void run_at_far_end(const std::function<void()>& work) const { namespace_.run(work); }

 private:
  struct Packet {
    std::chrono::steady_clock::time_point due;
    uint64_t number;  // packets due at the same time keep their order
    int to;
    std::string bytes;
    bool operator<(
        const Packet& other) const {  // priority_queue returns the greatest, so the earliest must be greatest
      return due != other.due ? due > other.due : number > other.number;
    }
  };

  void run(const std::stop_token& stop);
  void take_from(int device, int to);
  std::chrono::steady_clock::time_point when_through(int to, size_t size);
  void deliver_what_is_due();
  bool is_lost(const std::string& packet);

  std::string near_address_, far_address_;
  std::vector<std::string> black_holes_;
  uint32_t hosts_[2] = {};  // network byte order
  int near_ = -1, far_ = -1;
  NetworkNamespace namespace_;  // of the far end
  std::atomic<int64_t> delay_us_ = 0;
  std::atomic<double> loss_ = 0;
  std::atomic<size_t> rate_ = 0;
  std::atomic<bool> cut_ = false;
  std::atomic<uint64_t> passed_ = 0, dropped_ = 0;
  // Used by the thread only.
  std::mt19937 random_{1};  // a fixed seed: equal packets have equal losses
  uint64_t number_ = 0;
  std::chrono::steady_clock::time_point free_[2];  // when each direction has sent what is queued
  std::priority_queue<Packet> under_way_;
  std::jthread thread_;
};

}  // namespace faults
