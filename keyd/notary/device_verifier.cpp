#include "keyd/notary/device_verifier.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>

#include "common/tls/handshake_signature.h"
#include "common/tls/sha2.h"
#include "common/tls/spki.h"
#include "common/trust/names.h"
#include "keyd/notary/signature.h"

namespace keyd {
namespace {

using From = BoundDevice::ClientIdFrom;

// RFC 8446 section 4.4.3, RFC 5246 section 7.4.8.
const char* check(const Question& question, Bytes key, Bytes messages, Bytes signature) {
  const bool tls13 = question.presence != ipc::Presence::tls12;
  if (!tls13) return check_signature(false, question.scheme, key, messages, signature);
  std::array<uint8_t, common::tls::CertificateVerifyContent::kMostHash> buffer;
  const auto hash = std::span(buffer).first(question.presence == ipc::Presence::tls13_sha384 ? 48 : 32);
  if (!common::tls::sha2(messages, hash)) return kUnchecked;
  const common::tls::CertificateVerifyContent content(common::tls::Side::client, hash);
  return check_signature(true, question.scheme, key, content.bytes(), signature);
}

}  // namespace

DeviceVerifier::DeviceVerifier(const BoundDevice& settings)
    : from_(settings.client_id_from),
      validator_({settings.authorities.path, settings.authorities.text, settings.authorities.setting}, {},
                 {.purpose = trust::Purpose::device, .partial_chain = settings.partial_chain}) {}

std::string DeviceVerifier::judge(const Question& question, std::string_view client_id, Bytes signature,
                                  Bytes messages) {
  const bool tls13 = question.presence != ipc::Presence::tls12;
  Transcript parsed;
  if (const char* problem =
          parse_transcript(tls13 ? ipc::Kind::tls13_client_bound : ipc::Kind::tls12_client, messages, parsed))
    return problem;
  const auto verdict = validator_.validate(parsed.client.chain(), time(nullptr));
  if (verdict.refusal) return "the device's " + verdict.refusal->text() + "; " + verdict.refusal->advice;
  if (!is_for(parsed.client, client_id))
    return std::string("the client id is not ") + (from_ == From::cn ? "the common name" : "a DNS or URI name") +
           " of the device's certificate (bind_device.client_id_from)";
  const char* problem = check(question, common::tls::spki_in(parsed.client.leaf()), messages, signature);
  return problem ? std::string("the device's ") + problem : "";
}

bool DeviceVerifier::is_for(const CertificateList& device, std::string_view client_id) const {
  const trust::Names names = trust::names_in(device.leaf());
  if (from_ == From::cn) return !client_id.empty() && names.common_name == client_id;
  return std::ranges::find(names.alternative, client_id) != names.alternative.end();
}

}  // namespace keyd
