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

std::string remedy(int error) {
  switch (error) {
    case ENOENT:
    case ECONNREFUSED: return "; is relayd running with this control_socket?";
    case EACCES: return "; only root and relayd's user may ask";
    default: return "";
  }
}

// As recv(2), and adds the descriptors that came along to `attached`.
ssize_t receive(int socket, std::span<char> into, std::vector<common::Fd>& attached) {
  constexpr size_t kMost = 253;  // SCM_MAX_FD, unix(7)
  iovec part{into.data(), into.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMost * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  for (cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr; header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int fds[kMost];
    const size_t size = std::min(header->cmsg_len - CMSG_LEN(0), sizeof fds);
    memcpy(fds, CMSG_DATA(header), size);
    for (size_t i = 0; i < size / sizeof(int); i++) attached.emplace_back(fds[i]);
  }
  return got;
}

Json exchange(const std::string& path, const Json& request, common::Milliseconds patience,
              std::vector<common::Fd>& attached) {
  const auto fail = [&](int error) {
    throw Unavailable(path + ": " +
                      (error == EAGAIN ? "no answer in " + std::to_string(patience.count() / 1000) + " s"
                                       : strerror(error) + remedy(error)));
  };
  const auto address = common::UnixAddress::of(path);
  if (!address) fail(ENAMETOOLONG);
  const common::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval timeout{patience.count() / 1000, 0};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
    setsockopt(fd.get(), SOL_SOCKET, option, &timeout, sizeof timeout);
  if (!fd || connect(fd.get(), address->get(), address->kSize) != 0) fail(errno);
  const std::string line = request.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t now = ::send(fd.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (now < 0 && errno == EPIPE) break;  // relayd refused before it had read the whole request
    if (now < 0) fail(errno);
    sent += static_cast<size_t>(now);
  }
  std::string text;
  char bytes[65536];
  for (ssize_t got; text.find('\n') == text.npos && text.size() < kMostAnswer;) {
    if ((got = receive(fd.get(), bytes, attached)) < 0) fail(errno);
    if (got == 0) break;
    text.append(bytes, static_cast<size_t>(got));
  }
  Json answer = Json::parse(text, nullptr, false);
  if (!answer.is_object() || !answer.contains("ok"))
    throw Unavailable(path + (text.empty() ? ": relayd closed the connection without an answer; it may be stopping"
                                           : ": the program that answers there is not a relayd of this version"));
  if (answer["ok"] != true) throw std::runtime_error(answer.value("error", "relayd refused"));
  return answer;
}

void allow_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int number(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_number_integer() ? object[key].get<int>() : 0;
}

}  // namespace

Json ask(const std::string& path, const Json& request, common::Milliseconds patience) {
  std::vector<common::Fd> unwanted;
  return exchange(path, request, patience, unwanted);
}

FeedSockets ask_for_feeds(const std::string& path, const Json& request, common::Milliseconds patience) {
  allow_descriptors();
  std::vector<common::Fd> attached;
  const Json answer = exchange(path, request, patience, attached);
  const Json feeds = answer.value("feeds", Json::array());
  if (!feeds.is_array() || feeds.size() != attached.size())
    throw Unavailable(path + ": of " + std::to_string(feeds.size()) + " workers' feeds, " +
                      std::to_string(attached.size()) + " came; is this process's limit of open files too low?");
  FeedSockets all{.feeds = {}, .missing = static_cast<size_t>(std::max(number(answer, "missing"), 0))};
  for (size_t i = 0; i < attached.size(); i++)
    all.feeds.push_back(
        {number(feeds[i], "worker"), number(feeds[i], "generation"), number(feeds[i], "pid"), std::move(attached[i])});
  return all;
}

}  // namespace relayd::admin
