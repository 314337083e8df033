#include "common/trust/known_cas.h"

#include <algorithm>

namespace trust {
namespace {

Certificate shared(X509* certificate) {
  return X509_up_ref(certificate) == 1 ? Certificate(certificate) : throw std::bad_alloc();
}

// The leaf and its issuer. Null: no memory.
CertificateStack lowest_two(STACK_OF(X509) * chain) {
  CertificateStack two(X509_chain_up_ref(chain));
  while (two && sk_X509_num(two.get()) > 2) X509_free(sk_X509_pop(two.get()));
  return two;
}

// As internal_verify's check in libcrypto, for each certificate but the leaf.
bool all_valid_at(time_t now, const STACK_OF(X509) * chain) {
  for (int i = 1; i < sk_X509_num(chain); i++) {
    const X509* certificate = sk_X509_value(chain, i);
    if (X509_cmp_time(X509_get0_notBefore(certificate), &now) >= 0) return false;
    if (X509_cmp_time(X509_get0_notAfter(certificate), &now) <= 0) return false;
  }
  return true;
}

}  // namespace

KnownCas::KnownCas(X509_STORE* store) {
  if (X509_STORE_set_ex_data(store, 0, this) != 1) throw std::bad_alloc();
}

Certificate KnownCas::find(const Sha256& hash) {
  const Certificate* known = parsed_.find(hash);
  return known ? shared(known->get()) : nullptr;
}

void KnownCas::skip_known_signatures(X509_STORE_CTX* context) {
  // For this context only: OpenSSL validates the chain of a CRL's issuer in another one, in full.
  verify_of_openssl_ = X509_STORE_CTX_get_verify(context);
  X509_STORE_CTX_set_verify(context, verify);
}

bool KnownCas::knows_signatures(X509_STORE_CTX* context, const STACK_OF(X509) * chain) noexcept {
  const int size = sk_X509_num(chain);
  if (size < 3 || X509_STORE_CTX_get_error(context) != X509_V_OK) return false;
  // OpenSSL treats the chain's last certificate differently if it is self-issued.
  if ((X509_get_extension_flags(sk_X509_value(chain, 1)) & EXFLAG_SI) != 0) return false;
  for (int i = 1; i + 1 < size; i++)
    if (!signed_.find({sk_X509_value(chain, i), sk_X509_value(chain, i + 1)})) return false;
  return all_valid_at(X509_VERIFY_PARAM_get_time(X509_STORE_CTX_get0_param(context)), chain);
}

// Called by X509_verify_cert where it verifies the signatures and dates of the built chain, from the anchor down. If
// all above the leaf's issuer would pass, OpenSSL's own function gets the leaf and its issuer only. Its errors are then
// the same, with the same depths. Does not throw: the caller is C.
int KnownCas::verify(X509_STORE_CTX* context) {
  auto* self = static_cast<KnownCas*>(X509_STORE_get_ex_data(X509_STORE_CTX_get0_store(context), 0));
  STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context);
  if (self->knows_signatures(context, chain)) {
    CertificateStack whole(X509_STORE_CTX_get1_chain(context)), lowest = lowest_two(chain);
    if (whole && lowest) {
      X509_STORE_CTX_set0_verified_chain(context, lowest.release());
      const int result = self->verify_of_openssl_(context);
      X509_STORE_CTX_set0_verified_chain(context, whole.release());
      self->signatures_++;
      return result;
    }
  }
  self->signatures_ += static_cast<uint64_t>(sk_X509_num(chain) - 1);
  return self->verify_of_openssl_(context);
}

void KnownCas::remember(X509_STORE_CTX* context, std::span<const Sent> sent) {
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context);
  const int size = sk_X509_num(chain);
  const auto too_large = [&](const X509* certificate) {
    return std::ranges::any_of(
        sent, [&](const Sent& one) { return one.certificate == certificate && one.size > kMostBytes; });
  };
  for (int i = 1; i + 1 < size; i++) {
    X509 *subject = sk_X509_value(chain, i), *issuer = sk_X509_value(chain, i + 1);
    if (too_large(subject) || too_large(issuer) || signed_.find({subject, issuer})) continue;
    signed_.add({subject, issuer}, {shared(subject), shared(issuer)});
  }
  // By content: the root, if it was sent, is in the chain as the anchor.
  const auto is_ca_of_chain = [&](const X509* certificate) {
    for (int i = 1; i < size; i++)
      if (X509_cmp(sk_X509_value(chain, i), certificate) == 0) return true;
    return false;
  };
  for (const Sent& one : sent)
    if (one.size <= kMostBytes && !parsed_.find(one.hash) && is_ca_of_chain(one.certificate))
      parsed_.add(one.hash, shared(one.certificate));
}

}  // namespace trust
