#include "keyd/vault/service.h"

#include <strings.h>

#include <algorithm>

#include "common/json_line.h"

namespace keyd {
namespace {

using ipc::Status;
constexpr uint64_t kFirstLookMs = 2, kLastLookMs = 50;    // between looks at an audit whose reader is slow
constexpr std::chrono::milliseconds kBeforeTimeout{250};  // time for the refusal to arrive

AuditEvent event_of(const Job& job) {
  const auto handshake = job.handshake ? std::span<const uint8_t>(*job.handshake) : std::span<const uint8_t>();
  return {ipc::name(job.op),  job.peer,           &job.asked.key, job.op == ipc::Op::sign ? &job.asked : nullptr,
          job.outcome.status, job.outcome.reason, job.wait_us,    job.spent_us,
          handshake,          job.presence};
}

}  // namespace

Service::Service(uv_loop_t& loop, KeyStore& keys, Audit& audit, const Options& options, NotaryEnds notary)
    : keys_(keys),
      audit_(audit),
      options_(options),
      turn_(keys, options.presence_window),
      pool_(
          loop, options.signers,
          [this](Job& job, Signer& signer, SignerPool::Queue from) { return turn_.take(job, signer, from); },
          [this](JobPtr job) { end(std::move(job)); }) {
  uv_timer_init(&loop, &again_);
  again_.data = this;
  if (!options.rules.bind_remote && !options.rules.bind_device) return;
  notary_ = std::make_unique<NotaryClient>(
      loop, std::move(notary),
      [this](JobPtr job) { job->outcome.status == Status::ok ? take_turn(std::move(job)) : end(std::move(job)); },
      [this](const char* why) { failed_(why); });
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
  job->key_rate = options_.key_rate;
  job->accepted_ns = uv_hrtime();
  job->wait_us = wait_us;
  const auto timeout = static_cast<uint64_t>(std::chrono::nanoseconds(peer.timeout).count());
  job->deadline_ns = job->accepted_ns + timeout - std::min(timeout, wait_us * 1000);
  queued_[peer.lane].add(*job);
  all_queued_.add(*job);
  job->outcome = decide(*job);
  if (job->outcome.status == Status::ok) begin(std::move(job));
  else end(std::move(job));
}

Outcome Service::decide(Job& job) {
  if (job.given_up()) return {Status::internal, "too late"};  // recorded, not answered
  if (!audit_.ready() && audit_.stalled()) return {Status::internal, "the audit can't be written"};
  if (const uint32_t ms = worker_rate_.take(std::to_string(job.peer.lane), options_.worker_rate, uv_hrtime()))
    return {Status::busy, "worker_rate", ms};
  const Share& own = queued_.at(job.peer.lane);
  const size_t all = kShares * options_.max_queue, all_bytes = kShares * kMostBytes, lanes = queued_.size();
  if (own.exceeds(options_.max_queue, kMostBytes) ||
      (all_queued_.exceeds(all, all_bytes) && own.exceeds(all / lanes, all_bytes / lanes)))
    return {Status::busy, "max_queue", kRetryMs};
  const ipc::Sign& asked = job.asked;
  const bool sign = job.op == ipc::Op::sign;
  if (const Verdict verdict = sign ? may_ask(asked, options_.rules) : may_ask(asked.key); !verdict)
    return {verdict.status, verdict.reason};
  if (asked.key.role == ipc::Role::device && asked.key.proof.presence == ipc::Presence::none)
    job.presence = !options_.rules.require_presence ? "not required" : job.peer.uid == 0 ? "exempt (root)" : "";
  else if (asked.key.role == ipc::Role::device && options_.rules.bind_device) job.notary = Job::Notary::needed;
  return {};
}

void Service::begin(JobPtr job) {
  const bool bound = options_.rules.bind_remote && job->op == ipc::Op::sign && job->asked.key.role == ipc::Role::device;
  if (bound) notary_->ask(std::move(job));
  else take_turn(std::move(job));
}

void Service::take_turn(JobPtr job) {
  const auto queue = KeyTurn::queue_of(*job);
  pool_.submit(std::move(job), queue);
}

void Service::end(JobPtr job) {
  if (job->given_up()) {
    leave(*job);
    return give_up();
  }
  if (job->notary == Job::Notary::needed && job->outcome.status == Status::ok) return notary_->ask(std::move(job));
  const uint64_t all_us = (uv_hrtime() - job->accepted_ns) / 1000;
  job->wait_us += all_us - std::min(job->spent_us, all_us);
  if (audit_.counts(event_of(*job))) return answer(std::move(job));
  if (begun_ || !waiting_.empty()) return hold(Audit::Written::later, std::move(job));
  const auto written = audit_.try_write(event_of(*job));
  if (written == Audit::Written::yes) answer(std::move(job));
  else hold(written, std::move(job));
}

void Service::leave(const Job& job) {
  all_queued_.drop(job);
  const auto lane = queued_.find(job.peer.lane);
  lane->second.drop(job);
  if (lane->second.requests == 0) queued_.erase(lane);
}

void Service::give_up() {
  given_up_++;
  if (audit_.degraded()) audit_.lost();
}

// Keeps an answer until its line is written or its peer's timeout is near. Refusals beyond max_queue do not wait.
void Service::hold(Audit::Written how, JobPtr job) {
  if (!uv_is_active(reinterpret_cast<uv_handle_t*>(&again_))) again_ms_ = kFirstLookMs, look_again();
  if (how == Audit::Written::no || audit_.stalled() || job->outcome.status == Status::busy)
    return refuse(std::move(job));
  // The device's signature ends a handshake, its lookup is in the middle, the listener's signature begins one.
  const int rank = job->op == ipc::Op::lookup ? 1 : job->asked.key.role == ipc::Role::device ? 0 : 2;
  if (how == Audit::Written::begun) begun_ = std::move(job);
  else waiting_.emplace(rank, std::move(job));
}

void Service::refuse(JobPtr job) {
  audit_.lost();
  job->outcome = {Status::internal};
  answer(std::move(job));
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
  const auto is_over = [&](const Job& job) { return job.deadline_ns <= soon || job.given_up() || audit_.stalled(); };
  const auto drop = [&](JobPtr job) {
    if (!job->given_up()) return refuse(std::move(job));
    leave(*job);
    give_up();
  };
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (!is_over(*it->second)) {
      ++it;
      continue;
    }
    drop(std::move(it->second));
    it = waiting_.erase(it);
  }
  if (begun_ && is_over(*begun_)) drop(std::move(begun_));
}

