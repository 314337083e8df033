#include "relayd/supervisor/child.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

namespace relayd {
namespace {

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

uv_stdio_container_t passed(int fd) {
  uv_stdio_container_t container{};
  container.flags = fd < 0 ? UV_IGNORE : UV_INHERIT_FD;
  container.data.fd = fd;
  return container;
}

}  // namespace

std::string Child::Death::text() const {
  return signal != 0 ? std::string("signal ") + strsignal(signal) : "exit status " + std::to_string(status);
}

Child::Child(uv_loop_t* loop, const common::Program& program, const char* name, std::span<const int> descriptors,
             void* owner, Died died)
    : owner_(owner), died_(died) {
  std::vector<uv_stdio_container_t> stdio{passed(-1), passed(STDOUT_FILENO), passed(STDERR_FILENO)};
  for (const int fd : descriptors) stdio.push_back(passed(fd));
  // The number must be above those of the descriptors that the child inherits: they are put in place before the exec,
  // and would overwrite it.
  const common::Fd file(fcntl(program.file(), F_DUPFD_CLOEXEC, static_cast<int>(stdio.size())));
  if (!file) fail(errno, "starting " + program.path());
  const std::string by_descriptor = "/proc/self/fd/" + std::to_string(file.get());
  char* arguments[] = {const_cast<char*>(name), nullptr};
  uv_process_options_t options{};
  options.file = by_descriptor.c_str();
  options.args = arguments;
#if defined(MQTT_RELAY_SANITIZED)  // the sanitizer reads its options from the environment
  options.env = environ;
#else
  char* no_environment[] = {nullptr};
  options.env = no_environment;
#endif
  options.flags = UV_PROCESS_DETACHED;
  options.stdio_count = static_cast<int>(stdio.size());
  options.stdio = stdio.data();
  options.exit_cb = common::call_handle<uv_process_t, &Child::on_exit>;
  process_.reset(new uv_process_t);
  process_->data = this;
  if (const int status = uv_spawn(loop, process_.get(), &options); status != 0)
    fail(-status, "starting " + program.path());
}

void Child::kill(int signal) {
  if (uv_is_active(reinterpret_cast<uv_handle_t*>(process_.get()))) uv_process_kill(process_.get(), signal);
}

}  // namespace relayd
