#include "relayd/supervisor/disconnects.h"

#include <utility>

#include "relayd/handover/session_text.h"

namespace relayd {
namespace {

std::string counted(uint64_t number, const char* noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

}  // namespace

Disconnects::Disconnects(uv_loop_t* loop, void* owner, Done done)
    : loop_(loop), owner_(owner), done_(done), timer_(loop, this, common::call<&Disconnects::expire>) {}

uint32_t Disconnects::begin(uint64_t connection, Whom whom) {
  pending_.emplace(++last_, Pending{connection, std::move(whom)});
  return last_;
}

void Disconnects::expect(uint32_t request, size_t workers) {
  Pending& pending = pending_.at(request);
  pending.silent = workers;
  pending.deadline = uv_now(loop_) + static_cast<uint64_t>(kPatience.count());
  if (workers == 0) return end(request);
  arm();
}

void Disconnects::answered(uint32_t request, uint64_t sessions) {
  const auto found = pending_.find(request);
  if (found == pending_.end()) return;
  found->second.sessions += sessions;
  if (--found->second.silent == 0) end(request);
}

void Disconnects::expire() {
  while (!pending_.empty() && pending_.begin()->second.deadline <= uv_now(loop_)) end(pending_.begin()->first);
  arm();
}

void Disconnects::arm() {
  if (pending_.empty()) return timer_.stop();
  const uint64_t deadline = pending_.begin()->second.deadline, now = uv_now(loop_);
  timer_.start(common::Milliseconds(deadline > now ? deadline - now : 0));
}

void Disconnects::end(uint32_t request) {
  const Pending pending = std::move(pending_.extract(request).mapped());
  const auto& [client_id, session] = pending.whom;
  const std::string whose = session != 0 ? session_text(session) : "of \"" + client_id + "\"";
  const char* const why = session != 0 ? "; it may have ended" : "; client ids are compared byte by byte";
  std::string outcome = pending.sessions == 0 ? "there is no session " + whose + why
                                              : "ended " + counted(pending.sessions, "session") + " " + whose;
  if (pending.silent > 0)
    outcome += "; " + counted(pending.silent, "worker") + " did not answer in " +
               std::to_string(kPatience.count() / 1000) + " s";
  done_(owner_, pending.connection, pending.sessions > 0, outcome);
}

}  // namespace relayd
