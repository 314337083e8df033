// mqtt-keyd-notary: reads bytes from the network for keyd, and has no key.
//
// Its guardian (keyd/guardian) executes it, with the socket pair to keyd and its settings; it has no other use. Before
// it says that it can answer, it gives up all files, all other descriptors except standard error, and nearly all system
// calls.
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>

#include "common/config.h"
#include "common/crash_report.h"
#include "common/log.h"
#include "common/program.h"
#include "keyd/handover/notary_settings.h"
#include "keyd/notary/judge.h"
#include "keyd/notary/sandbox.h"

namespace {

using namespace keyd;
namespace log = common::log;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// Whether keyd is still there.
bool send_answer(const NotaryAnswer& answer) {
  while (send(kNotarySocket, &answer, sizeof answer, MSG_NOSIGNAL) < 0)
    if (errno == EPIPE || errno == ECONNRESET) return false;
    else if (errno != EINTR) fail("send");
  return true;
}

int refuse(int status, const std::string& problem) {
  NotaryAnswer word;
  word.wrong_setting = status == EX_CONFIG;
  strncpy(word.problem, problem.c_str(), sizeof word.problem - 1);
  try {
    return send_answer(word) ? status : 0;
  } catch (const std::system_error&) {
    log::error("exits", "only mqtt-keyd starts this program, with a socket that it inherits");
    return status;
  }
}

// Answers until keyd closes its end.
void serve(Judge& judge) {
  static uint8_t received[sizeof(Question) + ipc::kMaxClientId + ipc::kMaxSignature + ipc::kMaxTranscript];
  for (;;) {
    const ssize_t size = recv(kNotarySocket, received, sizeof received, 0);
    if (size == 0) return;
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) fail("recv");
    const auto answer = judge.answer({received, static_cast<size_t>(size)});
    if (answer && !send_answer(*answer)) return;
  }
}

int run() {
  const NotarySettings settings = NotarySettings::unpacked(common::read_sealed(kNotarySettings));
  close(kNotarySettings);
  log::open(kNotaryProgram, settings.log);
  Judge judge(settings);
  for (const trust::Concern& concern : judge.concerns(time(nullptr)))
    log::warning("certificate_concern", concern.text());
  enter_notary_sandbox();
  if (send_answer({})) serve(judge);
  return 0;
}

}  // namespace

int main() {
  int status = EX_SOFTWARE;
  log::open(kNotaryProgram);
  prctl(PR_SET_NAME, "keyd-notary", 0, 0, 0);
  common::report_crashes(kNotaryProgram);
  try {
    status = run();
  } catch (const common::ConfigError& error) {
    status = refuse(EX_CONFIG, error.what());
  } catch (const std::exception& error) {
    log::error("notary_failed", "the notary fails", {{"cause", error.what()}});
    status = refuse(EX_SOFTWARE, std::string("the notary fails: ") + error.what());
  }
  _exit(status);  // there is nothing to tidy up, and the sandbox forbids the system calls of destructors
}
