// Any bytes at the operator's socket, from relayd's own user: each connection gets one line of JSON or is closed, and
// the next one is served.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "relayd/supervisor/control.h"
#include "tests/fuzz/require.h"

namespace {

// Answers each command at once.
struct Operator final : relayd::Control::Owner {
  relayd::Control* control = nullptr;

  relayd::Status status() override { return {}; }
  bool reloading() const override { return false; }
  void reload() override { control->reload_ended(true, "reloaded"); }
  void disconnect(uint64_t connection, const relayd::Whom& whom) override {
    control->disconnect_ended(connection, !whom.client_id.empty(), "ended");
  }
  relayd::OpenFeeds open_feeds(const relayd::FeedRequest&) override { return {}; }
  std::string pause(const std::string& listener, bool) override { return listener; }
  std::string set_log_level(const relayd::LogChange& change, const relayd::Requester&) override {
    const auto level = relayd::LogOverrides::Level::info;
    return relayd::in_words(levels.change(change, level, 0), change);
  }
  LogState log_state() const override { return {levels, relayd::LogOverrides::Level::info, 0}; }
  const relayd::SlotEndings& endings() const override { return remembered; }
  relayd::LogOverrides levels;
  relayd::SlotEndings remembered;
};

struct Socket {
  std::string path = std::filesystem::temp_directory_path() / ("mqtt-relay-fuzz-" + std::to_string(getpid()));
  uv_loop_t loop{};
  Operator owner;
  relayd::Control control;

  Socket() : control((uv_loop_init(&loop), &loop), path, owner, getuid()) { owner.control = &control; }
  ~Socket() { unlink(path.c_str()); }
};

// Sends `request` and the end of the stream; returns everything that the server sends until it closes.
std::string answered(Socket& server, std::string_view request) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, server.path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  std::string answer;
  bool said_all = false;
  for (int turn = 0; turn < 10'000; turn++) {
    if (!request.empty()) {
      const ssize_t sent = send(fd, request.data(), request.size(), MSG_NOSIGNAL);
      if (sent > 0) request.remove_prefix(static_cast<size_t>(sent));
      else if (errno != EAGAIN) request = {};  // refused before all of it was sent
    }
    if (request.empty() && !said_all) {
      shutdown(fd, SHUT_WR);
      said_all = true;
    }
    uv_run(&server.loop, UV_RUN_NOWAIT);
    char bytes[4096];
    const ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got > 0) answer.append(bytes, static_cast<size_t>(got));
    else if (got == 0 || errno != EAGAIN) {
      close(fd);
      uv_run(&server.loop, UV_RUN_NOWAIT);
      return answer;
    }
  }
  REQUIRE(!"the connection is answered or closed");
  return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Socket server;
  const auto answer = answered(server, {reinterpret_cast<const char*>(data), size});
  if (answer.empty()) return 0;
  REQUIRE(answer.back() == '\n' && answer.find('\n') == answer.size() - 1);
  const auto json = nlohmann::json::parse(answer, nullptr, false);
  REQUIRE(json.is_object() && json.contains("ok"));
  return 0;
}
