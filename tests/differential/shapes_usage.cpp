// What a certificate may be used for: usages, constraints, dates, and uncommon extensions.
#include "tests/differential/shapes.h"

namespace differential {

using namespace pki;

namespace {

void set(Recipe& recipe, Level level, const std::vector<std::string>& lines) {
  auto& extensions = (recipe.*level).shape.extensions;
  extensions = with(extensions, lines);
}

Recipe::Level ca_level(const std::string& name, const std::string& constraints) {
  return {{.subject = cn(name), .extensions = with(kCa, {"basicConstraints=" + constraints})}};
}

}  // namespace

std::vector<Shape> key_usages() {
  Shapes shapes("key usages");
  const char* usages[] = {"",
                          "digitalSignature",
                          "keyEncipherment",
                          "keyAgreement",
                          "keyCertSign",
                          "cRLSign",
                          "nonRepudiation",
                          "dataEncipherment",
                          "digitalSignature,keyCertSign",
                          "digitalSignature,keyEncipherment",
                          "digitalSignature,keyCertSign,cRLSign",
                          "encipherOnly"};
  for (const auto& [where, level] : kLevels)
    for (const std::string usage : usages) {
      shapes.add(std::string("keyUsage ") + (usage.empty() ? "none" : usage) + " of the " + where,
                 [&](Recipe& r) { set(r, level, {"keyUsage=" + usage}); });
      if (!usage.empty())
        shapes.add("keyUsage critical," + usage + " of the " + where,
                   [&](Recipe& r) { set(r, level, {"keyUsage=critical," + usage}); });
    }
  for (const char* usage : {"keyEncipherment", "digitalSignature", "keyAgreement"})
    shapes.add(std::string("RSA leaf with keyUsage ") + usage, [&](Recipe& r) {
      r.leaf.key = "RSA:2048";
      set(r, &Recipe::leaf, {std::string("keyUsage=") + usage});
    });
  return shapes.all();
}

std::vector<Shape> extended_key_usages() {
  Shapes shapes("extended key usages");
  const char* usages[] = {"",
                          "clientAuth",
                          "serverAuth",
                          "clientAuth,serverAuth",
                          "anyExtendedKeyUsage",
                          "anyExtendedKeyUsage,clientAuth",
                          "codeSigning",
                          "emailProtection,clientAuth",
                          "OCSPSigning",
                          "msSGC",
                          "nsSGC",
                          "1.3.6.1.4.1.99999.2"};
  for (const auto& [where, level] : kLevels)
    for (const std::string usage : usages) {
      shapes.add(std::string("extendedKeyUsage ") + (usage.empty() ? "none" : usage) + " of the " + where,
                 [&](Recipe& r) { set(r, level, {"extendedKeyUsage=" + usage}); });
      if (!usage.empty())
        shapes.add("extendedKeyUsage critical," + usage + " of the " + where,
                   [&](Recipe& r) { set(r, level, {"extendedKeyUsage=critical," + usage}); });
    }
  return shapes.all();
}

std::vector<Shape> basic_constraints_and_depth() {
  Shapes shapes("basic constraints and depth");
  for (const auto& [where, level] : kLevels)
    for (const std::string constraints :
         {"", "CA:TRUE", "CA:FALSE", "critical,CA:FALSE", "critical,CA:TRUE,pathlen:0", "CA:TRUE,pathlen:1"})
      shapes.add("basicConstraints " + (constraints.empty() ? "none" : constraints) + " of the " + where,
                 [&](Recipe& r) { set(r, level, {"basicConstraints=" + constraints}); });
  shapes.add("neither basicConstraints nor keyUsage in the intermediate", [&](Recipe& r) {
    set(r, &Recipe::middle, {"basicConstraints=", "keyUsage="});
  });
  shapes.add("neither basicConstraints nor keyUsage in the root", [&](Recipe& r) {
    set(r, &Recipe::root, {"basicConstraints=", "keyUsage="});
  });
  for (int root = 0; root <= 2; root++)
    for (int upper = 0; upper <= 2; upper++) {
      Recipe recipe;
      recipe.root = ca_level("Root", "critical,CA:TRUE,pathlen:" + std::to_string(root));
      recipe.middles = {ca_level("Upper", "critical,CA:TRUE,pathlen:" + std::to_string(upper)),
                        ca_level("Int", "critical,CA:TRUE")};
      shapes.add(
          "pathlen " + std::to_string(root) + " in the root, " + std::to_string(upper) + " below it, two intermediates",
          recipe);
    }
  Recipe self_issued;
  self_issued.root = ca_level("Root", "critical,CA:TRUE,pathlen:1");
  self_issued.middles = {ca_level("Root", "critical,CA:TRUE"), ca_level("Int", "critical,CA:TRUE")};
  shapes.add("pathlen 1 in the root, a self-issued CA and an intermediate", self_issued);
  for (int most : {0, 1, 10, 12})
    for (int count = 1; count <= 12; count++) {
      if (most != 10 && count != most && count != most + 1) continue;
      Recipe recipe;
      for (int i = 1; i <= count; i++)
        recipe.middles.push_back(ca_level("Level " + std::to_string(i), "critical,CA:TRUE"));
      shapes.add(std::to_string(count) + " intermediates, depth " + std::to_string(most), recipe).depth = most;
    }
  return shapes.all();
}

std::vector<Shape> dates() {
  Shapes shapes("dates");
  constexpr int64_t k9999 = 253'402'300'799, k2049 = 2'524'607'999;
  const std::tuple<const char*, int64_t, int64_t> periods[] = {
      {"that has expired", base_time - 9 * kDay, base_time - kDay},
      {"that is not yet valid", base_time + kDay, base_time + 9 * kDay},
      {"that ends in an hour", base_time - kDay, base_time + 3600},
      {"that began an hour ago", base_time - 3600, base_time + kDay},
      {"that ends before it begins", base_time + kDay, base_time - kDay},
      {"until 9999-12-31", base_time - kDay, k9999},
      {"until 2049-12-31", base_time - kDay, k2049},
      {"from 1970-01-01", 0, base_time + kDay},
      {"from 1949-12-31", -631'238'400, base_time + kDay},
      {"from 1950-01-01", -631'152'000, base_time + kDay}};
  for (const auto& [where, level] : kLevels)
    for (const auto& [what, from, until] : periods)
      shapes.add(std::string("a ") + where + " " + what, [&, f = from, u = until](Recipe& r) {
        (r.*level).shape.from = f;
        (r.*level).shape.until = u;
      });
  return shapes.all();
}

std::vector<Shape> extensions() {
  Shapes shapes("extensions");
  const char* lines[] = {"1.3.6.1.4.1.99999.3=ASN1:NULL",
                         "1.3.6.1.4.1.99999.3=critical,ASN1:NULL",
                         "certificatePolicies=1.2.3.4",
                         "certificatePolicies=critical,1.2.3.4",
                         "policyConstraints=critical,requireExplicitPolicy:0",
                         "inhibitAnyPolicy=critical,0",
                         "nsCertType=client",
                         "nsCertType=server",
                         "nsCertType=sslCA",
                         "nsComment=made by hand",
                         "subjectKeyIdentifier=00112233",
                         "subjectKeyIdentifier=",
                         "tlsfeature=status_request",
                         "crlDistributionPoints=URI:http://crl.example/a.crl",
                         "authorityInfoAccess=OCSP;URI:http://ocsp.example/",
                         "issuerAltName=DNS:ca.example",
                         "subjectInfoAccess=caRepository;URI:http://ca.example/",
                         "proxyCertInfo=critical,language:id-ppl-anyLanguage",
                         "nameConstraints=critical,permitted;DNS:localhost"};
  for (const auto& [where, level] : kLevels)
    for (const std::string line : lines)
      shapes.add(line + (line.ends_with('=') ? "none in the " : " in the ") + where,
                 [&](Recipe& r) { set(r, level, {line}); });
  shapes.add("no key identifiers at all", [](Recipe& r) {
    for (const Level level : {&Recipe::root, &Recipe::middle, &Recipe::leaf}) {
      set(r, level, {"subjectKeyIdentifier="});
      (r.*level).shape.key_id = false;
    }
  });
  shapes.add("an authorityKeyIdentifier with issuer and serial", [](Recipe& r) {
    r.leaf.shape.key_id = false;
    set(r, &Recipe::leaf, {"authorityKeyIdentifier=keyid,issuer:always"});
  });
  shapes.add("no authorityKeyIdentifier", [](Recipe& r) { r.leaf.shape.key_id = false; });
  shapes.add("no extension at all in the leaf", [](Recipe& r) {
    r.leaf.shape.extensions = "";
    r.leaf.shape.key_id = false;
  });
  return shapes.all();
}

}  // namespace differential
