#include "relayd/supervisor/inspection.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "relayd/handover/archive.h"

namespace relayd {
namespace {

constexpr common::Milliseconds kPatience{20'000};  // 16 MiB of CRLs take 50 ms, longer on a busy machine

}  // namespace

Inspection::Inspection(uv_loop_t* loop, const common::Program& inspector, const Plan& plan, void* owner, Done done)
    : owner_(owner), done_(done), deadline_(loop, this, common::call<&Inspection::give_up>) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    throw std::system_error(errno, std::generic_category(), "a pipe from the inspector");
  answer_.reset(ends[0]);
  const common::Fd theirs(ends[1]), text = plan.to_memfd();
  if (fcntl(theirs.get(), F_SETFL, 0) != 0)
    throw std::system_error(errno, std::generic_category(), "fcntl of the inspector's pipe");
  const std::array inherited{text.get(), theirs.get()};
  static_assert(kInspectedPlanFd == 3 && kFindingsFd == 4);
  child_.emplace(loop, inspector, kInspectorName, inherited, this, common::call<&Inspection::on_death>);
  poll_.emplace(loop, answer_.get(), this, common::call<&Inspection::on_readable>);
  poll_->watch(UV_READABLE);
  deadline_.start(kPatience);
}

Inspection::~Inspection() { poll_.reset(); }

// Reads until the pipe is at its end or empty.
void Inspection::read_all() {
  char bytes[4096];
  for (;;) {
    const ssize_t got = ::read(answer_.get(), bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) poll_->watch(0);
    if (got <= 0) return;
    bytes_.append(bytes, static_cast<size_t>(got));
    if (bytes_.size() <= kMaxFindings) continue;
    child_->kill(SIGKILL);
    return;
  }
}

void Inspection::on_readable(int) { read_all(); }

void Inspection::give_up() { child_->kill(SIGKILL); }

void Inspection::on_death(const Child::Death& death) {
  const bool late = !deadline_.running();
  deadline_.stop();
  read_all();  // the pipe keeps what the dead process wrote
  poll_.reset();
  Result result;
  if (late) result.failure = "gave no answer in " + std::to_string(kPatience.count() / 1000) + " s";
  else if (bytes_.size() > kMaxFindings)
    result.failure = "answered with more than " + std::to_string(kMaxFindings) + " bytes";
  else if (!death.in_order()) result.failure = "ended with " + death.text();
  try {
    if (result.failure.empty()) result.findings = Findings::decode(bytes_);
  } catch (const BadArchive& error) {
    result.failure = std::string("gave a malformed answer: ") + error.what();
  }
  if (!result.failure.empty()) result.failure.insert(0, std::string(kInspectorProgram) + " ");
  done_(owner_, result);
}

}  // namespace relayd
