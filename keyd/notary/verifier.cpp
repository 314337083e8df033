#include "keyd/notary/verifier.h"

#include <openssl/x509_vfy.h>

#include <array>
#include <cstring>
#include <ctime>

#include "common/tls/handshake_signature.h"
#include "common/tls/sha2.h"
#include "common/tls/spki.h"
#include "keyd/notary/signature.h"

namespace keyd {
namespace {

using common::tls::sha2;
using common::tls::spki_in;

static_assert(kMaxChain == trust::Validator::kMaxChain);

std::string refusal_text(const trust::Refusal& refusal) {
  const bool other_name =
      refusal.code == X509_V_ERR_HOSTNAME_MISMATCH || refusal.code == X509_V_ERR_IP_ADDRESS_MISMATCH;
  return std::string("the remote broker's ") + (refusal.position < 0 ? "chain: " : "") + refusal.text() + "; " +
         (other_name ? "set bind_remote.remote_host to a name of the certificate" : refusal.advice);
}

// RFC 8446 section 4.4.3.
const char* check_tls13(const Transcript& parsed, Bytes server_key) {
  std::array<uint8_t, common::tls::CertificateVerifyContent::kMostHash> buffer;
  const auto hash = std::span(buffer).first(parsed.hash_size);
  if (!sha2(parsed.server_signed, hash)) return "out of memory";
  const common::tls::CertificateVerifyContent content(common::tls::Side::server, hash);
  return check_signature(true, parsed.server_scheme, server_key, content.bytes(), parsed.server_signature);
}

// RFC 8422 section 5.4.
const char* check_tls12(const Transcript& parsed, Bytes server_key) {
  std::vector<uint8_t> content;
  for (const Bytes part : {parsed.client_random, parsed.server_random, parsed.server_signed})
    content.insert(content.end(), part.begin(), part.end());
  return check_signature(false, parsed.server_scheme, server_key, content, parsed.server_signature);
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
  if (common::tls::spki_hash(parsed.client_leaf) != question.device)
    return "the client's certificate in the transcript is not the device's";
  const auto verdict = validator_.validate(parsed.chain(), time(nullptr));
  if (verdict.refusal) return refusal_text(*verdict.refusal);

  const Bytes server = spki_in(parsed.server_chain[0]);
  const char* problem =
      question.kind == ipc::Kind::tls13_client_bound ? check_tls13(parsed, server) : check_tls12(parsed, server);
  return problem ? problem : "";
}

}  // namespace keyd
