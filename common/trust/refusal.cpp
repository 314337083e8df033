#include "common/trust/refusal.h"

#include <openssl/objects.h>

#include "common/trust/text.h"

namespace trust {

using common::tls::Alert;

namespace {

struct Words {
  std::string problem, advice;
};

// The failed validation, as the functions below read it.
struct Failure {
  const Material& material;
  const Policy& policy;
  int64_t now;
  int code;
  int position;
  X509* certificate;
  X509_CRL* crl;  // may be null

  const std::string& anchors() const { return material.anchor_path; }
  const std::string& crls() const { return material.crl_path; }
  std::string peer() const { return policy.purpose == Purpose::device ? "the device" : "the remote"; }
  std::string issuer() const { return "\"" + name_text(X509_get_issuer_name(certificate)) + "\""; }

  // Appended to "is not valid before …": a gateway's clock may be wrong, but the operator chose the time asked about.
  std::string clock() const {
    return (policy.asked_time ? "the time asked about is " : "this gateway's clock says ") + time_text(now);
  }
  std::string fix_clock() const {
    return policy.asked_time ? "ask about a later time" : "set this gateway's clock (`timedatectl`)";
  }
  // Appended to the advice for what has expired.
  std::string or_clock() const {
    return policy.asked_time
               ? "; the time asked about is " + time_text(now)
               : "; if that date is still to come, set this gateway's clock, which says " + time_text(now);
  }
};

std::string at(const ASN1_TIME* time) {
  const auto seconds = unix_time(time);
  return seconds ? time_text(*seconds) : "an unreadable date";
}

// The issuer's name matches and its key does not: the most common cause, after a CA was recreated.
bool same_name_other_key(const Failure& f) {
  X509* anchor = f.material.anchor_named(X509_get_issuer_name(f.certificate));
  return anchor && X509_check_issued(anchor, f.certificate) != X509_V_OK;
}

Words missing_issuer(const Failure& f) {
  if (same_name_other_key(f))
    return {"was not issued by the " + f.issuer() + " in " + f.anchors() + ": its key identifier names another key",
            "add the CA certificate that issued it there, beside the one of the same name"};
  return {"was issued by " + f.issuer() + ", which is not in " + f.anchors() + " and was not sent",
          "add that CA's certificate to " + f.anchors() + ", or let " + f.peer() +
              " send its intermediates after its own certificate"};
}

Words no_anchor(const Failure& f) {
  switch (f.code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
      return {"is in " + f.anchors() + ", but it is not a root, and its issuer " + f.issuer() + " is not there",
              "add the root's certificate to " + f.anchors() +
                  ", or set partial_chain: a chain may then end at any CA "
                  "of that file"};
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return {"is signed by itself and is not in " + f.anchors(),
              "have it issued by a CA of " + f.anchors() + ", or add it there if you trust it"};
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return {"is the root of the chain that " + f.peer() + " sent, and is not in " + f.anchors(),
              "add it there if you trust what it issues"};
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
      return {
          "lies deeper than depth allows: " + std::to_string(f.policy.depth) + " certificates between leaf and root",
          "raise depth"};
    default: return missing_issuer(f);
  }
}

Words time_of_certificate(const Failure& f) {
  switch (f.code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return {"expired on " + at(X509_get0_notAfter(f.certificate)), "renew it" + f.or_clock()};
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return {"is not valid before " + at(X509_get0_notBefore(f.certificate)) + ", and " + f.clock(),
              f.fix_clock() + ", or set the clock of the CA that issued it"};
    default: return {"has a date that can't be read", "have it issued again"};
  }
}

Words signature(const Failure& f) {
  switch (f.code) {
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return {"has a signature that is not from the key of its issuer " + f.issuer(),
              "two CAs of that name have different keys, or the certificate was changed: put the CA certificate that "
              "issued it into " +
                  f.anchors()};
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
      return {"has a key that is too small (RSA below 2048 bits, or a curve below 224)",
              "have it issued for a P-256 or an RSA-2048 key"};
    case X509_V_ERR_CA_MD_TOO_WEAK: {
      const int hash = X509_get_signature_nid(f.certificate);
      int digest = NID_undef;
      OBJ_find_sigid_algs(hash, &digest, nullptr);
      const char* name = digest == NID_sha1 ? "SHA-1" : OBJ_nid2sn(digest == NID_undef ? hash : digest);
      return {std::string("is signed with ") + (name ? name : "a weak hash") + ", which can be forged",
              "have it issued again, with SHA-256"};
    }
    case X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY:
    case X509_V_ERR_NO_ISSUER_PUBLIC_KEY:
      return {"has a public key of an unknown kind", "have it issued for a P-256 or an RSA-2048 key"};
    default: return {"has a signature of an unknown kind", "have it issued again, with SHA-256"};
  }
}

std::string usages_of(X509* certificate) {
  auto* usages = static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(certificate, NID_ext_key_usage, nullptr, nullptr));
  std::string text;
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages) && i < 6; i++) {
    char name[64];
    if (OBJ_obj2txt(name, sizeof name, sk_ASN1_OBJECT_value(usages, i), 0) > 0)
      text += (text.empty() ? "" : ", ") + std::string(name);
  }
  EXTENDED_KEY_USAGE_free(usages);
  return text.empty() ? "none" : text;
}

