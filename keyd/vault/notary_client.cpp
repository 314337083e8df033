#include "keyd/vault/notary_client.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <stdexcept>
#include <utility>

#include "common/log.h"
#include "common/tls/sha2.h"
#include "keyd/handover/question.h"

namespace keyd {
namespace {

using ipc::Kind;
using ipc::Status;
constexpr uint64_t kDeadlineMs = 2000, kTickMs = 250;

// In TLS 1.3, replaces the transcript by its hash, which is the cipher suite's (RFC 8446 section 4.4.3).
bool resolve(Job& job, size_t suite_hash) {
  ipc::Sign& sign = job.to_sign;
  if (sign.kind == Kind::tls12_client) return true;
  if (suite_hash != 32 && suite_hash != 48) return false;
  const auto hash = std::span(job.hash).first(suite_hash);
  if (!common::tls::sha2(sign.content, hash)) return false;
  sign.kind = Kind::tls13_client;
  sign.content = hash;
  return true;
}

}  // namespace

NotaryClient::NotaryClient(uv_loop_t& loop, common::Fd notary, Done done)
    : fd_(std::move(notary)), done_(std::move(done)) {
  uv_timer_init(&loop, &timer_);
  timer_.data = poll_.data = this;
  const auto tick = [](uv_timer_t* timer) { static_cast<NotaryClient*>(timer->data)->expire(); };
  if (uv_poll_init(&loop, &poll_, fd_.get()) != 0 || uv_timer_start(&timer_, tick, kTickMs, kTickMs) != 0)
    throw std::runtime_error("the notary's socket can't be watched");
  watch(UV_READABLE);
}

void NotaryClient::watch(int events) {
  const auto ready = [](uv_poll_t* poll, int, int happened) {
    auto& self = *static_cast<NotaryClient*>(poll->data);
    if (happened & UV_WRITABLE) self.send_waiting();
    else self.receive();
  };
  if (std::exchange(watched_, events) != events) uv_poll_start(&poll_, events, ready);
}

void NotaryClient::stop() {
  for (auto* handle : {reinterpret_cast<uv_handle_t*>(&poll_), reinterpret_cast<uv_handle_t*>(&timer_)})
    if (!uv_is_closing(handle)) uv_close(handle, nullptr);
}

void NotaryClient::ask(JobPtr job) {
  waiting_.emplace(++last_, Waiting{std::move(job), uv_now(timer_.loop) + kDeadlineMs});
  send_waiting();
}

// The socket has room for some questions; the others wait, within their deadline.
void NotaryClient::send_waiting() {
  for (auto it = waiting_.upper_bound(sent_up_to_); it != waiting_.end(); ++it) {
    const Question question{it->first, it->second.job->asked.kind, it->second.job->asked.key.spki};
    const auto transcript = it->second.job->asked.content;
    const iovec parts[] = {{const_cast<Question*>(&question), sizeof question},
                           {const_cast<uint8_t*>(transcript.data()), transcript.size()}};
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = 2;
    if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EAGAIN)
      return watch(UV_READABLE | UV_WRITABLE);
    sent_up_to_ = it->first;  // even if the notary is gone: the question then ends at its deadline
  }
  if (watched_ != 0) watch(UV_READABLE);
}

void NotaryClient::receive() {
  NotaryAnswer answer;
  const ssize_t got = ::recv(fd_.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    common::log::error("the notary is gone: no device's key signs until keyd is restarted");
    uv_poll_stop(&poll_);
    watched_ = 0;
    return;
  }
  auto node = waiting_.extract(answer.job);
  if (got != sizeof answer || node.empty()) return;
  answer.problem[sizeof answer.problem - 1] = '\0';
  JobPtr job = std::move(node.mapped().job);
  if (answer.problem[0] != '\0') done_(std::move(job), Status::denied, answer.problem);
  else if (!resolve(*job, answer.transcript_hash)) done_(std::move(job), Status::internal, "the notary named no hash");
  else done_(std::move(job), Status::ok, "");
}

void NotaryClient::expire() {
  while (!waiting_.empty() && waiting_.begin()->second.deadline_ms <= uv_now(timer_.loop)) {
    auto node = waiting_.extract(waiting_.begin());
    done_(std::move(node.mapped().job), Status::internal, "the notary gave no answer");
  }
}

}  // namespace keyd
