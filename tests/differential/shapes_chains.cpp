// Which certificates are sent, in which order, and which other CAs have signed them.
#include <algorithm>

#include "tests/differential/shapes.h"

namespace differential {

using namespace pki;

namespace {

Recipe::Level ca_level(const std::string& name) { return {{.subject = cn(name), .extensions = kCa}}; }

// A chain of root, three intermediates and leaf.
Built long_chain() {
  Recipe recipe;
  recipe.middles = {ca_level("Int 1"), ca_level("Int 2"), ca_level("Int 3")};
  return build(recipe);
}

Identity stranger(const std::string& name, int number, Template shape = {}) {
  shape.subject = cn(name);
  shape.extensions = kCa;
  return self_signed(shape, key("P-256", number));
}

}  // namespace

std::vector<Shape> orders_and_extras() {
  Shapes shapes("order and extras");
  const Built built = long_chain();
  std::vector<size_t> order{0, 1, 2};
  do {
    std::vector<Identity> chain{built.leaf};
    std::string name = "three intermediates in the order";
    for (const size_t i : order) chain.push_back(built.middles[i]), name += " " + std::to_string(i);
    shapes.add(name, {built.root}, chain);
    chain.insert(chain.begin() + 2, built.root);
    shapes.add(name + ", the root between", {built.root}, chain);
  } while (std::next_permutation(order.begin(), order.end()));
  for (size_t missing = 0; missing < 3; missing++) {
    std::vector<Identity> chain{built.leaf};
    for (size_t i = 0; i < 3; i++)
      if (i != missing) chain.push_back(built.middles[i]);
    shapes.add("intermediate " + std::to_string(missing) + " is missing", {built.root}, chain);
    shapes.add("intermediate " + std::to_string(missing) + " is in the trust file",
               {built.root, built.middles[missing]}, chain);
  }
  const auto sent = [&](std::vector<Identity> extras, bool first = false) {
    std::vector<Identity> chain = built.chain();
    chain.insert(first ? chain.begin() + 1 : chain.end(), extras.begin(), extras.end());
    return chain;
  };
  const std::vector<Identity> roots{built.root};
  const Identity expired = stranger("Old", 40, {.from = base_time - 9 * kDay, .until = base_time - kDay});
  const Identity future = stranger("Young", 41, {.from = base_time + kDay});
  const std::pair<const char*, std::vector<Identity>> extras[] = {
      {"the root", {built.root}},
      {"the root twice", {built.root, built.root}},
      {"the leaf again", {built.leaf}},
      {"all intermediates again", built.middles},
      {"an unrelated root", {stranger("Unrelated", 42)}},
      {"an expired CA", {expired}},
      {"a CA that is not yet valid", {future}},
      {"a CA of version 1", {stranger("V1", 43, {.version = 1})}},
      {"a CA with serial 0", {stranger("Zero", 44, {.serial = "00"})}},
      {"a CA that a SHA-1 signature names",
       {self_signed({.subject = cn("S"), .extensions = kCa, .signing = {.hash = "SHA1"}}, key("RSA:2048", 45))}},
      {"a CA with RSA-1024", {self_signed({.subject = cn("R"), .extensions = kCa}, key("RSA:1024", 46))}},
      {"another device's leaf",
       {issue(built.middles[0], {.subject = cn("dev2"), .extensions = kLeaf}, key("P-256", 47))}},
      {"a CA with an unknown critical extension",
       {self_signed({.subject = cn("C"), .extensions = std::string(kCa) + "1.3.6.1.4.1.99999.1=critical,ASN1:NULL\n"},
                    key("P-256", 48))}},
      {"a CA on secp256k1", {self_signed({.subject = cn("K"), .extensions = kCa}, key("secp256k1", 49))}},
      {"a CA with Ed448", {self_signed({.subject = cn("E"), .extensions = kCa}, key("ED448", 50))}},
  };
  for (const auto& [name, what] : extras) {
    shapes.add(std::string("after the chain ") + name, roots, sent(what));
    shapes.add(std::string("after the leaf ") + name, roots, sent(what, true));
  }
  std::vector<Identity> many;
  for (int i = 0; i < 20; i++) many.push_back(stranger("Extra " + std::to_string(i), 51));
  shapes.add("after the chain 20 unrelated CAs", roots, sent(many));
  const std::vector<Identity> more{stranger("Unrelated", 42), expired, built.root};
  shapes.add("the trust file holds others, too", more, built.chain());
  shapes.add("the trust file holds the leaf only", {built.leaf}, built.chain());
  shapes.add("the trust file holds the leaf only, partial_chain", {built.leaf}, built.chain()).partial_chain = true;
  for (size_t i = 0; i < 3; i++) {
    const std::string name = "the trust file holds only intermediate " + std::to_string(i);
    shapes.add(name, {built.middles[i]}, built.chain());
    shapes.add(name + ", partial_chain", {built.middles[i]}, built.chain()).partial_chain = true;
    shapes.add(name + ", partial_chain, only the leaf is sent", {built.middles[i]}, {built.leaf}).partial_chain = true;
  }
  const Identity own = self_signed({.subject = cn("localhost"), .extensions = kLeaf}, key("P-256", 52));
  const Identity own_ca =
      self_signed({.subject = cn("localhost"),
                   .extensions = with(kLeaf, {"basicConstraints=CA:TRUE", "keyUsage=digitalSignature,keyCertSign"})},
                  key("P-256", 53));
  shapes.add("signed by itself, in the trust file", {own}, {own});
  shapes.add("signed by itself, not in the trust file", {built.root}, {own});
  shapes.add("a CA of its own, in the trust file", {own_ca}, {own_ca});
  shapes.add("a CA of its own, not in the trust file", {built.root}, {own_ca});
  return shapes.all();
}

std::vector<Shape> cross_signatures() {
  Shapes shapes("cross-signatures");
  const Identity a = stranger("A", 60), b = stranger("B", 61), c = stranger("C", 62);
  const auto cross = [](const Identity& by, const std::string& name, const Identity& whom, Template shape = {}) {
    shape.subject = cn(name);
    shape.extensions = kCa;
    return issue(by, shape, whom.key);
  };
  const Identity ab = cross(b, "A", a), ba = cross(a, "B", b), bc = cross(c, "B", b), ac = cross(c, "A", a);
  const Identity old_ab = cross(b, "A", a, {.from = base_time - 9 * kDay, .until = base_time - kDay});
  const Identity middle = issue(a, {.subject = cn("Int"), .extensions = kCa}, key("P-256", 63));
  const Identity leaf = issue(middle, {.subject = cn("localhost"), .extensions = kLeaf}, key("P-256", 64));
  const std::vector<std::pair<const char*, std::vector<Identity>>> sent = {
      {"A", {}},
      {"A by B", {ab}},
      {"A by B, B by C", {ab, bc}},
      {"B by C, A by B", {bc, ab}},
      {"A by B, B by A", {ab, ba}},
      {"A by C, A by B", {ac, ab}},
      {"A by B that has expired", {old_ab}},
      {"A by B that has expired, A by C", {old_ab, ac}}};
  const std::vector<std::pair<const char*, std::vector<Identity>>> trusted = {
      {"A", {a}}, {"B", {b}}, {"C", {c}}, {"A and B", {a, b}}};
  for (const auto& [what, extras] : sent)
    for (const auto& [whom, anchors] : trusted) {
      std::vector<Identity> chain{leaf, middle};
      chain.insert(chain.end(), extras.begin(), extras.end());
      shapes.add(std::string("sent: ") + what + "; trusted: " + whom, anchors, chain);
    }
  // The same name with another key, as after a CA was recreated.
  const Identity other_a = stranger("A", 65);
  shapes.add("the trust file holds a namesake of the root", {other_a}, {leaf, middle});
  shapes.add("the trust file holds the root after its namesake", {other_a, a}, {leaf, middle});
  const Identity bare = self_signed({.subject = cn("A"), .extensions = with(kCa, {"subjectKeyIdentifier="})}, a.key);
  const Identity bare_other =
      self_signed({.subject = cn("A"), .extensions = with(kCa, {"subjectKeyIdentifier="})}, other_a.key);
  const Identity unnamed = issue(bare, {.subject = cn("localhost"), .extensions = kLeaf}, key("P-256", 64));
  shapes.add("namesakes without key identifiers, the right one first", {bare, bare_other}, {unnamed});
  shapes.add("namesakes without key identifiers, the right one last", {bare_other, bare}, {unnamed});
  const Identity renewed = stranger("A", 60, {.until = base_time + 900 * kDay});
  const Identity outdated = stranger("A", 60, {.from = base_time - 9 * kDay, .until = base_time - kDay});
  shapes.add("the root was renewed with its key, both in the trust file", {outdated, renewed}, {leaf, middle});
  shapes.add("the root was renewed with its key, the old one is sent", {renewed}, {leaf, middle, outdated});
  shapes.add("the root has expired, a renewed one is sent", {outdated}, {leaf, middle, renewed});
  return shapes.all();
}

}  // namespace differential