Words purpose(const Failure& f) {
  const bool device = f.policy.purpose == Purpose::device;
  const std::string not_for = device ? "is not for TLS clients" : "is not for TLS servers";
  const std::string wanted =
      device ? "clientAuth (\"TLS Web Client Authentication\")" : "serverAuth (\"TLS Web Server Authentication\")";
  const uint32_t usage = X509_get_extended_key_usage(f.certificate);  // all bits without the extension
  if (usage != UINT32_MAX && (usage & (device ? XKU_SSL_CLIENT : XKU_SSL_SERVER | XKU_SGC)) == 0)
    return {not_for + ": its extendedKeyUsage lacks " + wanted + "; it has " + usages_of(f.certificate),
            "have it issued with extendedKeyUsage = " + std::string(device ? "clientAuth" : "serverAuth")};
  if (f.position > 0)
    return {"is not allowed to issue TLS certificates: its keyUsage or nsCertType forbids it",
            "have the CA's certificate issued with keyUsage = keyCertSign"};
  return {not_for + ": its keyUsage lacks digitalSignature" + (device ? "" : ", keyEncipherment and keyAgreement") +
              ", or its nsCertType forbids it",
          "have it issued with keyUsage = digitalSignature"};
}

std::string unknown_critical_extension(X509* certificate) {
  for (int i = 0; i < X509_get_ext_count(certificate); i++) {
    X509_EXTENSION* extension = X509_get_ext(certificate, i);
    if (X509_EXTENSION_get_critical(extension) == 0 || X509_supported_extension(extension) != 0) continue;
    char name[80];
    if (OBJ_obj2txt(name, sizeof name, X509_EXTENSION_get_object(extension), 0) > 0) return std::string(" ") + name;
  }
  return "";
}

Words restricted(const Failure& f) {
  switch (f.code) {
    case X509_V_ERR_INVALID_CA:
      return {
          "is not a CA, but another certificate of the chain names it as its issuer (basicConstraints CA:TRUE is "
          "missing)",
          "have the CA's certificate issued with basicConstraints = critical,CA:TRUE"};
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
      return {"may not sign certificates: its keyUsage lacks keyCertSign",
              "have the CA's certificate issued with keyUsage = keyCertSign, cRLSign"};
    case X509_V_ERR_PATH_LENGTH_EXCEEDED: {
      const long most = X509_get_pathlen(f.certificate);
      return {"allows " + std::to_string(most) + " CAs below it (pathlen), and the chain has more",
              "use a CA that may issue it, or have this CA's certificate issued with a larger pathlen"};
    }
    case X509_V_ERR_PERMITTED_VIOLATION:
      return {"has a name that a CA above it may not issue: it is outside the CA's permitted nameConstraints",
              "issue it for a name within them, or from another CA"};
    case X509_V_ERR_EXCLUDED_VIOLATION:
      return {"has a name that a CA above it may not issue: the CA's nameConstraints exclude it",
              "issue it for another name, or from another CA"};
    case X509_V_ERR_UNSPECIFIED:  // NAME_CONSTRAINTS_check(3) compares 2^20 pairs at most
      return {"has too many names to compare with the nameConstraints of a CA above it", "issue it for fewer names"};
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
      return {"has an unknown critical extension" + unknown_critical_extension(f.certificate),
              "have it issued without that extension, or with it not critical"};
    case X509_V_ERR_PROXY_CERTIFICATES_NOT_ALLOWED:
    case X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED:
      return {"is a proxy certificate (RFC 3820)", "use a certificate that a CA issued"};
    case X509_V_ERR_CERT_REJECTED:
    case X509_V_ERR_CERT_UNTRUSTED:
      return {"is marked as not trusted for this purpose in " + f.anchors() + " (TRUSTED CERTIFICATE)",
              "save it there without its trust settings: `openssl x509 -in FILE -out FILE.pem`"};
    default:
      return {std::string("violates RFC 5280: ") + X509_verify_cert_error_string(f.code), "have it issued again"};
  }
}

// The names that the leaf is for: "CN=*.example.com", "DNS:a.example", "IP Address:10.0.0.1".
std::string names_of(X509* certificate) {
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  if (!names) return "\"" + subject_text(certificate) + "\"";
  const Memory memory(made(Memory(BIO_new(BIO_s_mem()))));
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < 8; i++) {
    if (i > 0) BIO_puts(memory.get(), ", ");
    GENERAL_NAME_print(memory.get(), sk_GENERAL_NAME_value(names, i));
  }
  GENERAL_NAMES_free(names);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return bounded(std::string(data, static_cast<size_t>(size > 0 ? size : 0)), 200);
}

