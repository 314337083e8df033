// Versions, serial numbers, names and their encodings, and the host that a client wants to reach.
#include "tests/differential/shapes.h"

namespace differential {

using namespace pki;

std::vector<Shape> versions_and_serials() {
  Shapes shapes("versions and serials");
  for (const auto& [where, level] : kLevels) {
    shapes.add(std::string("version 1 of the ") + where, [&](Recipe& r) { (r.*level).shape.version = 1; });
    shapes.add(std::string("version 2 of the ") + where, [&](Recipe& r) { (r.*level).shape.version = 2; });
    for (const char* serial :
         {"00", "-01", "-7F", "7F", "80", "FF", "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
          "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "010203040506070809101112131415161718192021222324252627282930"})
      shapes.add(std::string("serial ") + serial + " of the " + where,
                 [&](Recipe& r) { (r.*level).shape.serial = serial; });
  }
  shapes.add("root and leaf of version 1, as mosquitto-tls(7) makes them", [] {
    Recipe recipe;
    recipe.leaf.shape.version = 1;
    return recipe;
  }());
  return shapes.all();
}

std::vector<Shape> names() {
  Shapes shapes("names");
  const std::pair<const char*, int> encodings[] = {{"UTF8String", V_ASN1_UTF8STRING},
                                                   {"PrintableString", V_ASN1_PRINTABLESTRING},
                                                   {"T61String", V_ASN1_T61STRING},
                                                   {"IA5String", V_ASN1_IA5STRING},
                                                   {"BMPString", V_ASN1_BMPSTRING}};
  const auto in = [](const std::string& text, int encoding) {
    if (encoding != V_ASN1_BMPSTRING) return text;
    std::string wide;
    for (const char c : text) wide += {'\0', c};
    return wide;
  };
  for (const auto& [encoding_name, encoding] : encodings)
    for (const auto& [how, text] : {std::pair("as it is", "Good CA"), std::pair("in other case", "gOOD ca"),
                                    std::pair("with more spaces", "  Good   CA "), std::pair("another", "Bad CA")})
      shapes.add(std::string("the issuer's name as ") + encoding_name + ", " + how,
                 [&, e = encoding, t = text](Recipe& r) {
                   r.middle.shape.subject = cn("Good CA");
                   r.leaf.shape.issuer = cn(in(t, e), e);
                 });
  shapes.add("one more part in the issuer's name", [](Recipe& r) {
    r.leaf.shape.issuer = {{"O", "Acme"}, {"CN", "Int"}};
  });
  shapes.add("parts of the issuer's name in another order", [](Recipe& r) {
    r.middle.shape.subject = {{"O", "Acme"}, {"CN", "Int"}};
    r.leaf.shape.issuer = {{"CN", "Int"}, {"O", "Acme"}};
  });
  shapes.add("no subject in the leaf", [](Recipe& r) { r.leaf.shape.subject = {}; });
  shapes.add("no subject in the leaf, and no other name", [](Recipe& r) {
    r.leaf.shape.subject = {};
    r.leaf.shape.extensions = with(kLeaf, {"subjectAltName="});
  });
  shapes.add("no subject in the intermediate", [](Recipe& r) { r.middle.shape.subject = {}; });
  shapes.add("UTF-8 in all names", [](Recipe& r) {
    r.root.shape.subject = cn("Würzburg ルート");
    r.middle.shape.subject = cn("Zürich 中間");
  });
  shapes.add("the intermediate is called as the root", [](Recipe& r) { r.middle.shape.subject = cn("Root"); });
  shapes.add("the leaf is called as the intermediate", [](Recipe& r) { r.leaf.shape.subject = cn("Int"); });
  shapes.add("the leaf is called as the root", [](Recipe& r) { r.leaf.shape.subject = cn("Root"); });
  shapes.add("64 parts in the leaf's name", [](Recipe& r) {
    for (int i = 0; i < 63; i++) r.leaf.shape.subject.push_back({"OU", "unit " + std::to_string(i)});
  });
  return shapes.all();
}

std::vector<Shape> hosts() {
  Shapes shapes("hosts");
  const auto add = [&](const std::string& name, const std::string& host, const std::string& names,
                       const std::string& common = "x") {
    Recipe recipe;
    recipe.leaf.shape.subject = cn(common);
    recipe.leaf.shape.extensions = with(kLeaf, {names.empty() ? "subjectAltName=" : "subjectAltName=" + names});
    Shape& shape = shapes.add(name, recipe);
    shape.host = host;
    shape.as_remote_only = true;
  };
  add("the name", "broker.example", "DNS:broker.example");
  add("the name in other case", "Broker.Example", "DNS:bROKER.eXAMPLE");
  add("another name", "broker.example", "DNS:other.example");
  add("one of three names", "broker.example", "DNS:a.example,DNS:broker.example,DNS:c.example");
  add("a wildcard", "broker.example.org", "DNS:*.example.org");
  add("a wildcard for two labels", "a.b.example.org", "DNS:*.example.org");
  add("a wildcard for no label", "example.org", "DNS:*.example.org");
  add("a wildcard within a label", "broker.example.org", "DNS:bro*.example.org");
  add("a wildcard in the second label", "broker.a.example.org", "DNS:broker.*.example.org");
  add("a wildcard for all", "broker.example", "DNS:*");
  add("a wildcard of a top level", "broker.example", "DNS:*.example");
  add("the common name, no other", "broker.example", "", "broker.example");
  add("the common name with a wildcard", "broker.example.org", "", "*.example.org");
  add("the common name, beside another DNS name", "broker.example", "DNS:other.example", "broker.example");
  add("the common name, beside an address", "broker.example", "IP:127.0.0.1", "broker.example");
  add("an address", "127.0.0.1", "IP:127.0.0.1");
  add("another address", "127.0.0.1", "IP:127.0.0.2");
  add("an address as a DNS name", "127.0.0.1", "DNS:127.0.0.1");
  add("an address as the common name", "127.0.0.1", "", "127.0.0.1");
  add("an IPv6 address", "::1", "IP:::1");
  add("a URI only", "broker.example", "URI:https://broker.example/");
  add("an email address only", "broker.example", "email:broker.example");
  return shapes.all();
}

std::vector<Shape> name_constraints() {
  Shapes shapes("name constraints");
  struct Case {
    std::string constraint, name;  // constraint: of the CA; name: subjectAltName or, with a "/", the subject's O
  };
  const Case cases[] = {
      {"permitted;DNS:example.org", "DNS:a.example.org"},
      {"permitted;DNS:example.org", "DNS:example.org"},
      {"permitted;DNS:example.org", "DNS:badexample.org"},
      {"permitted;DNS:example.org", "DNS:a.example.org,DNS:other.example"},
      {"permitted;DNS:.example.org", "DNS:a.example.org"},
      {"permitted;DNS:example.org", ""},
      {"permitted;DNS:example.org", "IP:10.0.0.1"},
      {"excluded;DNS:example.org", "DNS:a.example.org"},
      {"excluded;DNS:example.org", "DNS:other.example"},
      {"permitted;IP:10.0.0.0/255.0.0.0", "IP:10.1.2.3"},
      {"permitted;IP:10.0.0.0/255.0.0.0", "IP:11.1.2.3"},
      {"permitted;IP:10.0.0.0/255.0.0.0", "DNS:localhost"},
      {"excluded;IP:10.0.0.0/255.0.0.0", "IP:10.1.2.3"},
      {"permitted;dirName:acme", "/Acme"},
      {"permitted;dirName:acme", "/Other"},
      {"permitted;dirName:acme", "/aCME"},
      {"excluded;dirName:acme", "/Acme"},
      {"excluded;dirName:acme", "/Other"},
      {"permitted;email:example.org", "email:a@example.org"},
      {"permitted;email:example.org", "email:a@other.example"},
      {"permitted;URI:.example.org", "URI:https://a.example.org/"},
      {"permitted;URI:.example.org", "URI:https://other.example/"},
  };
  const auto constrained = [](const std::string& constraint) {
    return std::string(kCa) + "nameConstraints=critical," + constraint + "\n[acme]\nO=Acme\n";
  };
  for (const auto& [constraint, name] : cases)
    for (const std::string where : {"the issuer", "the CA above the issuer", "the root"}) {
      Recipe recipe;
      const bool organisation = name.starts_with('/');
      const Name own = organisation ? Name{{"O", name.substr(1)}, {"CN", "localhost"}} : cn("localhost");
      const Name ca = organisation ? Name{{"O", name.substr(1)}, {"CN", "Int"}} : cn("Int");
      recipe.middles = {{{.subject = cn("Upper"), .extensions = kCa}}, {{.subject = ca, .extensions = kCa}}};
      if (organisation) recipe.middles[0].shape.subject = {{"O", name.substr(1)}, {"CN", "Upper"}};
      recipe.leaf.shape.subject = own;
      recipe.leaf.shape.extensions = with(kLeaf, {"subjectAltName=" + (organisation ? "" : name)});
      Recipe::Level& level = where == "the root" ? recipe.root : recipe.middles[where == "the issuer" ? 1 : 0];
      level.shape.extensions = constrained(constraint);
      shapes.add(where + " has " + constraint + ", the leaf " + (name.empty() ? "no name" : name), recipe).host = "";
    }
  shapes
      .add("a common name that looks like a host, outside the permitted DNS names",
           [&](Recipe& r) {
             r.middle.shape.extensions = constrained("permitted;DNS:example.org");
             r.leaf.shape.subject = cn("www.other.example");
             r.leaf.shape.extensions = with(kLeaf, {"subjectAltName="});
           })
      .host = "";
  shapes
      .add("a common name that looks like a host, inside the permitted DNS names",
           [&](Recipe& r) {
             r.middle.shape.extensions = constrained("permitted;DNS:example.org");
             r.leaf.shape.subject = cn("www.example.org");
             r.leaf.shape.extensions = with(kLeaf, {"subjectAltName="});
           })
      .host = "";
  return shapes.all();
}

}  // namespace differential