void Service::release() {
  if (!audit_.ready()) return;
  if (begun_) answer(std::exchange(begun_, nullptr));
  while (!waiting_.empty() && !begun_) {
    const auto written = audit_.try_write(event_of(*waiting_.begin()->second));
    if (written == Audit::Written::later) return;
    JobPtr job = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    again_ms_ = kFirstLookMs;
    if (written == Audit::Written::yes) answer(std::move(job));
    else if (written == Audit::Written::no) refuse(std::move(job));
    else begun_ = std::move(job);
  }
}

void Service::answer(JobPtr job) {
  leave(*job);
  const Outcome& outcome = job->outcome;
  if (outcome.status != Status::ok) refusals_++;
  else job->op == ipc::Op::sign ? signatures_++ : lookups_++;
  ipc::ResponseBuffer out;
  const size_t size = ipc::encode({job->id, outcome.status, outcome.retry_after_ms, outcome.payload}, out);
  reply_(job->connection, std::span(out).first(size));
  explicit_bzero(out.data(), size);
  explicit_bzero(job->signature.data(), job->signature.size());
}

ipc::Counters Service::counters() {
  return {lookups_, signatures_, refusals_, keys_.cached(), given_up_, audit_.degraded(), notary_ && notary_->away(),
          mark()};
}

}  // namespace keyd
