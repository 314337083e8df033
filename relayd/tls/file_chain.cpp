#include "relayd/tls/file_chain.h"

#include "common/der.h"
#include "common/tls/spki.h"
#include "common/trust/pem.h"
#include "common/trust/validator.h"
#include "common/trust/validity.h"

namespace relayd::tls {
namespace {

namespace der = common::der;
using trust::BlockKind;

// A TRUSTED CERTIFICATE has OpenSSL's trust settings behind the certificate.
der::Bytes first_object(der::Bytes bytes) {
  der::Bytes rest = bytes;
  der::take(rest, der::kSequence);
  return bytes.first(bytes.size() - rest.size());
}

FileChain problem(std::string text, bool out_of_date = false) { return {{}, std::move(text), out_of_date}; }

}  // namespace

FileChain chain_in_file(std::string_view pem, int64_t now) {
  FileChain found;
  auto& [der, leaf_size, spki] = found.chain;
  size_t count = 0;
  for (const trust::PemBlock& block : trust::pem_blocks(pem)) {
    if (block.kind != BlockKind::certificate && block.kind != BlockKind::trusted_certificate) continue;
    const std::string where = "line " + std::to_string(block.line) + ": \"" + block.label + "\" ";
    if (!block.problem.empty()) return problem(where + block.problem);
    if (++count > trust::Validator::kMaxChain)
      return problem("it has more than " + std::to_string(trust::Validator::kMaxChain) + " certificates");
    const der::Bytes certificate = first_object(block.der);
    const auto hash = common::tls::spki_hash(certificate);
    const auto validity = trust::validity_of(certificate);
    if (!hash || !validity) return problem(where + "can't be read: its content is not an X.509 certificate");
    if (count == 1) {
      if (const std::string why = trust::why_not_valid(*validity, now); !why.empty())
        return problem("the device's certificate " + why, true);
      spki = *hash;
      leaf_size = certificate.size();
    }
    der.insert(der.end(), certificate.begin(), certificate.end());
  }
  if (count == 0) return problem("it holds no \"-----BEGIN CERTIFICATE-----\"");
  return found;
}

}  // namespace relayd::tls
