#include "tests/captured/attacker.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>

namespace captured {
namespace {

constexpr size_t kMostLine = 256 * 1024;
constexpr char kCommand[] = "captured ";

}  // namespace

std::string outcome(long result) {
  if (result >= 0) return "done";
  const char* name = strerrorname_np(errno);
  return name ? name : std::to_string(errno);
}

std::string run(const Attacks& attacks, const std::string& command) {
  std::istringstream in(command);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  const auto attack = words.empty() ? attacks.end() : attacks.find(words[0]);
  if (attack == attacks.end()) return "no such attack";
  words.erase(words.begin());
  return attack->second(words);
}

void obey(int socket, const Attacks& attacks, const std::string& command) {
  send(socket, "+", 1, MSG_NOSIGNAL);
  const std::string answer = run(attacks, command) + "\n";
  send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
}

bool say(int socket, const std::string& bytes) {
  return send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

std::string say_often(int socket, const std::string& times, const std::string& bytes) {
  for (int i = std::stoi(times); i > 0; i--)
    if (!say(socket, bytes)) return outcome(-1);
  return "done";
}

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return bytes;
}

void ignore_orders() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) signal(number, SIG_IGN);
}

Commands::Commands(std::vector<int> listeners, Attacks attacks)
    : listeners_(std::move(listeners)), attacks_(std::move(attacks)) {}

bool Commands::turn(int also, int timeout) {
  std::vector<pollfd> ready{{also, POLLIN, 0}};
  for (const int fd : listeners_) ready.push_back({fd, POLLIN, 0});
  for (const Peer& peer : peers_) ready.push_back({peer.fd, POLLIN, 0});
  if (poll(ready.data(), ready.size(), timeout) < 0) return false;
  const size_t first_peer = 1 + listeners_.size();
  std::vector<Peer> kept;
  for (size_t i = 0; i < peers_.size(); i++)
    if (ready[first_peer + i].revents == 0 || serve(peers_[i])) kept.push_back(std::move(peers_[i]));
    else close(peers_[i].fd);
  peers_ = std::move(kept);
  for (size_t i = 0; i < listeners_.size(); i++)
    if (ready[1 + i].revents & POLLIN)
      if (const int fd = accept4(listeners_[i], nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); fd >= 0)
        peers_.push_back({fd});
  return ready[0].revents != 0;
}

// False: the connection is over.
bool Commands::serve(Peer& peer) {
  char bytes[65536];
  const ssize_t got = recv(peer.fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return true;
  if (got <= 0) return false;
  peer.line.append(bytes, static_cast<size_t>(got));
  const std::string_view begin = std::string_view(peer.line).substr(0, strlen(kCommand));
  if (!std::string_view(kCommand).starts_with(begin) || peer.line.size() > kMostLine) return false;
  if (peer.line.back() != '\n') return true;
  obey(peer.fd, attacks_, peer.line.substr(strlen(kCommand)));
  shutdown(peer.fd, SHUT_WR);
  return true;  // until the test has read it
}

}  // namespace captured
