#include "relayd/admin/keyd_half.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "common/fd.h"
#include "common/program.h"

namespace relayd::admin {
namespace {

constexpr char kProgram[] = "mqtt-relay-keys";
constexpr size_t kMostAnswer = 1024 * 1024;  // a check lists ten files at most

enum class Errors { shown, unseen };

// Runs it with `in` and `out`, unless they are -1, as standard input and output; everything else is as in this process.
pid_t start(const common::Program& program, std::vector<std::string> words, int in, int out, Errors errors) {
  words.insert(words.begin(), program.path());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (in >= 0) posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  if (out >= 0) posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  if (errors == Errors::unseen)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY | O_CLOEXEC, 0);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.path().c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), program.path());
  return pid;
}

std::string read_all(int fd) {
  std::string text;
  char bytes[65536];
  for (;;) {
    const ssize_t got = read(fd, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || text.size() > kMostAnswer) return text;
    text.append(bytes, static_cast<size_t>(got));
  }
}

// Throws std::runtime_error unless its exit status is 0.
void await(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
  if (WIFSIGNALED(status))
    throw std::runtime_error(std::string("it was killed by a signal: ") + strsignal(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0)
    throw std::runtime_error("it exited with status " + std::to_string(WEXITSTATUS(status)) +
                             "; its standard error says why");
}

std::string answer_of(const std::vector<std::string>& words, Errors errors) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const common::Fd from(ends[0]);
  common::Fd to(ends[1]);
  const pid_t pid = start(common::Program(kProgram), words, -1, to.get(), errors);
  to.reset();
  std::string answer = read_all(from.get());
  await(pid);
  return answer;
}

// What the program answers to these words.
std::vector<common::Check> checks_by(const std::vector<std::string>& words) try {
  return common::unpacked(answer_of(words, Errors::shown));
} catch (const std::exception& error) {
  return {{.result = common::Result::error,
           .found = std::string(kProgram) + ", which checks keyd: " + error.what(),
           .fix = "if that does not say what to do, reinstall mqtt-relay",
           .name = "program"}};
}

}  // namespace

std::string answer_of_keyd_half(const std::vector<std::string>& words) { return answer_of(words, Errors::unseen); }

void become_keyd_half(const std::vector<std::string>& words) {
  const common::Program program(kProgram);
  throw std::runtime_error("can't execute " + program.path() + ": " + program.become(words) + "; reinstall mqtt-relay");
}

std::vector<common::Check> checks_of_keyd(const std::string& config, const OfRelayd& relayd) {
  std::vector<std::string> words = {"check", "--config", config};
  if (const std::string& file = relayd.listener_certificate; !file.empty())
    words.insert(words.end(), {"--listener-cert", file});
  if (const auto wait = relayd.device_wait.count(); wait > 0)
    words.insert(words.end(), {"--device-wait", std::to_string(wait)});
  for (const std::string& name : relayd.remote_names) words.push_back("--remote-name=" + name);
  for (const std::string& protocol : relayd.remote_alpn) words.push_back("--remote-alpn=" + protocol);
  if (relayd.certificate_files) words.push_back("--certificate-files");
  return checks_by(words);
}

std::vector<common::Check> configuration_check_of_keyd(const std::string& config) {
  return checks_by({"check", "--configuration-only", "--config", config});
}

std::vector<common::Check> checks_of_key(const std::string& config, const std::string& client_id,
                                         const std::string& certificate) {
  std::vector<std::string> words = {"check", "--config", config, "--client=" + client_id};
  if (!certificate.empty()) words.push_back("--certificate=" + certificate);
  return checks_by(words);
}

DeviceSigner::DeviceSigner(const std::string& config, const std::string& client_id, size_t signatures) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  socket_.reset(ends[0]);
  const common::Fd its(ends[1]);
  pid_ =
      start(common::Program(kProgram),
            {"sign-as-device", "--config", config, "--client=" + client_id, "--signatures", std::to_string(signatures)},
            its.get(), -1, Errors::shown);
}

DeviceSigner::~DeviceSigner() {
  socket_.reset();  // ends it, if it has not ended
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
}

}  // namespace relayd::admin
