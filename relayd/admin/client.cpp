#include "relayd/admin/client.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "common/unix_address.h"

namespace relayd::admin {
namespace {

constexpr size_t kMostAnswer = 64 * 1024 * 1024;  // 256 workers of 16 generations are 4 MB

// Nothing is replaced: it would be about another device.
std::string encoded(const Json& request) try {
  return request.dump(-1, ' ', true) + "\n";
} catch (const Json::type_error&) {
  throw common::CommandFailed("found a word that is not UTF-8; no client id or listener has such a name",
                              common::kExitUsage);
}

std::string remedy(int error) {
  switch (error) {
    case ENOENT:
    case ECONNREFUSED: return "; is relayd running with this control_socket?";
    case EACCES: return "; only root and relayd's user may ask";
    default: return "";
  }
}

// As recv(2), and adds the descriptors that came along to `attached`.
ssize_t receive_from(int socket, std::span<char> into, int flags, std::vector<common::Fd>& attached) {
  constexpr size_t kMost = 253;  // SCM_MAX_FD, unix(7)
  iovec part{into.data(), into.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMost * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
  for (cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr; header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int fds[kMost];
    const size_t size = std::min(header->cmsg_len - CMSG_LEN(0), sizeof fds);
    memcpy(fds, CMSG_DATA(header), size);
    for (size_t i = 0; i < size / sizeof(int); i++) attached.emplace_back(fds[i]);
  }
  return got;
}

int number(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_number_integer() ? object[key].get<int>() : 0;
}

}  // namespace

void allow_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

Question::Question(std::string path, const Json& request, common::Milliseconds patience)
    : path_(std::move(path)), patience_(patience) {
  const auto address = common::UnixAddress::of(path_);
  if (!address) fail(ENAMETOOLONG);
  socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval timeout{patience.count() / 1000, 0};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
    setsockopt(socket_.get(), SOL_SOCKET, option, &timeout, sizeof timeout);
  if (!socket_ || connect(socket_.get(), address->get(), address->kSize) != 0) fail(errno);
  const std::string line = encoded(request);
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t now = ::send(socket_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (now < 0 && errno == EPIPE) break;  // relayd refused before it had read the whole request
    if (now < 0) fail(errno);
    sent += static_cast<size_t>(now);
  }
}

void Question::fail(int error) const {
  throw Unavailable(path_ + ": " +
                    (error == EAGAIN ? "no answer in " + std::to_string(patience_.count() / 1000) + " s"
                                     : strerror(error) + remedy(error)));
}

bool Question::receive(Wait wait) {
  char bytes[65536];
  const ssize_t got = receive_from(socket_.get(), bytes, wait == Wait::no ? MSG_DONTWAIT : 0, attached_);
  if (got < 0 && errno == EAGAIN && wait == Wait::no) return false;
  if (got < 0) fail(errno);
  text_.append(bytes, static_cast<size_t>(got));
  return got == 0 || text_.size() >= kMostAnswer ||
         text_.find('\n', text_.size() - static_cast<size_t>(got)) != text_.npos;
}

Json Question::answer() const {
  Json answer = Json::parse(text_, nullptr, false);
  if (!answer.is_object() || !answer.contains("ok"))
    throw Unavailable(path_ + (text_.empty() ? ": relayd closed the connection without an answer; it may be stopping"
                                             : ": the program that answers there is not a relayd of this version"));
  if (answer["ok"] != true) throw std::runtime_error(answer.value("error", "relayd refused"));
  return answer;
}

FeedSockets Question::feeds() {
  const Json all = answer();
  const Json feeds = all.value("feeds", Json::array());
  if (!feeds.is_array() || feeds.size() != attached_.size())
    throw Unavailable(path_ + ": of " + std::to_string(feeds.size()) + " workers' feeds, " +
                      std::to_string(attached_.size()) + " came; is this process's limit of open files too low?");
  FeedSockets sockets{.feeds = {}, .missing = static_cast<size_t>(std::max(number(all, "missing"), 0))};
  for (size_t i = 0; i < attached_.size(); i++)
    sockets.feeds.push_back(
        {number(feeds[i], "worker"), number(feeds[i], "generation"), number(feeds[i], "pid"), std::move(attached_[i])});
  return sockets;
}

Json ask(const std::string& path, const Json& request, common::Milliseconds patience) {
  Question question(path, request, patience);
  while (!question.receive(Question::Wait::yes)) {
  }
  return question.answer();
}

FeedSockets ask_for_feeds(const std::string& path, const Json& request, common::Milliseconds patience) {
  allow_descriptors();
  Question question(path, request, patience);
  while (!question.receive(Question::Wait::yes)) {
  }
  return question.feeds();
}

}  // namespace relayd::admin
