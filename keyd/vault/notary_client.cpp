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
using Bytes = std::span<const uint8_t>;
constexpr uint64_t kDeadlineMs = 2000, kTickMs = 250, kIdleMs = 1000, kMostAwayMs = 15'000;
constexpr size_t kSent = 2;  // the question that the notary works on, and the next one

// Of a SIGN in TLS 1.3, replaces the transcript by its hash, which is the cipher suite's (RFC 8446 section 4.4.3).
bool resolve(Job& job, size_t suite_hash) {
  ipc::Sign& sign = job.to_sign;
  if (sign.kind != Kind::tls13_client_bound) return true;
  if (suite_hash != 32 && suite_hash != 48) return false;
  const auto hash = std::span(job.hash).first(suite_hash);
  if (!common::tls::sha2(sign.content, hash)) return false;
  sign.kind = Kind::tls13_client;
  sign.content = hash;
  return true;
}

}  // namespace

NotaryClient::NotaryClient(uv_loop_t& loop, NotaryEnds ends, Done done, Failed failed)
    : ends_(std::move(ends)), done_(std::move(done)), failed_(std::move(failed)), front_since_ms_(uv_now(&loop)) {
  const auto watch = [&](uv_poll_t& poll, const common::Fd& fd, uv_poll_cb ready) {
    poll.data = this;
    if (uv_poll_init(&loop, &poll, fd.get()) != 0 || uv_poll_start(&poll, UV_READABLE, ready) != 0)
      throw std::runtime_error("the notary's sockets can't be watched");
  };
  watch(answers_, ends_.notary, [](uv_poll_t* p, int, int) { static_cast<NotaryClient*>(p->data)->receive(); });
  watch(deaths_, ends_.guardian, [](uv_poll_t* p, int, int) { static_cast<NotaryClient*>(p->data)->hear(); });
  uv_timer_init(&loop, &timer_);
  timer_.data = this;
  uv_timer_start(
      &timer_, [](uv_timer_t* timer) { static_cast<NotaryClient*>(timer->data)->tick(); }, kTickMs, kTickMs);
}

void NotaryClient::stop() {
  for (auto* handle : {reinterpret_cast<uv_handle_t*>(&answers_), reinterpret_cast<uv_handle_t*>(&deaths_),
                       reinterpret_cast<uv_handle_t*>(&timer_)})
    if (!uv_is_closing(handle)) uv_close(handle, nullptr);
}

void NotaryClient::ask(JobPtr job) {
  waiting_.push(std::move(job));
  send_waiting();
}

void NotaryClient::send_waiting() {
  while (!away() && sent_.size() < kSent && !waiting_.empty()) send(waiting_.pop());
}

// Without a job: only to see whether the notary answers.
void NotaryClient::send(JobPtr job) {
  if (job && job->given_up()) return done_(std::move(job));
  const ipc::Sign asked = job ? job->asked : ipc::Sign();
  const auto& [key, kind, sign_scheme, content] = asked;
  const auto& [presence, scheme, signature, messages] = key.proof;
  const Question question{++last_,
                          kind,
                          presence,
                          scheme,
                          key.spki,
                          static_cast<uint16_t>(key.client_id.size()),
                          static_cast<uint16_t>(signature.size())};
  const auto part = [](const void* data, size_t size) { return iovec{const_cast<void*>(data), size}; };
  iovec parts[] = {part(&question, sizeof question), part(key.client_id.data(), key.client_id.size()),
                   part(signature.data(), signature.size()), part(messages.data(), messages.size()),
                   part(content.data(), content.size())};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = std::size(parts);
  // A question that is not sent, because there is no room or no notary, ends like one that gets no answer.
  ::sendmsg(ends_.notary.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent_.empty()) front_since_ms_ = uv_now(timer_.loop);
  sent_.push_back({question.job, std::move(job)});
}

void NotaryClient::receive() {
  NotaryAnswer answer;
  const ssize_t got = ::recv(ends_.notary.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return fail("the notary and its guardian are gone");
  answer.problem[sizeof answer.problem - 1] = '\0';
  if (got != sizeof answer) return;
  if (answer.job == 0 && answer.problem[0] == '\0') {  // a new notary
    if (away()) common::log::info("notary_back", "the notary answers again");
    away_since_ms_ = 0;
    front_since_ms_ = uv_now(timer_.loop);
  } else if (!sent_.empty() && sent_.front().question == answer.job) {
    if (JobPtr job = take_front()) {
      if (answer.problem[0] != '\0') job->outcome = {Status::denied, answer.problem};
      else if (!resolve(*job, answer.transcript_hash)) job->outcome = {Status::internal, "the notary named no hash"};
      else if (job->notary == Job::Notary::needed) job->notary = Job::Notary::agreed;
      done_(std::move(job));
    }
  }
  send_waiting();
}

JobPtr NotaryClient::take_front() {
  JobPtr job = std::move(sent_.front().job);
  sent_.pop_front();
  front_since_ms_ = uv_now(timer_.loop);
  return job;
}

// It answers in order, so the first question is the one that it was working on. The others are still in the socket and
// are the next notary's.
void NotaryClient::lose_front(const char* why) {
  if (away()) return;
  away_since_ms_ = uv_now(timer_.loop);
  if (sent_.empty()) return;
  if (JobPtr job = take_front()) {
    job->outcome = {Status::internal, why};
    done_(std::move(job));
  }
}

void NotaryClient::hear() {
  char death[128];
  const ssize_t got = ::recv(ends_.guardian.get(), death, sizeof death, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return fail("the notary's guardian is gone");
  lose_front("the notary died of this question");
}

void NotaryClient::tick() {
  const uint64_t now = uv_now(timer_.loop);
  if (away() && now - away_since_ms_ > kMostAwayMs) return fail("the notary could not be restarted");
  if (away()) return;
  if (sent_.empty() && now - front_since_ms_ >= kIdleMs) return send(nullptr);
  if (sent_.empty() || now - front_since_ms_ <= kDeadlineMs) return;
  lose_front("the notary gave no answer");
  const char kill = 0;
  ::send(ends_.guardian.get(), &kill, sizeof kill, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void NotaryClient::fail(const char* why) {
  stop();
  failed_(why);
}

}  // namespace keyd