Words wrong_name(const Failure& f) {
  return {
      "is for " + names_of(f.certificate) + ", not for \"" + f.policy.name + "\"",
      "set server_name_indication to a name of the certificate, or connect by that name, or have one issued for \"" +
          f.policy.name + "\""};
}

std::string revoked_since(const Failure& f) {
  X509_REVOKED* entry = nullptr;
  if (!f.crl || X509_CRL_get0_by_cert(f.crl, &entry, f.certificate) == 0 || !entry) return "";
  return " on " + at(X509_REVOKED_get0_revocationDate(entry));
}

Words revocation(const Failure& f) {
  const std::string whose = "the CRL of its issuer " + f.issuer();
  const std::string renew = "get that CA's current CRL into " + f.crls();
  switch (f.code) {
    case X509_V_ERR_CERT_REVOKED:
      return {"was revoked" + revoked_since(f) + " by " + f.issuer(), "have a new one issued, for a new key"};
    case X509_V_ERR_CRL_HAS_EXPIRED:
      return {"can't be checked for revocation: " + whose + " expired on " +
                  at(f.crl ? X509_CRL_get0_nextUpdate(f.crl) : nullptr),
              renew + f.or_clock()};
    case X509_V_ERR_CRL_NOT_YET_VALID:
      return {"can't be checked for revocation: " + whose + " is not valid before " +
                  at(f.crl ? X509_CRL_get0_lastUpdate(f.crl) : nullptr) + ", and " + f.clock(),
              f.fix_clock() + ", or " + renew};
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
      return {"can't be checked for revocation: " + f.crls() + " holds no CRL of its issuer " + f.issuer() +
                  " that covers it",
              "add that CA's CRL there: each CA that issues such certificates needs one"};
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
      return {"can't be checked for revocation: " + whose + " has an unknown critical extension",
              "have that CA issue its CRL without it"};
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
      return {"can't be checked for revocation: " + whose + " is not signed by that CA's key", renew};
    default:
      return {"can't be checked for revocation: " + whose + " can't be used (" + X509_verify_cert_error_string(f.code) +
                  ")",
              renew};
  }
}

Words words_for(const Failure& f) {
  switch (f.code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG: return no_anchor(f);
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD: return time_of_certificate(f);
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
    case X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY:
    case X509_V_ERR_NO_ISSUER_PUBLIC_KEY:
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK: return signature(f);
    case X509_V_ERR_INVALID_PURPOSE: return purpose(f);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return wrong_name(f);
    case X509_V_ERR_CERT_REVOKED:
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
    case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR: return revocation(f);
    default: return restricted(f);
  }
}

}  // namespace

FailedCrl::FailedCrl(X509_STORE_CTX* context) {
  X509_STORE_CTX_set_app_data(context, this);
  X509_STORE_CTX_set_verify_cb(context, remember);
}

int FailedCrl::remember(int ok, X509_STORE_CTX* context) {
  auto* self =
      static_cast<FailedCrl*>(X509_STORE_CTX_get_app_data(context));  // null while a CRL's own chain is validated
  X509_CRL* crl = X509_STORE_CTX_get0_current_crl(context);
  if (ok == 0 && self && crl && X509_CRL_up_ref(crl) == 1) self->crl_.reset(crl);
  return ok;
}

Refusal refusal_of(X509_STORE_CTX* context, const FailedCrl& crl, const Material& material, const Policy& policy,
                   int64_t now) {
  X509* certificate = X509_STORE_CTX_get_current_cert(context);
  const Failure failure{.material = material,
                        .policy = policy,
                        .now = now,
                        .code = X509_STORE_CTX_get_error(context),
                        .position = X509_STORE_CTX_get_error_depth(context),
                        .certificate = certificate ? certificate : X509_STORE_CTX_get0_cert(context),
                        .crl = crl.get()};
  Words words = words_for(failure);
  return {failure.code,
          failure.position,
          subject_text(failure.certificate),
          std::move(words.problem),
          std::move(words.advice),
          alert_of(failure.code)};
}

Doubt doubt_of(int code) {
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return Doubt::expired;
    case X509_V_ERR_CERT_REVOKED: return Doubt::revoked;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return Doubt::unknown_ca;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE: return Doubt::revocation_unknown;
    default: return Doubt::other;
  }
}

Alert alert_of(int code) {
  switch (code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER: return Alert::unknown_ca;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CRL_HAS_EXPIRED: return Alert::certificate_expired;
    case X509_V_ERR_CERT_REVOKED: return Alert::certificate_revoked;
    case X509_V_ERR_INVALID_PURPOSE: return Alert::unsupported_certificate;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE: return Alert::decrypt_error;
    case X509_V_ERR_OUT_OF_MEM:
    case X509_V_ERR_STORE_LOOKUP:
    case X509_V_ERR_INVALID_CALL: return Alert::internal_error;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_REJECTED:
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
    case X509_V_ERR_UNSPECIFIED: return Alert::bad_certificate;
    default: return Alert::certificate_unknown;
  }
}

}  // namespace trust
