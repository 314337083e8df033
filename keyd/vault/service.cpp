#include "keyd/vault/service.h"

#include <strings.h>

#include <algorithm>

#include "common/json_line.h"

namespace keyd {
namespace {

using ipc::Status;
constexpr size_t kQueues = 4;
constexpr uint32_t kQueueRetryMs = 100;
constexpr uint64_t kFirstLookMs = 2, kLastLookMs = 50;    // between looks at an audit whose reader is slow
constexpr std::chrono::milliseconds kBeforeTimeout{250};  // time for the refusal to arrive

// Ranks waiting answers for their audit line, furthest handshake first: the device's signature ends one, its lookup is
// in the middle, the listener's signature begins one.
int rank_of(const Job& job) {
  if (job.op == ipc::Op::lookup) return 1;
  return job.asked.key.role == ipc::Role::device ? 0 : 2;
}

AuditEvent event_of(const Job& job, ipc::Status status, std::string_view reason) {
  const auto handshake = job.handshake ? std::span<const uint8_t>(*job.handshake) : std::span<const uint8_t>();
  return {ipc::name(job.op),
          job.peer,
          &job.asked.key,
          job.op == ipc::Op::sign ? &job.asked : nullptr,
          status,
          reason,
          job.wait_us,
          job.spent_us,
          handshake,
          job.presence};
}

std::string other_key(const KeyInfo& info) {
  return std::string("the file holds another key: ") + name(info.type) + ", SPKI " +
         common::hex(info.spki.data(), info.spki.size());
}

}  // namespace

Service::Service(uv_loop_t& loop, KeyStore& keys, Audit& audit, const Options& options, common::Fd notary)
    : keys_(keys),
      audit_(audit),
      options_(options),
      worker_rate_(options.worker_rate),
      key_rate_(options.key_rate),
      handshakes_(options.presence_window),
      pool_(loop, options.signers, handshakes_, [this](JobPtr job) { signed_or_not(std::move(job)); }) {
  uv_timer_init(&loop, &again_);
  again_.data = this;
  if (!options.rules.bind_remote) return;
  notary_ = std::make_unique<NotaryClient>(loop, std::move(notary),
                                           [this](JobPtr job, Status status, std::string_view problem) {
                                             if (status == Status::ok) pool_.submit(std::move(job));
                                             else end(std::move(job), {status, std::string(problem), 0, {}});
                                           });
}

void Service::stop() {
  pool_.stop();
  if (auto* timer = reinterpret_cast<uv_handle_t*>(&again_); !uv_is_closing(timer)) uv_close(timer, nullptr);
  if (notary_) notary_->stop();
}

void Service::take(uint64_t connection, const Peer& peer, const ipc::Request& request, std::vector<uint8_t> datagram,
                   uint64_t wait_us) {
  if (request.op() == ipc::Op::stats) {
    ipc::ResponseBuffer out;
    const auto payload = ipc::encode_counters(counters());
    return reply_(connection, std::span(out).first(ipc::encode({request.id, Status::ok, 0, payload}, out)));
  }
  auto job = std::make_unique<Job>();
  job->connection = connection;
  job->peer = peer;
  job->id = request.id;
  job->op = request.op();
  job->datagram = std::move(datagram);  // moving keeps its bytes in place: the decoded request is a view of them
  if (const auto* sign = std::get_if<ipc::Sign>(&request.body)) job->asked = job->to_sign = *sign;
  else job->asked.key = std::get<ipc::Lookup>(request.body);
  job->accepted_ns = uv_hrtime();
  job->wait_us = wait_us;
  const auto timeout = static_cast<uint64_t>(std::chrono::nanoseconds(peer.timeout).count());
  job->deadline_ns = job->accepted_ns + timeout - std::min(timeout, wait_us * 1000);
  queued_[peer.lane]++;
  all_queued_++;
  Outcome outcome = decide(*job);
  job->spent_us = (uv_hrtime() - job->accepted_ns) / 1000;
  if (job->op == ipc::Op::sign && outcome.status == Status::ok) begin(std::move(job));
  else end(std::move(job), std::move(outcome));
}

Service::Outcome Service::decide(Job& job) {
  if (job.given_up()) return {Status::internal, "too late", 0, {}};  // recorded, not answered
  Outcome outcome = admit(job.peer);
  if (outcome.status != Status::ok) return outcome;
  // A lookup waits only for its audit line.
  if ((job.op == ipc::Op::sign || audit_.degraded()) &&
      (queued_[job.peer.lane] > options_.max_queue || all_queued_ > kQueues * options_.max_queue))
    return {Status::busy, "max_queue", kQueueRetryMs, {}};
  return job.op == ipc::Op::sign ? accept(job) : lookup(job.asked.key);
}

Service::Outcome Service::admit(const Peer& peer) {
  if (!audit_.ready() && audit_.stalled()) return {Status::internal, "the audit can't be written", 0, {}};
  if (const uint32_t ms = worker_rate_.take(std::to_string(peer.lane), uv_hrtime()))
    return {Status::busy, "worker_rate", ms, {}};
  return {};
}

Service::Outcome Service::lookup(const ipc::Lookup& lookup) {
  if (const Verdict verdict = may_ask(lookup); !verdict) return {verdict.status, verdict.reason, 0, {}};
  const auto found = keys_.find(lookup.role, lookup.client_id);
  if (const auto near = found.status == Status::not_found ? keys_.similar(lookup.spellings) : ""; !near.empty())
    return {found.status,
            "but there is " + std::string(near) + ".pem",
            0,
            {reinterpret_cast<const uint8_t*>(near.data()), near.size()}};
  if (!found.key) return {found.status, found.reason, 0, {}};
  if (!found.key->info().is_of(lookup.spki)) return {Status::mismatch, other_key(found.key->info()), 0, {}};
  return {};
}

Service::Outcome Service::accept(Job& job) {
  const ipc::Sign& sign = job.asked;
  if (const Verdict verdict = may_ask(sign, options_.rules); !verdict) return {verdict.status, verdict.reason, 0, {}};
  if (sign.key.role == ipc::Role::device && sign.proof.presence == ipc::Presence::none) {
    job.presence = !options_.rules.require_presence ? "not required" : job.peer.uid == 0 ? "exempt (root)" : "";
    if (!*job.presence) return {Status::denied, "no proof of presence", 0, {}};
  }
  const auto found = keys_.find(sign.key.role, sign.key.client_id, &sign.key.spki);
  if (!found.key) return {found.status, found.reason, 0, {}};
  if (const Verdict verdict = may_sign(sign, found.key->info()); !verdict)
    return {verdict.status, verdict.status == Status::mismatch ? other_key(found.key->info()) : verdict.reason, 0, {}};
  if (sign.key.role == ipc::Role::device)
    if (const uint32_t ms = key_rate_.take(sign.key.client_id, uv_hrtime())) return {Status::busy, "key_rate", ms, {}};
  job.key = found.key;
  return {};
}

void Service::begin(JobPtr job) {
  if (notary_ && job->asked.key.role == ipc::Role::device) notary_->ask(std::move(job));
  else pool_.submit(std::move(job));
}

void Service::signed_or_not(JobPtr job) {
  Outcome outcome{Status::internal, "wolfCrypt could not sign, or the signature did not verify", 0, {}};
  if (job->refusal) outcome = {Status::denied, job->refusal, 0, {}};
  else if (job->size) outcome = {Status::ok, "", 0, std::span(job->signature).first(*job->size)};
  end(std::move(job), outcome);
}

void Service::end(JobPtr job, Outcome outcome) {
  if (job->given_up()) {
    leave(*job);
    return give_up();
  }
  if (begun_ || !waiting_.empty()) return hold(Audit::Written::later, std::move(job), std::move(outcome));
  const auto written = audit_.try_write(event_of(*job, outcome.status, outcome.reason));
  if (written == Audit::Written::yes) answer(std::move(job), outcome);
  else hold(written, std::move(job), std::move(outcome));
}

void Service::leave(const Job& job) {
  all_queued_--;
  if (const auto lane = queued_.find(job.peer.lane); --lane->second == 0) queued_.erase(lane);
}

void Service::give_up() {
  given_up_++;
  if (audit_.degraded()) audit_.lost();
}

// Keeps an answer until its line is written or its peer's timeout is near. Refusals beyond max_queue do not wait.
void Service::hold(Audit::Written how, JobPtr job, Outcome outcome) {
  if (!uv_is_active(reinterpret_cast<uv_handle_t*>(&again_))) again_ms_ = kFirstLookMs, look_again();
  if (how == Audit::Written::no || audit_.stalled() || outcome.status == Status::busy) return refuse(std::move(job));
  const std::pair key{rank_of(*job), ++last_waiting_};
  Waiting waiting{std::move(job), std::move(outcome)};
  if (how == Audit::Written::begun) begun_ = std::move(waiting);
  else waiting_.emplace(key, std::move(waiting));
}

void Service::refuse(JobPtr job) {
  audit_.lost();
  answer(std::move(job), {Status::internal, "", 0, {}});
}

void Service::look_again() {
  const auto look = [](uv_timer_t* timer) {
    auto& self = *static_cast<Service*>(timer->data);
    self.expire();
    self.release();
    if (!self.begun_ && self.waiting_.empty()) return;
    self.again_ms_ = std::min(2 * self.again_ms_, kLastLookMs);
    self.look_again();
  };
  uv_timer_start(&again_, look, again_ms_, 0);
}

void Service::expire() {
  const uint64_t soon = uv_hrtime() + static_cast<uint64_t>(std::chrono::nanoseconds(kBeforeTimeout).count());
  const auto is_over = [&](const Waiting& waiting) {
    return waiting.job->deadline_ns <= soon || waiting.job->given_up() || audit_.stalled();
  };
  const auto drop = [&](JobPtr job) {
    if (!job->given_up()) return refuse(std::move(job));
    leave(*job);
    give_up();
  };
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (!is_over(it->second)) {
      ++it;
      continue;
    }
    drop(std::move(it->second.job));
    it = waiting_.erase(it);
  }
  if (begun_ && is_over(*begun_)) drop(std::move(std::exchange(begun_, std::nullopt)->job));
}

