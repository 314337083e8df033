// mqtt-relayd-inspector: judges a plan's certificates, CAs and CRLs with the workers' code, answers once and exits.
// Only the supervisor executes it.
//
// Before it parses anything, it gives up files, sockets, and every system call except those needed to read the plan,
// judge it and write the answer.
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>

#include "common/config_error.h"
#include "common/crash_report.h"
#include "common/hardening.h"
#include "common/log.h"
#include "relayd/handover/findings.h"
#include "relayd/inspector/sandbox.h"
#include "relayd/tls/from_plan.h"

namespace {

using namespace relayd;
namespace log = common::log;

Findings inspect(const Plan& plan) {
  Findings findings;
  try {
    const auto add_concerns = [&](const trust::Validator* validator) {
      if (validator)
        for (auto& concern : validator->concerns(time(nullptr))) findings.concerns.push_back(std::move(concern));
    };
    for (size_t i = 0; i < plan.config.listeners.size(); i++) {
      const tls::ServerContext listener(tls::server_options(plan, i));
      for (const auto& certificate : listener.certificates()) findings.own_spkis.push_back(certificate.spki);
      add_concerns(listener.validator());
    }
    for (size_t i = 0; i < plan.config.brokers.size(); i++)
      add_concerns(tls::ClientContext(tls::client_options(plan, i)).validator());
    const auto local = tls::local_context(plan);
    if (local) add_concerns(local->validator());
    if (local && !local->certificate().empty()) findings.own_spkis.push_back(local->certificate().spki);
    findings.expiries = tls::expiries(plan);
  } catch (const common::ConfigError& error) {
    findings.problem = error.what();
  }
  return findings;
}

void answer(const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t written = write(kFindingsFd, bytes.data() + sent, bytes.size() - sent);
    if (written < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "answering");
    if (written > 0) sent += static_cast<size_t>(written);
  }
}

}  // namespace

int main() {
  common::keep_standard_numbers();
  log::open(kInspectorProgram);
  int status = 0;
  try {
    prctl(PR_SET_NAME, kInspectorName);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    require_supervisor(kInspectedPlanFd);
    common::report_crashes(kInspectorProgram);
    const auto lacking = inspector::enter_sandbox();
    const Plan plan = Plan::from_memfd(kInspectedPlanFd);
    common::accept_sandbox(lacking, plan.config.require_sandbox);
    answer(inspect(plan).encode());
  } catch (const std::exception& error) {
    log::error("exits", error.what());
    status = 1;
  }
  log::finish();
  _exit(status);  // the kernel frees the memory faster than destructors would
}
