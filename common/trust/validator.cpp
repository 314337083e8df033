#include "common/trust/validator.h"

#include <openssl/err.h>

#include <algorithm>
#include <limits>

#include "common/trust/few_decoders.h"
#include "common/trust/known_cas.h"
#include "common/trust/leaf_key.h"
#include "common/trust/material.h"
#include "common/trust/refusal.h"
#include "common/trust/text.h"
#include "common/trust/verdict_cache.h"

namespace trust {
namespace {

using Chain = std::span<const std::span<const uint8_t>>;

Verdict refused(int position, std::string problem, std::string advice) {
  return {Refusal{X509_V_ERR_UNSPECIFIED, position, "", std::move(problem), std::move(advice),
                  alert_of(X509_V_ERR_UNSPECIFIED)}};
}

// Checks the chain's size before a byte of it is parsed.
std::optional<Verdict> out_of_bounds(Chain chain) {
  size_t bytes = 0;
  for (const auto& der : chain) bytes += der.size();
  if (chain.empty()) return refused(-1, "there is no certificate", "send one");
  if (chain.size() > Validator::kMaxChain)
    return refused(-1,
                   "the chain has " + std::to_string(chain.size()) + " certificates; at most " +
                       std::to_string(Validator::kMaxChain) + " are allowed",
                   "send the certificate and its intermediates only");
  if (bytes > Validator::kMaxChainBytes)
    return refused(-1,
                   "the chain has " + std::to_string(bytes) + " bytes; at most " +
                       std::to_string(Validator::kMaxChainBytes) + " are allowed",
                   "send the certificate and its intermediates only");
  return std::nullopt;
}

// The period around `now` without any of the marked moments: [the last one at or before `now`, the next one).
struct Quiet {
  int64_t now;
  int64_t from = std::numeric_limits<int64_t>::min(), until = std::numeric_limits<int64_t>::max();

  void mark(int64_t moment) {
    if (moment <= now) from = std::max(from, moment);
    else until = std::min(until, moment);
  }
  void mark(const ASN1_TIME* time) {
    if (const auto seconds = unix_time(time)) mark(*seconds);
  }
};

}  // namespace

std::string Refusal::text() const {
  std::string name = position >= 0 ? "certificate " + std::to_string(position) : "";
  if (!subject.empty()) name += (name.empty() ? "\"" : " (\"") + subject + (name.empty() ? "\"" : "\")");
  return name.empty() ? problem : name + " " + problem;
}

struct Validator::State {
  State(const Pem& anchors, const Pem& crls, Policy given)
      : policy(std::move(given)),
        material(anchors, crls, policy),
        sha256(made(Digest(EVP_MD_fetch(nullptr, "SHA2-256", nullptr)))),
        hashing(made(DigestContext(EVP_MD_CTX_new()))),
        cache(kMaxVerdicts),
        cas(material.store.get()) {}

  // SHA-256 over each part with its length.
  Sha256 hash_of(std::span<const std::span<const uint8_t>> parts);
  Verdict compute(Chain chain, int64_t now);

  Policy policy;
  const Material material;
  Digest sha256;
  DigestContext hashing;
  VerdictCache cache;
  KnownCas cas;
  Counts counts;
};

Sha256 Validator::State::hash_of(std::span<const std::span<const uint8_t>> parts) {
  if (EVP_DigestInit_ex2(hashing.get(), sha256.get(), nullptr) != 1) throw std::bad_alloc();
  for (const auto& part : parts) {
    const uint64_t length = part.size();
    if (EVP_DigestUpdate(hashing.get(), &length, sizeof length) != 1 ||
        EVP_DigestUpdate(hashing.get(), part.data(), part.size()) != 1)
      throw std::bad_alloc();
  }
  Sha256 hash;
  if (EVP_DigestFinal_ex(hashing.get(), hash.data(), nullptr) != 1) throw std::bad_alloc();
  return hash;
}

Verdict Validator::State::compute(Chain chain, int64_t now) {
  const CertificateStack others(made(CertificateStack(sk_X509_new_null())));
  std::vector<KnownCas::Sent> sent;
  Certificate leaf;
  Quiet quiet{now};
  for (size_t i = 0; i < chain.size(); i++) {
    const Sha256 hash = i == 0 ? Sha256{} : hash_of(chain.subspan(i, 1));
    Certificate certificate = i == 0 ? nullptr : cas.find(hash);
    if (!certificate) {
      certificate = parse_certificate(chain[i]);
      counts.parsed++;
    }
    if (!certificate)
      return refused(static_cast<int>(i), "can't be read: it is not an X.509 certificate", "send a certificate there");
    quiet.mark(X509_get0_notBefore(certificate.get()));
    quiet.mark(X509_get0_notAfter(certificate.get()));
    if (i == 0) {
      leaf = std::move(certificate);
      continue;
    }
    sent.push_back({certificate.get(), hash, chain[i].size()});
    if (sk_X509_push(others.get(), certificate.get()) <= 0) throw std::bad_alloc();
    (void)certificate.release();
  }
  const StoreContext context(made(StoreContext(X509_STORE_CTX_new())));
  if (X509_STORE_CTX_init(context.get(), material.store.get(), leaf.get(), others.get()) != 1) throw std::bad_alloc();
  FailedCrl crl(context.get());
  cas.skip_known_signatures(context.get());
  X509_STORE_CTX_set0_crls(context.get(), material.crls.get());
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()), now);
  if (X509_verify_cert(context.get()) != 1) return {refusal_of(context.get(), crl, material, policy, now)};
  if (auto unusable = unusable_key(leaf.get())) return {std::move(unusable)};
  cas.remember(context.get(), sent);
  const auto& moments = material.boundaries;
  const auto next = std::upper_bound(moments.begin(), moments.end(), now);
  if (next != moments.end()) quiet.mark(*next);
  if (next != moments.begin()) quiet.mark(*std::prev(next));
  return {std::nullopt, quiet.from, quiet.until};
}

Validator::Validator(const Pem& anchors, const Pem& crls, Policy policy)
    : state_(std::make_unique<State>(anchors, crls, std::move(policy))) {}
Validator::~Validator() = default;
Validator::Validator(Validator&&) noexcept = default;
Validator& Validator::operator=(Validator&&) noexcept = default;

Verdict Validator::validate(Chain chain, int64_t now) {
  if (auto verdict = out_of_bounds(chain)) return *verdict;
  const Sha256 key = state_->hash_of(chain);
  if (const auto* period = state_->cache.find(key, now)) {
    state_->counts.cached++;
    return {std::nullopt, period->from, period->until};
  }
  state_->counts.computed++;
  Verdict verdict = state_->compute(chain, now);
  ERR_clear_error();  // libcrypto's error queue belongs to the thread, not to this validation
  if (verdict.accepted()) state_->cache.add(key, {verdict.from, verdict.until});
  return verdict;
}

std::vector<Concern> Validator::concerns(int64_t now) const {
  return concerns_of(state_->material, state_->policy, now);
}

size_t Validator::crls() const { return static_cast<size_t>(state_->material.crl_count()); }
Validator::Counts Validator::counts() const {
  Counts counts = state_->counts;
  counts.signatures = state_->cas.signatures();
  return counts;
}

}  // namespace trust
