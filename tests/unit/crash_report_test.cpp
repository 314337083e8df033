// What a crashing process logs. Children of the test crash on purpose.
#include "common/crash_report.h"

#include <link.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/hardening.h"
#include "common/syscall_filter.h"
#include "tests/unit/catch.h"

#if !defined(MQTT_RELAY_SANITIZED)

namespace {

struct Death {
  int signal = 0;
  std::string text;  // all of its standard error
  nlohmann::json line() const { return nlohmann::json::parse(text); }
};

Death after(const std::function<void()>& crash) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) signal(number, SIG_DFL);  // not Catch's
    const rlimit no_core{};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    common::report_crashes("the-program");
    crash();
    _exit(0);
  }
  close(ends[1]);
  Death death;
  char bytes[4096];
  for (ssize_t got; (got = read(ends[0], bytes, sizeof bytes)) > 0;) death.text.append(bytes, static_cast<size_t>(got));
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  death.signal = WTERMSIG(status);
  return death;
}

volatile int g_zero = 0;
int* volatile g_null = nullptr;

[[gnu::noinline]] void write_to_nowhere() { *g_null = 1; }

[[gnu::noinline]] int overflow_the_stack(int depth) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(depth);
  return g_zero == 0 ? overflow_the_stack(depth + 1) + frame[0] : frame[0];
}

// The report's name for an address of this program: forked children have the same layout.
uintptr_t offset_of(const void* code) {
  uintptr_t base = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        *static_cast<uintptr_t*>(out) = info->dlpi_addr;
        return 1;  // the program comes first
      },
      &base);
  return reinterpret_cast<uintptr_t>(code) - base;
}

bool is_within(const std::string& frame, const void* function) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").filename().string() + "+0x";
  if (!frame.starts_with(program)) return false;
  const uintptr_t offset = std::stoull(frame.substr(program.size()), nullptr, 16);
  return offset >= offset_of(function) && offset < offset_of(function) + 256;
}

}  // namespace

TEST_CASE("a crash is logged in one line with its signal and its stack", "[crash_report]") {
  const Death death = after(write_to_nowhere);
  CHECK(death.signal == SIGSEGV);
  CAPTURE(death.text);
  REQUIRE(std::count(death.text.begin(), death.text.end(), '\n') == 1);
  const auto line = death.line();
  CHECK(line.at("level") == "error");
  CHECK(line.at("program") == "the-program");
  CHECK(line.at("msg") == "crashed");
  CHECK(line.at("signal") == "SIGSEGV");
  CHECK(line.at("pid").get<int>() > 0);
  const auto time = line.at("time").get<std::string>();
  tm parts{};
  const char* rest = strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  REQUIRE(rest);
  CHECK(std::string(rest).size() == std::string(".123456Z").size());
  CHECK(std::abs(difftime(timegm(&parts), ::time(nullptr))) < 600);
  REQUIRE(line.at("stack").size() > 2);
  CHECK(is_within(line.at("stack")[0], reinterpret_cast<const void*>(write_to_nowhere)));
}

TEST_CASE("every crash signal is reported and ends the process", "[crash_report]") {
  const std::pair<int, const char*> kSignals[] = {
      {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}, {SIGABRT, "SIGABRT"}};
  for (const auto& [number, name] : kSignals) {
    const Death death = after([number = number] { kill(getpid(), number); });
    CHECK(death.signal == number);
    CHECK(death.line().at("signal") == name);
  }
  CHECK(after([] { abort(); }).signal == SIGABRT);
}

TEST_CASE("a stack overflow is reported", "[crash_report]") {
  const Death death = after([] { g_zero = overflow_the_stack(0); });
  CHECK(death.signal == SIGSEGV);
  CAPTURE(death.text);
  const auto stack = death.line().at("stack");
  REQUIRE(stack.size() > 10);
  CHECK(is_within(stack[5], reinterpret_cast<const void*>(overflow_the_stack)));
}

TEST_CASE("a crash in another thread is reported", "[crash_report]") {
  const Death death = after([] { std::thread(write_to_nowhere).join(); });
  CHECK(death.signal == SIGSEGV);
  CHECK(is_within(death.line().at("stack")[0], reinterpret_cast<const void*>(write_to_nowhere)));
}

TEST_CASE("a jump to an invalid address is reported", "[crash_report]") {
  const Death death = after([] { reinterpret_cast<void (*)()>(reinterpret_cast<uintptr_t>(g_null) + 16)(); });
  CHECK(death.signal == SIGSEGV);
  CAPTURE(death.text);
  CHECK(death.line().at("stack") == nlohmann::json{"0x10"});
}

TEST_CASE("a crash in a sandbox is reported", "[crash_report]") {
  const Death death = after([] {
    common::harden_process();
    const auto allowed = common::joined({common::calls::kLog, common::calls::kEnd});
    if (!common::forbid_files().empty() || !common::allow_system_calls(allowed).empty()) _exit(0);
    write_to_nowhere();
  });
  CHECK(death.signal == SIGSEGV);
  CHECK(is_within(death.line().at("stack")[0], reinterpret_cast<const void*>(write_to_nowhere)));
}

#endif
