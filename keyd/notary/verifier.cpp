#include "keyd/notary/verifier.h"

#include <openssl/x509_vfy.h>

#include <cstring>
#include <ctime>

#include "common/der.h"
#include "keyd/notary/signature.h"

namespace keyd {
namespace {

namespace der = common::der;

// The SubjectPublicKeyInfo of a certificate (RFC 5280 section 4.1), whole; empty if it has none.
Bytes spki_in(Bytes certificate) {
  Bytes content = der::take(certificate, der::kSequence), tbs = der::take(content, der::kSequence);
  der::take(tbs, der::constructed(0));                         // the version, if it is not 1
  der::take(tbs, der::kInteger);                               // serial number
  for (int i = 0; i < 4; i++) der::take(tbs, der::kSequence);  // signature, issuer, validity, subject
  const Bytes from = tbs;
  return der::take(tbs, der::kSequence).empty() ? Bytes() : from.first(from.size() - tbs.size());
}

std::string refusal_text(const trust::Refusal& refusal) {
  const bool other_name =
      refusal.code == X509_V_ERR_HOSTNAME_MISMATCH || refusal.code == X509_V_ERR_IP_ADDRESS_MISMATCH;
  return std::string("the remote broker's ") + (refusal.position < 0 ? "chain: " : "") + refusal.text() + "; " +
         (other_name ? "set bind_remote.remote_host to a name of the certificate" : refusal.advice);
}

}  // namespace

Verifier::Verifier(std::string remote_host, const trust::Pem& authorities)
    : validator_(authorities, {}, {.purpose = trust::Purpose::remote, .name = std::move(remote_host)}) {}

NotaryAnswer Verifier::answer(const Question& question, Bytes transcript) {
  NotaryAnswer answer{.job = question.job};
  Transcript parsed;
  const std::string problem = judge(question, transcript, parsed);
  strncpy(answer.problem, problem.c_str(), sizeof answer.problem - 1);
  if (problem.empty()) answer.transcript_hash = static_cast<uint16_t>(parsed.hash_size);
  return answer;
}

std::string Verifier::judge(const Question& question, Bytes transcript, Transcript& parsed) {
  if (const char* problem = parse_transcript(question.kind, transcript, parsed)) return problem;
  const Bytes device = spki_in(parsed.client_leaf);
  ipc::Spki digest;
  if (device.empty() || !hash_of(device, digest.size(), digest) || digest != question.device)
    return "the client's certificate in the transcript is not the device's";
  const auto verdict = validator_.validate(parsed.chain(), time(nullptr));
  if (verdict.refusal) return refusal_text(*verdict.refusal);

  std::vector<uint8_t> content;
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
  const char* problem =
      check_signature(tls13, parsed.server_scheme, spki_in(parsed.server_chain[0]), content, parsed.server_signature);
  return problem ? problem : "";
}

}  // namespace keyd
