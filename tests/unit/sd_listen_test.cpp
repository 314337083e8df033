// A child takes over sockets from the service manager; it has them where sd_listen_fds(3) says.
#include "common/sd_listen.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstdlib>
#include <functional>

#include "catch.h"

using common::PassedSocket;

namespace {

struct Passing {
  int descriptors = 2;  // open from 3 on
  std::string pid = "self", count = "2", names = "";
};

void set(const char* name, const std::string& value) {
  if (value.empty()) unsetenv(name);
  else setenv(name, value.c_str(), 1);
}

// A child's description of the sockets it was passed, by `describe`; or the error.
std::string taken(const Passing& passing, const std::function<std::string(std::vector<PassedSocket>)>& describe) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int out = fcntl(ends[1], F_DUPFD, 400), source = fcntl(ends[0], F_DUPFD, 400);
    close_range(3, 399, 0);
    for (int i = 0; i < passing.descriptors; i++) dup2(source, 3 + i);
    set("LISTEN_PID", passing.pid == "self" ? std::to_string(getpid()) : passing.pid);
    set("LISTEN_FDS", passing.count);
    set("LISTEN_FDNAMES", passing.names);
    std::string text;
    try {
      text = describe(common::take_passed_sockets());
    } catch (const std::exception& error) {
      text = error.what();
    }
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
      if (getenv(name)) text += std::string(" and left ") + name;
    _exit(write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string text(4096, '\0');
  text.resize(static_cast<size_t>(std::max<ssize_t>(0, read(ends[0], text.data(), text.size()))));
  close(ends[0]);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  return text;
}

std::string numbers_and_names(const std::vector<PassedSocket>& sockets) {
  std::string text = "took";
  for (const auto& [fd, name] : sockets) {
    text += " " + std::to_string(fd.get()) + "=" + name;
    if (!(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC)) text += "(inherited)";
  }
  return text;
}

std::string taken(const Passing& passing) { return taken(passing, numbers_and_names); }

}  // namespace

TEST_CASE("passed sockets keep their names and are closed on exec", "[sd_listen]") {
  CHECK(taken({}) == "took 3=unknown 4=unknown");
  CHECK(taken({2, "self", "2", "mqtt:"}) == "took 3=mqtt 4=");
  CHECK(taken({3, "self", "3", "a:b:a"}) == "took 3=a 4=b 5=a");
  CHECK(taken({256, "self", "256"}).ends_with(" 258=unknown"));
}

TEST_CASE("without a service manager no socket is taken over", "[sd_listen]") {
  CHECK(taken({2, "", "2"}) == "took");
  CHECK(taken({2, "self", ""}) == "took");
  CHECK(taken({2, "self", "0"}) == "took");
}

TEST_CASE("sockets that were passed to another process are not taken over", "[sd_listen]") {
  CHECK(taken({2, std::to_string(getpid()), "2"}) == "took");
}

TEST_CASE("a LISTEN variable that does not match the sockets is named in the error", "[sd_listen]") {
  CHECK(taken({2, "self", "two"}) == "LISTEN_FDS: found \"two\"; expected a number of 0 to 256");
  CHECK(taken({2, "self", "-1"}) == "LISTEN_FDS: found \"-1\"; expected a number of 0 to 256");
  CHECK(taken({2, "self", "257"}) == "LISTEN_FDS: found \"257\"; expected a number of 0 to 256");
  CHECK(taken({2, "1x", "2"}).starts_with("LISTEN_PID: found \"1x\""));
  CHECK(taken({2, "self", "3"}).starts_with("LISTEN_FDS: found 3, but descriptor 5 is not open"));
  CHECK(taken({2, "self", "2", "one"}) == "LISTEN_FDNAMES: found 1 names in \"one\"; LISTEN_FDS says 2");
}
