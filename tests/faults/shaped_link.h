// A network of two hosts with the faults of a long line: this process, and a network namespace that it reaches only
// over a link with a delay, a loss and a switch. Two TUN devices, and a thread that passes every IP packet on between
// them when it is due, or drops it. netem(8) without netem, which not every kernel has. Root only.
//
// What both ends send to an address that neither has is dropped: such an address is a black hole.
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

namespace faults {

struct LinkFigures {
  uint64_t passed = 0, dropped = 0;  // packets of both directions
};

class ShapedLink {
 public:
  ShapedLink();
  ~ShapedLink();
  ShapedLink(const ShapedLink&) = delete;
  ShapedLink& operator=(const ShapedLink&) = delete;

  std::string near_address() const { return near_address_; }
  std::string far_address() const { return far_address_; }
  // In the network of both, and nobody's.
  const std::vector<std::string>& black_holes() const { return black_holes_; }

  // For packets that are sent from now on, each way: half of what they are to a round trip.
  void shape(std::chrono::microseconds delay_each_way, double lost_of_hundred);
  // How much passes each way; beyond it packets wait for each other. 0: no limit.
  void limit(size_t bytes_a_second) { rate_ = bytes_a_second; }
  void cut() { cut_ = true; }  // what is under way is lost, too
  void restore() { cut_ = false; }
  LinkFigures figures() const { return {passed_, dropped_}; }

  // For ProcessOptions::before_exec: the program runs at the far end.
  std::function<bool()> at_far_end() const;
  // Runs `work` on a thread at the far end: sockets it makes are there, whoever uses them, and never see the link.
  void run_at_far_end(const std::function<void()>& work) const;

 private:
  struct Packet {
    std::chrono::steady_clock::time_point due;
    uint64_t number;  // those that are due together keep their order
    int to;
    std::string bytes;
    bool operator<(const Packet& other) const {  // the earliest is a priority_queue's greatest
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
  int near_ = -1, far_ = -1, namespace_ = -1;
  std::atomic<int64_t> delay_us_ = 0;
  std::atomic<double> loss_ = 0;
  std::atomic<size_t> rate_ = 0;
  std::atomic<bool> cut_ = false;
  std::atomic<uint64_t> passed_ = 0, dropped_ = 0;
  // The rest is the thread's.
  std::mt19937 random_{1};  // the same loss each time, as far as the packets are the same
  uint64_t number_ = 0;
  std::chrono::steady_clock::time_point free_[2];  // when what waits in each direction has passed
  std::priority_queue<Packet> under_way_;
  std::jthread thread_;
};

}  // namespace faults
