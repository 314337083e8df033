// Kinds and sizes of keys, hashes, paddings, and invalid signatures.
#include "tests/differential/shapes.h"

namespace differential {

using namespace pki;

std::vector<Shape> keys() {
  Shapes shapes("keys");
  for (const auto& [where, level] : kLevels) {
    for (const char* kind : {"P-256", "P-384", "P-521", "P-256:compressed", "P-384:compressed", "P-521:compressed",
                             "P-224", "secp256k1", "brainpoolP256r1", "ED25519", "ED448", "RSA:1024", "RSA:2048",
                             "RSA:3072", "RSA:4096", "RSA:8192", "RSA-PSS:2048"})
      shapes.add(std::string(kind) + " of the " + where, [&](Recipe& r) { (r.*level).key = kind; });
  }
  for (const char* kind : {"P-256:compressed", "RSA:2048", "ED25519", "P-521"})
    shapes.add(std::string(kind) + " everywhere", [&](Recipe& r) { r.leaf.key = r.middle.key = r.root.key = kind; });
  return shapes.all();
}

std::vector<Shape> signatures() {
  Shapes shapes("signatures");
  for (const auto& [where, level] : kLevels) {
    for (const char* hash : {"MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "SHA3-256"})
      for (const char* kind : {"RSA:2048", "P-256"}) {
        if (std::string(hash) == "MD5" && std::string(kind) != "RSA:2048") continue;  // no such algorithm exists
        shapes.add(std::string(hash) + " with " + kind + " on the " + where, [&](Recipe& r) {
          r.root.key = r.middle.key = kind;
          (r.*level).shape.signing.hash = hash;
        });
      }
    for (const char* hash : {"SHA1", "SHA256", "SHA384", "SHA512"})
      shapes.add(std::string("RSASSA-PSS with ") + hash + " on the " + where, [&](Recipe& r) {
        r.root.key = r.middle.key = "RSA:2048";
        (r.*level).shape.signing = {.hash = hash, .pss = true};
      });
    for (const char* kind : {"RSA:2048", "P-256", "ED25519"})
      shapes.add(std::string("a broken signature by ") + kind + " on the " + where, [&](Recipe& r) {
        r.root.key = r.middle.key = kind;
        (r.*level).shape.signing.broken = true;
      });
  }
  return shapes.all();
}

std::vector<Shape> revocation_lists() {
  Shapes shapes("CRLs");
  const Built built = build({});
  const Identity &root = built.root, &middle = built.middles[0], &leaf = built.leaf;
  const Identity other = self_signed({.subject = cn("Other"), .extensions = kCa}, key("P-256", 200));
  const int64_t past = base_time - 9 * kDay;
  const Crl roots = crl(root), middles = crl(middle);
  const auto idp = [](const std::string& what) {
    return "issuingDistributionPoint=critical,@idp\n[idp]\n" + what + "\n";
  };
  const std::pair<const char*, std::vector<Crl>> files[] = {
      {"of all CAs, nothing revoked", {roots, middles}},
      {"that revoke the leaf", {roots, crl(middle, {.revoked = {leaf}})}},
      {"that revoke the intermediate", {crl(root, {.revoked = {middle}}), middles}},
      {"of the intermediate only", {middles}},
      {"of the root only", {roots}},
      {"of another CA only", {crl(other)}},
      {"of all CAs and of one that has gone", {crl(other), roots, middles}},
      {"of which the intermediate's has run out", {roots, crl(middle, {.from = past, .until = base_time - kDay})}},
      {"of which the root's has run out", {crl(root, {.from = past, .until = base_time - kDay}), middles}},
      {"of which the intermediate's is not yet valid", {roots, crl(middle, {.from = base_time + kDay})}},
      {"without nextUpdate", {crl(root, {.until = 0}), crl(middle, {.until = 0})}},
      {"without nextUpdate that revoke the leaf", {roots, crl(middle, {.revoked = {leaf}, .until = 0})}},
      {"without number", {crl(root, {.number = 0}), crl(middle, {.number = 0})}},
      {"twice the same", {roots, middles, middles}},
      {"old, then new that revokes",
       {roots, crl(middle, {.from = past}), crl(middle, {.revoked = {leaf}, .number = 2})}},
      {"new that revokes, then old",
       {roots, crl(middle, {.revoked = {leaf}, .number = 2}), crl(middle, {.from = past})}},
      {"old that revokes, then new",
       {roots, crl(middle, {.revoked = {leaf}, .from = past}), crl(middle, {.number = 2})}},
      {"run out that revokes, then valid",
       {roots, crl(middle, {.revoked = {leaf}, .from = past, .until = base_time - kDay}), middles}},
      {"for end entities only, critical",
       {crl(root, {.extensions = idp("onlyuser=TRUE")}), crl(middle, {.extensions = idp("onlyuser=TRUE")})}},
      {"for CAs only, critical",
       {crl(root, {.extensions = idp("onlyCA=TRUE")}), crl(middle, {.extensions = idp("onlyCA=TRUE")})}},
      {"for attribute certificates only, critical", {roots, crl(middle, {.extensions = idp("onlyAA=TRUE")})}},
      {"indirect, critical", {roots, crl(middle, {.revoked = {leaf}, .extensions = idp("indirectCRL=TRUE")})}},
      {"for some reasons, critical", {roots, crl(middle, {.extensions = idp("onlysomereasons=keyCompromise")})}},
      {"with a distribution point's name, critical",
       {roots, crl(middle, {.extensions = idp("fullname=URI:http://crl.example/a.crl")})}},
      {"with an unknown extension", {roots, crl(middle, {.extensions = "1.3.6.1.4.1.99999.4=ASN1:NULL\n"})}},
      {"with an unknown critical extension",
       {roots, crl(middle, {.extensions = "1.3.6.1.4.1.99999.4=critical,ASN1:NULL\n"})}},
      {"with a broken signature", {roots, crl(middle, {.signing = {.broken = true}})}},
      {"signed with SHA-1", {roots, crl(middle, {.signing = {.hash = "SHA1"}})}},
      {"in the name of the intermediate, by another key",
       {roots, crl({middle.certificate, key("P-256", 201)}, {.revoked = {leaf}})}},
  };
  for (const auto& [name, crls] : files)
    for (const bool whole : {false, true}) {
      Shape& shape =
          shapes.add(std::string("CRLs ") + name + (whole ? ", asked about the chain" : ", asked about the leaf"),
                     {root}, {leaf, middle});
      shape.crls = crls;
      shape.crl_check_chain = whole;
    }
  Recipe no_sign;
  no_sign.middle.shape.extensions = with(kCa, {"keyUsage=critical,keyCertSign"});
  const Built unsigning = build(no_sign);
  Shape& shape = shapes.add("a CRL of a CA whose keyUsage lacks cRLSign", {unsigning.root}, unsigning.chain());
  shape.crls = {crl(unsigning.middles[0])};
  return shapes.all();
}

}  // namespace differential
