// Owning pointers for libcrypto's objects. Inside common/trust only: no header that others include names an OpenSSL
// type.
#pragma once

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <memory>
#include <new>
#include <utility>

namespace trust {

template <auto function>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    function(object);
  }
};
template <typename T, auto function>
using Owned = std::unique_ptr<T, Free<function>>;

inline void free_certificates(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }
inline void free_crls(STACK_OF(X509_CRL) * stack) { sk_X509_CRL_pop_free(stack, X509_CRL_free); }
inline void free_text(char* text) { OPENSSL_free(text); }

using Certificate = Owned<X509, X509_free>;
using Crl = Owned<X509_CRL, X509_CRL_free>;
using CertificateStack = Owned<STACK_OF(X509), free_certificates>;
using CrlStack = Owned<STACK_OF(X509_CRL), free_crls>;
using Store = Owned<X509_STORE, X509_STORE_free>;
using StoreContext = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using Memory = Owned<BIO, BIO_free_all>;
using Text = Owned<char, free_text>;
using Digest = Owned<EVP_MD, EVP_MD_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;

// For calls of libcrypto that return null only when memory runs out.
template <typename T>
T made(T owner) {
  if (!owner) throw std::bad_alloc();
  return owner;
}

}  // namespace trust
