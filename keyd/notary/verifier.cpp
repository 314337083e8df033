#include "keyd/notary/verifier.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "certificate_name.h"
#include "common/log.h"
#include "keyd/notary/signature.h"
#include "keyd/notary/wolfssl.h"

namespace keyd {
namespace {

word32 size32(Bytes bytes) { return static_cast<word32>(bytes.size()); }

struct ManagerFree {
  void operator()(WOLFSSL_CERT_MANAGER* manager) const { wolfSSL_CertManagerFree(manager); }
};
using Manager = std::unique_ptr<WOLFSSL_CERT_MANAGER, ManagerFree>;

Manager make_manager() {
  Manager manager(wolfSSL_CertManagerNew());
  if (!manager) throw std::bad_alloc();
  return manager;
}

// Refuses an authority that has expired, is too weak or that its issuer's path length does not allow.
int trust(const Manager& manager, Bytes der) {
  return wolfSSL_CertManagerLoadCABuffer(manager.get(), der.data(), static_cast<long>(der.size()),
                                         WOLFSSL_FILETYPE_ASN1);
}

class Certificate {
 public:
  // Verified with `manager`: its issuer is there and has signed it, the dates are right.
  Certificate(Bytes der, const Manager& manager) {
    wc_InitDecodedCert(&decoded_, der.data(), size32(der), nullptr);
    result_ = wc_ParseCert(&decoded_, CERT_TYPE, VERIFY, manager.get());
  }
  ~Certificate() { wc_FreeDecodedCert(&decoded_); }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  const char* problem() const {
    switch (result_) {
      case 0: return nullptr;
      case ASN_AFTER_DATE_E: return "the server's certificate, or one of its issuers', has expired";
      case ASN_BEFORE_DATE_E: return "the server's certificate, or one of its issuers', is not valid yet";
      case ASN_NO_SIGNER_E:
      case ASN_SIG_CONFIRM_E: return "the server's certificate does not chain to bind_remote.cacertfile";
      default: return "the server's certificate can't be accepted";
    }
  }
  // RFC 5280 section 4.2.1.3: without a key usage, all uses.
  bool is_authority() const {
    return decoded_.isCA && (!decoded_.extKeyUsageSet || (decoded_.extKeyUsage & KEYUSE_KEY_CERT_SIGN));
  }
  // As a TLS client of wolfSSL checks it (ProcessPeerCerts).
  bool is_server() const {
    return (!decoded_.extKeyUsageSet || (decoded_.extKeyUsage & KEYUSE_DIGITAL_SIG)) &&
           (!decoded_.extExtKeyUsageSet || (decoded_.extExtKeyUsage & (EXTKEYUSE_ANY | EXTKEYUSE_SERVER_AUTH)));
  }

