#include "keyd/vault/key_turn.h"

#include "common/json_line.h"

namespace keyd {
namespace {

using ipc::Status;

// Their verification takes as long as waking another thread, or longer.
bool takes_long(KeyType type) { return type == KeyType::rsa || type == KeyType::p521; }

}  // namespace

SignerPool::Queue KeyTurn::queue_of(const Job& job) {
  using common::tls::Family;
  const auto family = facts_of(job.asked.scheme).family;
  const bool rsa = family == Family::rsa_pkcs1 || family == Family::rsa_pss;
  return job.op == ipc::Op::sign && rsa ? SignerPool::slow : SignerPool::at_once;
}

std::optional<SignerPool::Queue> KeyTurn::take(Job& job, Signer& signer, SignerPool::Queue from) {
  const ipc::Lookup& key = job.asked.key;
  using Effort = KeyStore::Effort;
  constexpr Effort kEfforts[] = {Effort::none, Effort::reads, Effort::reads, Effort::opens};  // by Queue
  const auto found = keys_.find(key.role, key.client_id, &key.spki, kEfforts[from], job.op == ipc::Op::sign);
  if (from == SignerPool::at_once && (!found.key || takes_long(found.key->info().type))) return SignerPool::quick;
  if (found.needs == Effort::opens) return SignerPool::sealed;
  if (found.key) job.outcome = with(*found.key, job, signer);
  else job.outcome = {found.status, found.reason, found.status == Status::busy ? kRetryMs : 0};
  if (const auto near = found.status == Status::not_found ? keys_.similar(key.spellings) : ""; !near.empty()) {
    job.outcome.reason = "but there is " + std::string(near) + ".pem";
    job.outcome.payload = {reinterpret_cast<const uint8_t*>(near.data()), near.size()};
  }
  return std::nullopt;
}

Outcome KeyTurn::with(PrivateKey& key, Job& job, Signer& signer) {
  const bool sign = job.op == ipc::Op::sign, own_key = job.notary != Job::Notary::not_needed;
  const KeyInfo& info = key.info();
  const Verdict verdict = sign ? may_sign(job.asked, info) : may_look_up(job.asked.key, info, own_key);
  if (verdict.status == Status::mismatch)
    return {Status::mismatch, std::string("the file holds another key: ") + name(info.type) + ", SPKI " +
                                  common::hex(info.spki.data(), info.spki.size())};
  if (!verdict) return {verdict.status, verdict.reason};
  if (sign) return signed_with(key, job, signer);
  if (job.asked.key.proof.presence == ipc::Presence::none || job.notary == Job::Notary::needed) return {};
  const char* refusal =
      handshakes_.prove(job.peer.lane, job.asked.key, own_key ? nullptr : &key, signer, job.handshake);
  return refusal ? Outcome{Status::denied, refusal} : Outcome{};
}

Outcome KeyTurn::signed_with(PrivateKey& key, Job& job, Signer& signer) {
  const ipc::Sign& asked = job.to_sign;
  if (asked.key.role == ipc::Role::device) {
    if (const auto verdict = *job.presence ? Verdict() : handshakes_.use(job.peer.lane, asked, job.handshake); !verdict)
      return {verdict.status, verdict.reason, verdict.status == Status::busy ? kRetryMs : 0};
    const std::lock_guard guard(mutex_);
    if (const uint32_t ms = key_rate_.take(asked.key.client_id, job.key_rate, uv_hrtime()))
      return {Status::busy, "key_rate", ms};
  }
  const uint64_t shortages = wolfcrypt_shortages();
  if (const auto size = signer.sign(key, asked, job.signature)) {
    const auto signature = std::span(job.signature).first(*size);
    if (asked.key.role == ipc::Role::listener)
      if (!(job.handshake = handshakes_.remember(job.peer.lane, asked.scheme, asked.content, signature)))
        return {Status::busy, "too many handshakes within presence_window", kRetryMs};
    return {Status::ok, "", 0, signature};
  }
  if (wolfcrypt_shortages() != shortages) return {Status::busy, kNoLockedMemory, kRetryMs};
  return {Status::internal, "wolfCrypt could not sign, or the signature did not verify"};
}

}  // namespace keyd
