#include "relayd/admin/client.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "common/fd.h"
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

}  // namespace

Json ask(const std::string& path, const Json& request, common::Milliseconds patience) {
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
    if ((got = ::recv(fd.get(), bytes, sizeof bytes, 0)) < 0) fail(errno);
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

}  // namespace relayd::admin
