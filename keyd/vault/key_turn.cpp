#include "keyd/vault/key_turn.h"

#include "common/json_line.h"

namespace keyd {
namespace {

using ipc::Status;

Outcome other_key(const KeyInfo& info) {
  return {Status::mismatch, std::string("the file holds another key: ") + name(info.type) + ", SPKI " +
                                common::hex(info.spki.data(), info.spki.size())};
}

}  // namespace

SignerPool::Queue KeyTurn::queue_of(const Job& job) {
  using common::tls::Family;
  const auto family = facts_of(job.asked.scheme).family;
  const bool rsa = family == Family::rsa_pkcs1 || family == Family::rsa_pss;
  return job.op == ipc::Op::sign && rsa ? SignerPool::slow : SignerPool::quick;
}

std::optional<SignerPool::Queue> KeyTurn::take(Job& job, Signer& signer, SignerPool::Queue from) {
  const ipc::Lookup& key = job.asked.key;
  const bool sign = job.op == ipc::Op::sign;
  const auto found = keys_.find(key.role, key.client_id, sign ? &key.spki : nullptr, from == SignerPool::sealed);
  if (found.sealed) return SignerPool::sealed;
  if (!sign) job.outcome = looked_up(job, found);
  else if (!found.key) job.outcome = {found.status, found.reason, found.status == Status::busy ? kRetryMs : 0};
  else job.outcome = signed_with(*found.key, job, signer);
  return std::nullopt;
}

Outcome KeyTurn::looked_up(const Job& job, const KeyStore::Found& found) const {
  if (const auto near = found.status == Status::not_found ? keys_.similar(job.asked.key.spellings) : ""; !near.empty())
    return {found.status,
            "but there is " + std::string(near) + ".pem",
            0,
            {reinterpret_cast<const uint8_t*>(near.data()), near.size()}};
  if (!found.key) return {found.status, found.reason, found.status == Status::busy ? kRetryMs : 0};
  return found.key->info().is_of(job.asked.key.spki) ? Outcome{} : other_key(found.key->info());
}

Outcome KeyTurn::signed_with(PrivateKey& key, Job& job, Signer& signer) {
  if (const Verdict verdict = may_sign(job.asked, key.info()); !verdict)
    return verdict.status == Status::mismatch ? other_key(key.info()) : Outcome{verdict.status, verdict.reason};
  const ipc::Sign& asked = job.to_sign;
  const uint64_t lane = job.peer.lane;
  if (asked.proof.presence != ipc::Presence::none)
    if (const char* refusal = handshakes_.prove(lane, asked, key, signer, job.handshake))
      return {Status::denied, refusal};
  if (const uint32_t ms = key_rate_of(job.asked)) return {Status::busy, "key_rate", ms};
  const uint64_t shortages = wolfcrypt_shortages();
  if (const auto size = signer.sign(key, asked, job.signature)) {
    const auto signature = std::span(job.signature).first(*size);
    if (asked.key.role == ipc::Role::listener)
      job.handshake = handshakes_.remember(lane, asked.scheme, asked.content, signature);
    return {Status::ok, "", 0, signature};
  }
  if (wolfcrypt_shortages() != shortages) return {Status::busy, kNoLockedMemory, kRetryMs};
  return {Status::internal, "wolfCrypt could not sign, or the signature did not verify"};
}

uint32_t KeyTurn::key_rate_of(const ipc::Sign& sign) {
  if (sign.key.role != ipc::Role::device) return 0;
  const std::lock_guard guard(mutex_);
  return key_rate_.take(sign.key.client_id, uv_hrtime());
}

}  // namespace keyd
