// A captured connector. It still does its work, so that the gateway serves, and attacks besides. It has no listening
// socket: commands come on a Unix socket beside keyd's, "captured.sock", to which it connects from inside its sandbox.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>

#include "common/hardening.h"
#include "common/log.h"
#include "common/poll.h"
#include "common/unix_address.h"
#include "common/uv.h"
#include "relayd/connector/connector.h"
#include "relayd/connector/sandbox.h"
#include "relayd/handover/plan.h"
#include "relayd/handover/socket_address.h"
#include "tests/captured/attacker.h"

namespace {

using namespace relayd;
using captured::Words;

constexpr int kMostDescriptor = 256;

// COUNT datagrams of SIZE bytes on every socket that it has but its command's.
std::string garbage(int command, const Words& words) {
  const std::string bytes(std::stoul(words.at(1)), '\x7f');
  for (int fd = 3; fd < kMostDescriptor; fd++)
    if (fd != command) captured::say_often(fd, words.at(0), bytes);
  return "done";
}

std::string dialed(const Words& words) {
  const auto address = SocketAddress::parse(words.at(0), static_cast<uint16_t>(std::stoi(words.at(1))));
  const int fd = socket(address->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  const int result = connect(fd, address->get(), address->size);
  const std::string said = result < 0 && errno == EINPROGRESS ? "done" : captured::outcome(result);
  close(fd);
  return said;
}

// Binds a TCP socket, and listens there.
std::string listening(const Words& words) {
  const auto address = SocketAddress::parse(words.at(0), static_cast<uint16_t>(std::stoi(words.at(1))));
  const common::Fd made(socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  const int bound = bind(made.get(), address->get(), address->size);
  return captured::outcome(bound == 0 ? listen(made.get(), 1) : bound);
}

std::string connected(const Words& words) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const auto address = common::UnixAddress::of(words.at(0));
  if (connect(fd, address->get(), address->kSize) != 0) return captured::outcome(-1);
  const std::string request = "{\"command\":\"reload\"}\n";
  send(fd, request.data(), request.size(), MSG_NOSIGNAL);
  return "done";  // whether it is answered is another question
}

class Commanded {
 public:
  Commanded(uv_loop_t* loop, const std::string& path) {
    socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto address = common::UnixAddress::of(path);
    if (!socket_ || ::connect(socket_.get(), address->get(), address->kSize) != 0) return;
    attacks_ = captured::kernel_attacks();
    const int own = socket_.get();
    attacks_.merge(captured::Attacks{
        {"garbage", [own](const Words& words) { return garbage(own, words); }},
        {"dial", dialed},
        {"listen", listening},
        {"unix", connected},
        {"die", [](const Words& words) { return captured::outcome(raise(std::stoi(words.at(0)))); }},
    });
    poll_ = std::make_unique<common::Poll>(loop, own, this, common::call<&Commanded::ready>);
    poll_->watch(UV_READABLE);
  }

 private:
  void ready(int) {
    char bytes[4096];
    const ssize_t got = recv(socket_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (got <= 0) return poll_->watch(0);
    captured::obey(socket_.get(), attacks_, {bytes, static_cast<size_t>(got)});
  }

  common::Fd socket_;
  captured::Attacks attacks_;
  std::unique_ptr<common::Poll> poll_;
};

}  // namespace

int main() {
  common::keep_standard_numbers();
  closefrom(kConnectorControlFd + 1);
  captured::ignore_orders();
  for (const int fd : {kConnectorPlanFd, kConnectorControlFd}) fcntl(fd, F_SETFD, FD_CLOEXEC);
  uv_loop_t loop;
  uv_loop_init(&loop);
  ConnectorPlan plan = ConnectorPlan::from_memfd(kConnectorPlanFd);
  common::log::open("captured-connector");
  const std::string keyd = plan.keyd_socket, path = keyd.substr(0, keyd.rfind('/')) + "/captured.sock";
  const std::string lacking = connector::give_up_files_and_ports(plan);
  connector::Connector serving(&loop, std::move(plan), common::Fd(kConnectorControlFd));
  serving.resolve();
  connector::give_up_system_calls(serving.plan(), lacking);
  const Commanded commanded(&loop, path);
  serving.serve();
  uv_run(&loop, UV_RUN_DEFAULT);
  _exit(0);
}
