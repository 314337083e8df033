#include "relayd/supervisor/trust_watch.h"

#include <algorithm>
#include <system_error>

#include "common/log.h"

namespace relayd {
namespace {

namespace log = common::log;
using trust::Concern;

// Ignores the problem's text: it may name the time of day, which differs at each check.
bool same(const Concern& a, const Concern& b) {
  return a.kind == b.kind && a.file == b.file && a.subject == b.subject && a.harmless == b.harmless;
}

bool has(const std::vector<Concern>& concerns, const Concern& one) {
  return std::any_of(concerns.begin(), concerns.end(), [&](const Concern& other) { return same(one, other); });
}

}  // namespace

void TrustWatch::update(Findings findings) {
  std::vector<Concern> found;  // the same file may serve both sides
  for (auto& concern : findings.concerns)
    if (!has(found, concern)) found.push_back(std::move(concern));
  for (const auto& concern : found)
    if (!has(concerns_, concern))
      log::write(concern.harmless ? log::Level::info : log::Level::warning, "certificate_concern", concern.text(), {});
  for (const auto& concern : concerns_)
    if (!has(found, concern))
      log::info("certificate_concern_over", concern.file + ": " + concern.subject + ": the problem is over",
                {{"was", concern.problem}});
  concerns_ = std::move(found);
  expiries_ = std::move(findings.expiries);
}

void TrustWatch::look(uv_loop_t* loop, const common::Program& inspector, const Plan& plan) {
  if (inspection_) return;
  try {
    inspection_.emplace(loop, inspector, plan, this, common::call<&TrustWatch::on_looked>);
  } catch (const std::system_error& error) {
    log::warning("certificates_unchecked", "CAs and CRLs can't be checked now", {{"cause", error.what()}});
  }
}

void TrustWatch::on_looked(const Inspection::Result& result) {
  inspection_.reset();
  if (result.failure.empty()) return update(result.findings);
  log::warning("certificates_unchecked", "CAs and CRLs can't be checked now", {{"cause", result.failure}});
}

std::vector<Concern> TrustWatch::concerns() const {
  std::vector<Concern> concerns;
  std::copy_if(concerns_.begin(), concerns_.end(), std::back_inserter(concerns),
               [](const Concern& concern) { return !concern.harmless; });
  return concerns;
}

}  // namespace relayd
