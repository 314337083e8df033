// Validator::concerns(): the entries of a trust file and a CRL file that will cause a refusal, or have no effect. Each
// entry is judged alone; X509_verify_cert decides what it means for a chain.
#include <openssl/err.h>

#include <algorithm>

#include "common/trust/material.h"
#include "common/trust/text.h"

namespace trust {
namespace {

using Kind = Concern::Kind;

constexpr size_t kMostConcerns = 32;
constexpr int kLeastSecurityBits = 112;  // of security level 2

std::string quoted_name(const X509_NAME* name) { return "\"" + name_text(name) + "\""; }

struct Period {
  std::optional<int64_t> from, until;
};

Concern ended(std::string file, std::string subject, const Period& period, std::string advice) {
  return {Kind::expired, std::move(file), std::move(subject), "expired on " + time_text(*period.until),
          std::move(advice)};
}

// On a gateway whose clock does not run without power, the clock is the likelier cause.
Concern not_begun(std::string file, std::string subject, const Period& period, int64_t now) {
  return {Kind::not_yet_valid, std::move(file), std::move(subject),
          "is not valid before " + time_text(*period.from) + ", and this gateway's clock says " + time_text(now),
          "set the clock (`timedatectl`); no restart is needed"};
}

void look_at_anchor(const Material& material, const Policy& policy, X509* anchor, int64_t now,
                    std::vector<Concern>& concerns) {
  const std::string& file = material.anchor_name;
  const std::string subject = "the CA \"" + subject_text(anchor) + "\"";
  const Period period{unix_time(X509_get0_notBefore(anchor)), unix_time(X509_get0_notAfter(anchor))};
  if (period.until && now >= *period.until)
    concerns.push_back(ended(file, subject, period, "replace it with its successor, or remove it"));
  else if (period.from && now < *period.from) concerns.push_back(not_begun(file, subject, period, now));
  const EVP_PKEY* key = X509_get0_pubkey(anchor);
  if (key && EVP_PKEY_get_security_bits(key) < kLeastSecurityBits)
    concerns.push_back({Kind::small_key, file, subject,
                        "has a key that is too small: every certificate that it issued is refused",
                        "replace it with a CA that has an RSA-2048 or P-256 key"});
  const bool root = (X509_get_extension_flags(anchor) & EXFLAG_SS) != 0;
  if (!root && !policy.partial_chain && !material.anchor_named(X509_get_issuer_name(anchor)))
    concerns.push_back({Kind::no_root, file, subject,
                        "is not a root, and its issuer " + quoted_name(X509_get_issuer_name(anchor)) +
                            " is not there: every certificate that it issued is refused, unless the peer sends the "
                            "rest of the chain",
                        "add the root's certificate, or set partial_chain"});
  if (X509_check_ca(anchor) == 0)
    concerns.push_back({Kind::no_ca, file, subject,
                        "is not a CA's certificate: it is trusted itself, but can't issue others",
                        "if you meant to trust its issuer, put the issuer's certificate there", true});
}

// True if two CRLs cover the same certificates, so that they differ only in age.
bool same_scope(const X509_CRL* a, const X509_CRL* b) {
  if (X509_NAME_cmp(X509_CRL_get_issuer(a), X509_CRL_get_issuer(b)) != 0) return false;
  for (const int nid : {NID_issuing_distribution_point, NID_delta_crl, NID_authority_key_identifier}) {
    const int in_a = X509_CRL_get_ext_by_NID(a, nid, -1), in_b = X509_CRL_get_ext_by_NID(b, nid, -1);
    if ((in_a < 0) != (in_b < 0)) return false;
    if (in_a >= 0 && ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(X509_CRL_get_ext(a, in_a)),
                                           X509_EXTENSION_get_data(X509_CRL_get_ext(b, in_b))) != 0)
      return false;
  }
  return true;
}

// True if OpenSSL prefers another CRL to crl(i): it takes one that is valid now over one that is not, then the later,
// then the first.
bool superseded(const Material& material, int i, int64_t now) {
  const auto rank = [&](X509_CRL* crl) {
    const Period period{unix_time(X509_CRL_get0_lastUpdate(crl)), unix_time(X509_CRL_get0_nextUpdate(crl))};
    const bool valid = period.from.value_or(0) <= now && (!period.until || now < *period.until);
    return std::pair(valid, period.from.value_or(0));
  };
  for (int k = 0; k < material.crl_count(); k++) {
    if (k == i || !same_scope(material.crl(i), material.crl(k))) continue;
    const auto mine = rank(material.crl(i)), other = rank(material.crl(k));
    if (other > mine || (other == mine && k < i)) return true;
  }
  return false;
}

std::string unknown_critical_extension(X509_CRL* crl) {
  for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
    X509_EXTENSION* extension = X509_CRL_get_ext(crl, i);
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (X509_EXTENSION_get_critical(extension) == 0 || nid == NID_issuing_distribution_point || nid == NID_delta_crl ||
        nid == NID_authority_key_identifier)
      continue;
    char name[80];
    if (OBJ_obj2txt(name, sizeof name, X509_EXTENSION_get_object(extension), 0) > 0) return name;
  }
  return "";
}

