// A place between relayd and keyd, from which a test asks what a captured worker would ask.
#pragma once

#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ipc/codec.h"
#include "tests/integration/harness/world.h"

namespace harness {

using Datagram = std::vector<uint8_t>;

ipc::Spki spki_of(const std::string& key);  // of a private key's file

// Passes everything on, keeps a worker's requests for devices, and asks keyd what the test wants, on the worker's
// connection.
class KeydWire {
 public:
  // keyd's socket, and the one to make for relayd.
  KeydWire(std::string keyd, const std::string& own);
  ~KeydWire();
  KeydWire(const KeydWire&) = delete;
  KeydWire& operator=(const KeydWire&) = delete;

  // The last request of this kind about a device's key.
  Datagram last(ipc::Op op);
  struct Answer {
    ipc::Status status;
    Datagram payload;
  };
  // Asks as the worker that sent last(ipc::Op::lookup).
  ipc::Status ask(ipc::Request request) { return answer_to(std::move(request)).status; }
  Answer answer_to(ipc::Request request);

 private:
  void run();
  void accept_one();
  bool up(int worker, int upstream);
  bool down(int upstream, int worker);

  const std::string keyd_;
  int listening_ = -1, wake_[2] = {-1, -1};
  std::vector<std::pair<int, int>> pairs_;
  std::mutex mutex_;  // guards what follows
  Datagram last_sign_, last_lookup_;
  int last_upstream_ = -1;
  uint32_t own_id_ = 0xf0000000;
  std::map<uint32_t, std::promise<Answer>*> answers_;
  std::thread thread_;
};

// A world with a wire between relayd and keyd.
struct WiredWorld : World {
  explicit WiredWorld(WorldOptions options = {});
  std::optional<KeydWire> wire;
};

}  // namespace harness