 private:
  DecodedCert decoded_;
  int result_;
};

std::vector<uint8_t> spki_der(Bytes certificate) {
  std::vector<uint8_t> der(certificate.size());
  auto size = size32(certificate);
  if (wc_GetSubjectPubKeyInfoDerFromCert(certificate.data(), size32(certificate), der.data(), &size) != 0) return {};
  der.resize(size);
  return der;
}

std::string reason(int code) {
  const char* text = wolfSSL_ERR_reason_error_string(static_cast<unsigned long>(code));
  return text ? text : "error " + std::to_string(code);
}

std::vector<std::vector<uint8_t>> certificates_in(const std::string& pem) {
  static const std::string kBegin = "-----BEGIN CERTIFICATE-----", kEnd = "-----END CERTIFICATE-----";
  std::vector<std::vector<uint8_t>> all;
  for (size_t at = 0, last; (at = pem.find(kBegin, at)) != std::string::npos; at = last) {
    last = pem.find(kEnd, at);
    if (last == std::string::npos) throw std::runtime_error("a certificate has no end line \"" + kEnd + "\"");
    last += kEnd.size();
    std::vector<uint8_t> der(last - at);
    const int size = wc_CertPemToDer(reinterpret_cast<const byte*>(pem.data()) + at, static_cast<int>(last - at),
                                     der.data(), static_cast<int>(der.size()), CERT_TYPE);
    der.resize(static_cast<size_t>(std::max(size, 0)));
    all.push_back(std::move(der));
  }
  if (all.empty()) throw std::runtime_error("found no \"" + kBegin + "\"; expected PEM text with at least one");
  return all;
}

}  // namespace

Verifier::Verifier(std::string remote_host, const std::string& ca_pem) : remote_host_(std::move(remote_host)) {
  if (wolfSSL_Init() != WOLFSSL_SUCCESS) throw std::runtime_error("wolfSSL_Init failed");
  const Manager manager = make_manager();
  auto all = certificates_in(ca_pem);
  std::string first_cause;
  for (size_t i = 0; i < all.size(); i++) {
    const int result = trust(manager, all[i]);
    if (result == WOLFSSL_SUCCESS) authorities_.push_back(std::move(all[i]));
    else if (first_cause.empty()) first_cause = "certificate " + std::to_string(i + 1) + ": " + reason(result);
  }
  if (authorities_.empty()) throw std::runtime_error("none of its certificates can be used; " + first_cause);
  if (authorities_.size() < all.size())
    common::log::warning("some certificates in bind_remote.cacertfile can't be used and are not trusted",
                         {{"unusable", all.size() - authorities_.size()}, {"of", all.size()}, {"first", first_cause}});
}

NotaryAnswer Verifier::answer(const Question& question, Bytes transcript) {
  NotaryAnswer answer{.job = question.job};
  Transcript parsed;
  if (const char* problem = judge(question, transcript, parsed))
    strncpy(answer.problem, problem, sizeof answer.problem - 1);
  else answer.transcript_hash = static_cast<uint16_t>(parsed.hash_size);
  return answer;
}

const char* Verifier::judge(const Question& question, Bytes transcript, Transcript& parsed) {
  if (const char* problem = parse_transcript(question.kind, transcript, parsed)) return problem;
  const auto device = spki_der(parsed.client_leaf);
  ipc::Spki digest;
  if (device.empty() || !hash_of(device, digest.size(), digest) || digest != question.device)
    return "the client's certificate in the transcript is not the device's";
  const char* problem = nullptr;
  const Der* server = server_key(parsed.chain(), problem);
  if (!server) return problem;

  Der content;
  const bool tls13 = question.kind == ipc::Kind::tls13_client_bound;
  if (tls13) {  // RFC 8446 section 4.4.3
    static constexpr char kServer[] = "TLS 1.3, server CertificateVerify";
    content.assign(64, 0x20);
    content.insert(content.end(), std::begin(kServer), std::end(kServer));  // with its terminating zero
    content.resize(content.size() + parsed.hash_size);
    if (!hash_of(parsed.server_signed, parsed.hash_size, std::span(content).last(parsed.hash_size)))
      return "out of memory";
  } else {  // RFC 8422 section 5.4
    for (const Bytes part : {parsed.client_random, parsed.server_random, parsed.server_signed})
      content.insert(content.end(), part.begin(), part.end());
  }
  return check_signature(tls13, parsed.server_scheme, *server, content, parsed.server_signature);
}

const Verifier::Der* Verifier::server_key(std::span<const Bytes> chain, const char*& problem) {
  Der all;
  for (const Bytes certificate : chain) {
    const size_t size = certificate.size();  // before each, so that the same bytes can't be cut up in another way
    all.insert(all.end(),
               {static_cast<uint8_t>(size >> 16), static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)});
    all.insert(all.end(), certificate.begin(), certificate.end());
  }
  std::array<uint8_t, 32> name;
  if (!hash_of(all, name.size(), name)) return problem = "out of memory", nullptr;
  const auto now = Clock::now();
  if (const auto known = chains_.find(name); known != chains_.end() && now < known->second.until)
    return &known->second.server_spki;

  problem = verify(chain);
  if (problem) return nullptr;
  auto spki = spki_der(chain[0]);
  if (spki.empty()) return problem = "the server's certificate can't be accepted", nullptr;
  std::erase_if(chains_, [&](const auto& entry) { return now >= entry.second.until; });
  if (chains_.size() >= kMostChains) chains_.clear();
  return &(chains_[name] = {now + kRemembered, std::move(spki)}).server_spki;
}

const char* Verifier::verify(std::span<const Bytes> chain) const {
  const Manager manager = make_manager();
  for (const Der& authority : authorities_) trust(manager, authority);
  // From the end, as a TLS client of wolfSSL does: each is verified before it may vouch for others.
  for (size_t i = chain.size(); --i > 0;) {
    const Bytes der = chain[i];
    const Certificate issuer(der, manager);
    if (const char* problem = issuer.problem()) return problem;
    if (issuer.is_authority() && trust(manager, der) != WOLFSSL_SUCCESS)
      return "an issuer in the server's chain can't be accepted";
  }
  const Certificate leaf(chain[0], manager);
  if (const char* problem = leaf.problem()) return problem;
  if (!leaf.is_server()) return "the server's certificate is not for TLS servers";
  if (!mqtt_relay_certificate_is_for(chain[0].data(), chain[0].size(), remote_host_.data(), remote_host_.size()))
    return "the server's certificate is not for bind_remote.remote_host";
  return nullptr;
}

}  // namespace keyd