// A CA that has a new key may keep its name, and be an anchor twice (RFC 5280 4.2.1.1).
bool signed_by_an_anchor(const Material& material, X509_CRL* crl) {
  return std::ranges::any_of(material.anchors, [&](const Certificate& anchor) {
    EVP_PKEY* key = X509_get0_pubkey(anchor.get());
    return X509_NAME_cmp(X509_get_subject_name(anchor.get()), X509_CRL_get_issuer(crl)) == 0 && key &&
           X509_CRL_verify(crl, key) == 1;
  });
}

void look_at_crl(const Material& material, int i, int64_t now, std::vector<Concern>& concerns) {
  X509_CRL* crl = material.crl(i);
  const std::string& file = material.crl_name;
  const std::string subject = "the CRL of " + quoted_name(X509_CRL_get_issuer(crl));
  const Period period{unix_time(X509_CRL_get0_lastUpdate(crl)), unix_time(X509_CRL_get0_nextUpdate(crl))};
  if (superseded(material, i, now)) {
    concerns.push_back({Kind::old_crl, file, subject + " of " + time_text(period.from.value_or(0)),
                        "is not used: the file holds a newer one", "remove the old one", true});
    return;
  }
  const bool retired = !material.anchor_named(X509_CRL_get_issuer(crl));  // or a sub-CA that peers send
  if (period.until && now >= *period.until) {
    Concern concern = ended(file, subject, period,
                            "get that CA's current CRL: until then every certificate that it issued is refused");
    if (retired) concern.advice = "get that CA's current CRL, or remove this one if the CA no longer exists";
    concern.harmless = retired;
    concerns.push_back(std::move(concern));
  } else if (period.from && now < *period.from) {
    concerns.push_back(not_begun(file, subject, period, now));
  }
  if (!period.until)
    concerns.push_back({Kind::unlimited_crl, file, subject, "has no nextUpdate: it never expires, however old it gets",
                        "make sure that a new one replaces it in time", true});
  if (const std::string unknown = unknown_critical_extension(crl); !unknown.empty())
    concerns.push_back(
        {Kind::unknown_extension, file, subject,
         "has an unknown critical extension, " + unknown + ": every certificate that this CA issued is refused",
         "have the CA issue its CRL without it"});
  if (retired)
    concerns.push_back({Kind::unknown_issuer, file, subject,
                        "belongs to a CA that is not in " + material.anchor_path +
                            ": it is used only if a peer sends that CA's certificate",
                        "remove it if the CA no longer exists", true});
  else if (!signed_by_an_anchor(material, crl))
    concerns.push_back({Kind::wrong_signature, file, subject,
                        "is not signed by the key of that CA in " + material.anchor_path +
                            ": every certificate that this CA issued is refused",
                        "get the CA's current CRL"});
  ERR_clear_error();
}

// If only leaves are checked, a CA that is there because it issued another CA of the file needs no CRL.
bool issues_an_anchor(const Material& material, const X509_NAME* name) {
  return std::ranges::any_of(material.anchors, [&](const Certificate& anchor) {
    return X509_NAME_cmp(X509_get_issuer_name(anchor.get()), name) == 0 &&
           X509_NAME_cmp(X509_get_subject_name(anchor.get()), name) != 0;
  });
}

void look_for_missing_crls(const Material& material, const Policy& policy, std::vector<Concern>& concerns) {
  for (const Certificate& anchor : material.anchors) {
    const X509_NAME* name = X509_get_subject_name(anchor.get());
    bool found = X509_check_ca(anchor.get()) == 0;
    for (int i = 0; i < material.crl_count() && !found; i++)
      found = X509_NAME_cmp(X509_CRL_get_issuer(material.crl(i)), name) == 0;
    if (!found)
      concerns.push_back({Kind::missing_crl, material.crl_name, "no CRL of " + quoted_name(name),
                          "is in the file: certificates that this CA issued directly are refused",
                          "add its CRL, if it issues any directly",
                          policy.revocation == Revocation::leaf && issues_an_anchor(material, name)});
  }
}

}  // namespace

std::vector<Concern> concerns_of(const Material& material, const Policy& policy, int64_t now) {
  std::vector<Concern> concerns = material.unused;
  for (const Certificate& anchor : material.anchors) look_at_anchor(material, policy, anchor.get(), now, concerns);
  for (int i = 0; i < material.crl_count(); i++) look_at_crl(material, i, now, concerns);
  if (material.asks_crls()) look_for_missing_crls(material, policy, concerns);
  std::stable_partition(concerns.begin(), concerns.end(), [](const Concern& concern) { return !concern.harmless; });
  if (concerns.size() > kMostConcerns) {
    const size_t more = concerns.size() - (kMostConcerns - 1);
    concerns.resize(kMostConcerns - 1);
    concerns.push_back({Kind::more, material.anchor_name, std::to_string(more) + " more entries", "have problems too",
                        "fix those above first", true});
  }
  return concerns;
}

}  // namespace trust