void Service::release() {
  if (!audit_.ready()) return;
  if (auto waiting = std::exchange(begun_, std::nullopt)) answer(std::move(waiting->job), waiting->outcome);
  while (!waiting_.empty() && !begun_) {
    Waiting& next = waiting_.begin()->second;
    const auto written = audit_.try_write(event_of(*next.job, next.outcome.status, next.outcome.reason));
    if (written == Audit::Written::later) return;
    Waiting waiting = std::move(next);
    waiting_.erase(waiting_.begin());
    again_ms_ = kFirstLookMs;
    if (written == Audit::Written::yes) answer(std::move(waiting.job), waiting.outcome);
    else if (written == Audit::Written::no) refuse(std::move(waiting.job));
    else begun_ = std::move(waiting);
  }
}

void Service::answer(JobPtr job, const Outcome& outcome) {
  leave(*job);
  if (outcome.status != Status::ok) refusals_++;
  else job->op == ipc::Op::sign ? signatures_++ : lookups_++;
  ipc::ResponseBuffer out;
  const size_t size = ipc::encode({job->id, outcome.status, outcome.retry_after_ms, outcome.payload}, out);
  reply_(job->connection, std::span(out).first(size));
  explicit_bzero(out.data(), size);
  explicit_bzero(job->signature.data(), job->signature.size());
}

ipc::Counters Service::counters() {
  return {lookups_, signatures_, refusals_, keys_.cached(), given_up_, audit_.degraded(), mark()};
}

}  // namespace keyd
