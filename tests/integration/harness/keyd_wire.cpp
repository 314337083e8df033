#include "tests/integration/harness/keyd_wire.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/harness/catch.h"

namespace harness {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

}  // namespace

ipc::Spki spki_of(const std::string& key) {
  const auto hash = harness::run(
      {.argv = {"sh", "-c", "openssl pkey -in \"$0\" -pubout -outform DER | openssl dgst -sha256 -r", key}});
  ipc::Spki spki{};
  for (size_t i = 0; i < spki.size(); i++)
    spki[i] = static_cast<uint8_t>(std::stoul(hash.out.substr(2 * i, 2), nullptr, 16));
  return spki;
}

KeydWire::KeydWire(std::string keyd, const std::string& own) : keyd_(std::move(keyd)) {
  listening_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  const auto address = address_of(own);
  REQUIRE(bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(chmod(own.c_str(), 0777) == 0);
  REQUIRE(listen(listening_, 16) == 0);
  REQUIRE(pipe2(wake_, O_CLOEXEC) == 0);
  thread_ = std::thread([this] { run(); });
}

KeydWire::~KeydWire() {
  close(wake_[1]);
  thread_.join();
  for (const auto& [worker, upstream] : pairs_) close(worker), close(upstream);
  for (const int fd : {listening_, wake_[0]}) close(fd);
}

Datagram KeydWire::last(ipc::Op op) {
  const std::lock_guard guard(mutex_);
  return op == ipc::Op::sign ? last_sign_ : last_lookup_;
}

KeydWire::Answer KeydWire::answer_to(ipc::Request request) {
  std::promise<Answer> answer;
  {
    const std::lock_guard guard(mutex_);
    request.id = ++own_id_;
    ipc::RequestBuffer buffer;
    const size_t size = ipc::encode(request, buffer);
    REQUIRE(size > 0);
    answers_[request.id] = &answer;
    REQUIRE(::send(last_upstream_, buffer.data(), size, MSG_NOSIGNAL) == static_cast<ssize_t>(size));
  }
  auto future = answer.get_future();
  REQUIRE(future.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
  return future.get();
}

void KeydWire::run() {
  // keyd serves relayd's user only. The system call changes this thread alone.
  if (geteuid() == 0) syscall(SYS_setresuid, -1, relay_user, -1);
  for (;;) {
    std::vector<pollfd> waiting{{wake_[0], POLLIN, 0}, {listening_, POLLIN, 0}};
    for (const auto& [worker, upstream] : pairs_)
      waiting.insert(waiting.end(), {{worker, POLLIN, 0}, {upstream, POLLIN, 0}});
    if (poll(waiting.data(), waiting.size(), -1) < 0) return;
    if (waiting[0].revents) return;
    if (waiting[1].revents) accept_one();
    for (size_t i = 2; i < waiting.size(); i += 2) {
      const int worker = waiting[i].fd, upstream = waiting[i + 1].fd;
      const bool ended =
          (waiting[i].revents && !up(worker, upstream)) || (waiting[i + 1].revents && !down(upstream, worker));
      if (!ended) continue;
      close(worker), close(upstream);
      std::erase_if(pairs_, [&](const auto& pair) { return pair.first == worker; });
    }
  }
}

void KeydWire::accept_one() {
  const int worker = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
  const int upstream = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  const auto address = address_of(keyd_);
  if (connect(upstream, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    pairs_.emplace_back(worker, upstream);
  else close(worker), close(upstream);
}

bool KeydWire::up(int worker, int upstream) {
  Datagram buffer(ipc::kMaxRequest);
  const ssize_t got = recv(worker, buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  buffer.resize(static_cast<size_t>(got));
  const std::lock_guard guard(mutex_);
  if (const auto request = ipc::decode_request(buffer)) {
    if (const auto* sign = std::get_if<ipc::Sign>(&request->body); sign && sign->key.role == ipc::Role::device) {
      last_sign_ = buffer;
    } else if (const auto* key = std::get_if<ipc::Lookup>(&request->body); key && key->role == ipc::Role::device) {
      last_lookup_ = buffer;
      last_upstream_ = upstream;
    }
  }
  return ::send(upstream, buffer.data(), buffer.size(), MSG_NOSIGNAL) > 0;
}

bool KeydWire::down(int upstream, int worker) {
  ipc::ResponseBuffer buffer;
  const ssize_t got = recv(upstream, buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  const auto response = ipc::decode_response(std::span(buffer).first(static_cast<size_t>(got)));
  const std::lock_guard guard(mutex_);
  if (const auto own = response ? answers_.extract(response->id) : decltype(answers_)::node_type(); !own.empty()) {
    own.mapped()->set_value({response->status, {response->payload.begin(), response->payload.end()}});
    return true;
  }
  return ::send(worker, buffer.data(), static_cast<size_t>(got), MSG_NOSIGNAL) > 0;
}

WiredWorld::WiredWorld(WorldOptions options)
    : World([&] {
        options.start = false;
        return options;
      }()) {
  const auto path = (directory / "wire.sock").string();
  relay().start_keyd();
  const Json relayd = Json::parse(read_file(relay().relayd_configuration()));
  wire.emplace(relayd.at("keyd_socket"), path);
  relay().patch_relayd({{"keyd_socket", path}});
  relay().start_relayd();
}

}  // namespace harness
