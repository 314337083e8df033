#include "common/trust/few_decoders.h"

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace trust {
namespace {

// The kinds of public keys, by the first name that OpenSSL gives them. "DER" finds out a key's kind.
constexpr std::array<std::string_view, 5> kKinds = {"EC", "RSA", "RSA-PSS", "ED25519", "DER"};

// Loaded once. The last argument keeps libcrypto's own way to load it for the rest of the process.
OSSL_PROVIDER* default_provider() {
  static OSSL_PROVIDER* const provider = OSSL_PROVIDER_try_load(nullptr, "default", 1);
  return provider;
}

bool is_wanted(const OSSL_ALGORITHM& decoder) {
  const std::string_view names = decoder.algorithm_names, properties = decoder.property_definition;
  return properties.find("structure=SubjectPublicKeyInfo") != properties.npos &&
         std::ranges::find(kKinds, names.substr(0, names.find(':'))) != kKinds.end();
}

const std::vector<OSSL_ALGORITHM>& few_decoders() {
  static const std::vector<OSSL_ALGORITHM> few = [] {
    std::vector<OSSL_ALGORITHM> wanted;
    int no_cache = 0;
    const auto* all = OSSL_PROVIDER_query_operation(default_provider(), OSSL_OP_DECODER, &no_cache);
    for (; all && all->algorithm_names; all++)
      if (is_wanted(*all)) wanted.push_back(*all);
    wanted.push_back({});  // the end
    return wanted;
  }();
  return few;
}

const OSSL_ALGORITHM* query(void*, int operation, int* no_cache) {
  const auto* all = OSSL_PROVIDER_query_operation(default_provider(), operation, no_cache);
  return operation == OSSL_OP_DECODER ? few_decoders().data() : all;
}

// Our provider: the default provider's algorithms get the context that is theirs.
int initialise(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** functions, void** context) {
  static const OSSL_DISPATCH table[] = {
      {OSSL_FUNC_PROVIDER_QUERY_OPERATION, reinterpret_cast<void (*)()>(query)},
      {0, nullptr},
  };
  *functions = table;
  *context = OSSL_PROVIDER_get0_provider_ctx(default_provider());
  return 1;
}

// Null if it is not needed or can't be made. Never freed, as libcrypto's own default context: certificates refer to it.
OSSL_LIB_CTX* context_of_few() {
  static OSSL_LIB_CTX* const made = [] {
    if (OpenSSL_version_num() >= 0x30200000L || !default_provider() || few_decoders().size() != kKinds.size() + 1)
      return static_cast<OSSL_LIB_CTX*>(nullptr);
    OSSL_LIB_CTX* context = OSSL_LIB_CTX_new();
    if (context && OSSL_PROVIDER_add_builtin(context, "few-decoders", initialise) == 1 &&
        OSSL_PROVIDER_load(context, "few-decoders"))
      return context;
    OSSL_LIB_CTX_free(context);
    return static_cast<OSSL_LIB_CTX*>(nullptr);
  }();
  return made;
}

// In the default context if `context` is null.
Certificate parse_in(OSSL_LIB_CTX* context, std::span<const uint8_t> der) {
  X509* certificate = made(Certificate(X509_new_ex(context, nullptr))).release();
  const unsigned char* at = der.data();
  d2i_X509(&certificate, &at, static_cast<long>(der.size()));  // frees it if it fails
  Certificate parsed(certificate);
  return at == der.data() + der.size() ? std::move(parsed) : nullptr;
}

}  // namespace

Certificate parse_certificate(std::span<const uint8_t> der) {
  Certificate certificate = parse_in(context_of_few(), der);
  const bool has_key = certificate && X509_get0_pubkey(certificate.get());
  return certificate && !has_key && context_of_few() ? parse_in(nullptr, der) : std::move(certificate);
}

}  // namespace trust
