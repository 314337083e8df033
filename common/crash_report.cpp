// The handler may interrupt any code, malloc(3) included. It therefore calls only async-signal-safe functions
// (signal-safety(7)), and backtrace(3), which is safe once its first call has loaded libgcc_s.
#include "common/crash_report.h"

#include <execinfo.h>
#include <link.h>
#include <sys/stat.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <string_view>

#include "common/output.h"

namespace common {
namespace {

#if defined(MQTT_RELAY_SANITIZED)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

struct Fatal {
  int number;
  std::string_view name;
};
constexpr Fatal kFatal[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}, {SIGABRT, "SIGABRT"}};

// Executable memory of one file. Recorded at start, because the handler can't look it up.
struct Module {
  uintptr_t base = 0, begin = 0, end = 0;
  std::array<char, 32> name{};
};

constexpr size_t kModules = 64, kFrames = 48;
constexpr size_t kStack = 64 * 1024;  // backtrace(3) takes 3 KiB, a signal frame with AVX-512 another 3

struct {
  std::string_view program;
  Output output;
  std::array<Module, kModules> modules;
  size_t module_count = 0;
  volatile sig_atomic_t depth = 0;
  int signal = 0;    // the first signal
  uintptr_t at = 0;  // the address that it interrupted
  alignas(16) char stack[kStack];
} g_crash;

// Text of bounded size; the excess is dropped.
class Line {
 public:
  Line& text(std::string_view text) {
    const size_t size = std::min(text.size(), sizeof buffer_ - used_);
    std::copy_n(text.data(), size, buffer_ + used_);
    used_ += size;
    return *this;
  }
  Line& number(uint64_t value, int base = 10, size_t width = 0) {
    char digits[24];
    const auto size = static_cast<size_t>(std::to_chars(digits, digits + sizeof digits, value, base).ptr - digits);
    for (size_t i = size; i < width; i++) text("0");
    return text({digits, size});
  }
  // Drops the line if its reader has stopped reading: a crash must not become a hang.
  void write_out() const { [[maybe_unused]] const ssize_t written = g_crash.output.write(buffer_, used_); }

 private:
  char buffer_[4096];
  size_t used_ = 0;
};

// gmtime_r(3) may take a lock. After "chrono-Compatible Low-Level Date Algorithms", H. Hinnant.
void add_time(Line& line) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const auto seconds = static_cast<uint64_t>(now.tv_sec);
  const uint64_t days = seconds / 86400 + 719468, era = days / 146097, of_era = days % 146097;
  const uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint64_t shifted = (5 * of_year + 2) / 153, day = of_year - (153 * shifted + 2) / 5 + 1;
  const uint64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  line.number(year_of_era + era * 400 + (month <= 2)).text("-").number(month, 10, 2).text("-").number(day, 10, 2);
  line.text("T").number(seconds / 3600 % 24, 10, 2).text(":").number(seconds / 60 % 60, 10, 2).text(":");
  line.number(seconds % 60, 10, 2).text(".").number(static_cast<uint64_t>(now.tv_nsec) / 1000, 10, 6).text("Z");
}

void add_address(Line& line, uintptr_t address) {
  const auto end = g_crash.modules.begin() + g_crash.module_count;
  const auto module = std::find_if(g_crash.modules.begin(), end,
                                   [&](const Module& m) { return address >= m.begin && address < m.end; });
  line.text("\"");
  if (module != end) line.text(module->name.data()).text("+");
  line.text("0x").number(address - (module != end ? module->base : 0), 16).text("\"");
}

// The address that the signal interrupted; 0 on a processor that this code does not know.
uintptr_t interrupted_at(const void* context) {
  [[maybe_unused]] const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return machine.pc;
#else
  return 0;
#endif
}

void add_stack(Line& line, uintptr_t at) {
  void* frames[kFrames];
  // Unwinding may itself crash, on an overwritten stack or after a jump to an invalid address. Then only `at` is known.
  const int got = g_crash.depth == 1 ? backtrace(frames, kFrames) : 0;
  // The handler's own frames come before the one that was interrupted.
  int first = 0;
  while (first < got && reinterpret_cast<uintptr_t>(frames[first]) != at) first++;
  if (first < got || at != 0) add_address(line, at);
  for (int i = first < got ? first + 1 : 0; i < got; i++) {
    if (i > 0 || at != 0) line.text(",");
    add_address(line, reinterpret_cast<uintptr_t>(frames[i]) - 1);  // the call, not the return address
  }
}

void on_crash(int number, siginfo_t*, void* context) {
  if (g_crash.depth < 2) {
    g_crash.depth = g_crash.depth + 1;
    if (g_crash.depth == 1) g_crash.signal = number, g_crash.at = interrupted_at(context);
    const auto* fatal =
        std::find_if(std::begin(kFatal), std::end(kFatal), [&](const Fatal& f) { return f.number == g_crash.signal; });
    Line line;
    line.text("{\"time\":\"");
    add_time(line);
    line.text("\",\"level\":\"error\",\"program\":\"")
        .text(g_crash.program)
        .text("\",\"event\":\"crashed\",\"msg\":\"crashed\",\"signal\":\"");
    line.text(fatal->name).text("\",\"pid\":").number(static_cast<uint64_t>(getpid())).text(",\"stack\":[");
    add_stack(line, g_crash.at);
    line.text("]}\n");
    line.write_out();
  }
  signal(g_crash.signal, SIG_DFL);
  raise(g_crash.signal);  // not blocked, because of SA_NODEFER
  _exit(128 + g_crash.signal);
}

int remember(dl_phdr_info* info, size_t, void*) {
  std::string_view path = info->dlpi_name ? info->dlpi_name : "";
  char program[1024];
  if (path.empty() && g_crash.module_count == 0) {  // the program itself comes first, without a name
    const ssize_t size = readlink("/proc/self/exe", program, sizeof program);
    path = {program, static_cast<size_t>(std::max<ssize_t>(size, 0))};
  }
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (int i = 0; i < info->dlpi_phnum && g_crash.module_count < kModules; i++) {
    const auto& part = info->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || !(part.p_flags & PF_X)) continue;
    Module& module = g_crash.modules[g_crash.module_count++];
    module.base = info->dlpi_addr;
    module.begin = module.base + part.p_vaddr;
    module.end = module.begin + part.p_memsz;
    module.name = {};
    for (size_t at = 0; at < std::min(name.size(), module.name.size() - 1); at++)
      module.name[at] = name[at] < ' ' || name[at] > '~' || name[at] == '"' || name[at] == '\\' ? '?' : name[at];
  }
  return 0;
}

}  // namespace

void report_crashes(const char* program) {
  if (kSanitized) return;  // the sanitizer's own report says more
  void* none[1];
  backtrace(none, 1);  // loads libgcc_s, and allocates
  g_crash.program = program;
  g_crash.output = Output(STDERR_FILENO);
  g_crash.module_count = 0;
  dl_iterate_phdr(remember, nullptr);
  stack_t stack{};
  stack.ss_sp = g_crash.stack;
  stack.ss_size = sizeof g_crash.stack;
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (const Fatal& fatal : kFatal) sigaction(fatal.number, &action, nullptr);
}

}  // namespace common
