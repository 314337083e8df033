#include "keyd/vault/service.h"

#include <strings.h>

#include "common/json_line.h"

namespace keyd {
namespace {

using ipc::Status;
constexpr size_t kQueues = 4;
constexpr uint32_t kQueueRetryMs = 100;

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
      pool_(loop, options.signers, [this](JobPtr job) { signed_or_not(std::move(job)); }) {
  if (!options.rules.bind_remote) return;
  notary_ = std::make_unique<NotaryClient>(
      loop, std::move(notary), [this](JobPtr job, Status status, std::string_view problem) {
        if (status == Status::ok) pool_.submit(std::move(job));
        else end(std::move(job), {status, std::string(problem), status == Status::busy ? kQueueRetryMs : 0, {}});
      });
}

void Service::stop() {
  pool_.stop();
  if (notary_) notary_->stop();
}

void Service::take(uint64_t connection, const Peer& peer, const ipc::Request& request,
                   std::span<const uint8_t> datagram, uint64_t wait_us) {
  if (request.op() == ipc::Op::stats) {
    ipc::ResponseBuffer out;
    const auto payload = ipc::encode_counters(counters());
    return reply_(connection, std::span(out).first(ipc::encode({request.id, Status::ok, 0, payload}, out)));
  }
  const auto* sign = std::get_if<ipc::Sign>(&request.body);
  const ipc::Lookup& key = sign ? sign->key : std::get<ipc::Lookup>(request.body);
  const uint64_t started = uv_hrtime();
  std::shared_ptr<PrivateKey> to_use;
  Outcome outcome = admit(peer);
  if (outcome.status == Status::ok) outcome = sign ? accept(*sign, to_use) : lookup(key);
  if (!sign || outcome.status != Status::ok)
    return answer(connection, request.id,
                  {ipc::name(request.op()), peer, &key, sign, outcome.status, outcome.reason, wait_us,
                   (uv_hrtime() - started) / 1000},
                  outcome);
  auto job = std::make_unique<Job>();
  job->connection = connection;
  job->peer = peer;
  job->id = request.id;
  job->datagram.assign(datagram.begin(), datagram.end());
  job->asked = job->to_sign = std::get<ipc::Sign>(ipc::decode_request(job->datagram)->body);
  job->key = std::move(to_use);
  job->accepted_ns = started;
  job->wait_us = wait_us;
  begin(std::move(job));
}

Service::Outcome Service::admit(const Peer& peer) {
  if (!audit_.ready()) return {Status::internal, "the audit can't be written", 0, {}};
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

Service::Outcome Service::accept(const ipc::Sign& sign, std::shared_ptr<PrivateKey>& key) {
  if (const Verdict verdict = may_ask(sign, options_.rules); !verdict) return {verdict.status, verdict.reason, 0, {}};
  const auto found = keys_.find(sign.key.role, sign.key.client_id, &sign.key.spki);
  if (!found.key) return {found.status, found.reason, 0, {}};
  if (const Verdict verdict = may_sign(sign, found.key->info()); !verdict)
    return {verdict.status, verdict.status == Status::mismatch ? other_key(found.key->info()) : verdict.reason, 0, {}};
  if (sign.key.role == ipc::Role::device)
    if (const uint32_t ms = key_rate_.take(sign.key.client_id, uv_hrtime())) return {Status::busy, "key_rate", ms, {}};
  key = found.key;
  return {};
}

void Service::begin(JobPtr job) {
  size_t& queued = queued_[job->peer.lane];
  queued++;
  all_queued_++;
  if (queued > options_.max_queue || all_queued_ > kQueues * options_.max_queue)
    return end(std::move(job), {Status::busy, "max_queue", kQueueRetryMs, {}});
  if (is_bound(job->asked.kind)) notary_->ask(std::move(job));
  else pool_.submit(std::move(job));
}

void Service::signed_or_not(JobPtr job) {
  Outcome outcome{Status::internal, "wolfCrypt could not sign, or the signature did not verify", 0, {}};
  if (job->size) outcome = {Status::ok, "", 0, std::span(job->signature).first(*job->size)};
  end(std::move(job), outcome);
}

void Service::end(JobPtr job, Outcome outcome) {
  all_queued_--;
  if (const auto worker = queued_.find(job->peer.lane); --worker->second == 0) queued_.erase(worker);
  answer(job->connection, job->id,
         {ipc::name(ipc::Op::sign), job->peer, &job->asked.key, &job->asked, outcome.status, outcome.reason,
          job->wait_us, job->spent_us},
         outcome);
  explicit_bzero(job->signature.data(), job->signature.size());
}

void Service::answer(uint64_t connection, uint32_t id, AuditEvent event, Outcome outcome) {
  if (!audit_.write(event)) outcome = {Status::internal, "", 0, {}};
  if (outcome.status != Status::ok) refusals_++;
  else event.sign ? signatures_++ : lookups_++;
  ipc::ResponseBuffer out;
  const size_t size = ipc::encode({id, outcome.status, outcome.retry_after_ms, outcome.payload}, out);
  reply_(connection, std::span(out).first(size));
  explicit_bzero(out.data(), size);
}

ipc::Counters Service::counters() const {
  return {lookups_, signatures_, refusals_, keys_.cached(), audit_.degraded()};
}

}  // namespace keyd
