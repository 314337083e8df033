#include "keyd/vault/service.h"

#include <strings.h>
#include <uv.h>

#include "common/json_line.h"

namespace keyd {
namespace {

using ipc::Status;

std::string other_key(const KeyInfo& info) {
  return std::string("the file holds another key: ") + name(info.type) + ", SPKI " +
         common::hex(info.spki.data(), info.spki.size());
}

}  // namespace

size_t Service::answer(const Peer& peer, const ipc::Request& request, uint64_t wait_us, ipc::ResponseBuffer& out) {
  if (request.op() == ipc::Op::stats) {
    const auto payload = ipc::encode_counters(counters());
    return ipc::encode(ipc::Response{request.id, Status::ok, 0, payload}, out);
  }
  const auto* to_sign = std::get_if<ipc::Sign>(&request.body);
  const ipc::Lookup& key = to_sign ? to_sign->key : std::get<ipc::Lookup>(request.body);

  const uint64_t started = uv_hrtime();
  Outcome outcome{Status::internal, "the audit can't be written", 0};
  if (audit_.ready()) outcome = to_sign ? sign(*to_sign) : lookup(key);
  const uint64_t spent_us = (uv_hrtime() - started) / 1000;
  if (!audit_.write({ipc::name(request.op()), peer, &key, to_sign, outcome.status, outcome.reason, wait_us, spent_us}))
    outcome = {Status::internal, "", 0};

  if (outcome.status != Status::ok) refusals_++;
  else to_sign ? signatures_++ : lookups_++;
  const size_t size = ipc::encode(
      ipc::Response{request.id, outcome.status, 0, std::span(signature_).first(outcome.signature_size)}, out);
  explicit_bzero(signature_.data(), signature_.size());
  return size;
}

Service::Outcome Service::lookup(const ipc::Lookup& lookup) {
  if (const Verdict verdict = may_ask(lookup); !verdict) return {verdict.status, verdict.reason};
  const auto found = keys_.find(lookup.role, lookup.client_id);
  if (!found.key) return {found.status, found.reason};
  if (found.key->info().spki != lookup.spki) return {Status::mismatch, other_key(found.key->info())};
  return {};
}

Service::Outcome Service::sign(const ipc::Sign& sign) {
  if (const Verdict verdict = may_ask(sign, Rules{allow_tls12_client_, false}); !verdict)
    return {verdict.status, verdict.reason};
  const auto found = keys_.find(sign.key.role, sign.key.client_id);
  if (!found.key) return {found.status, found.reason};
  if (const Verdict verdict = may_sign(sign, found.key->info()); !verdict)
    return {verdict.status, verdict.status == Status::mismatch ? other_key(found.key->info()) : verdict.reason};
  const auto size = signer_.sign(*found.key, sign, signature_);
  if (!size) return {Status::internal, "wolfCrypt could not sign, or the signature did not verify"};
  return {Status::ok, "", *size};
}

ipc::Counters Service::counters() const {
  return {lookups_, signatures_, refusals_, keys_.cached(), audit_.degraded()};
}

}  // namespace keyd
