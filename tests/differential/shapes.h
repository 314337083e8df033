// Chains, anchors and CRLs of every shape that the field has been seen to make, and of those that it must not accept.
// What is to be said of each is nobody's opinion here: the judges are asked (judges.h).
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/pki/certificates.h"

namespace differential {

struct Shape {
  std::string group, name;
  std::vector<pki::Identity> anchors, chain;  // chain: leaf first, as sent
  std::vector<pki::Crl> crls = {};
  bool crl_check_chain = false, partial_chain = false;
  int depth = 10;
  std::string host = "localhost";  // whom a client wants to reach
  bool as_remote_only = false;     // about the host
};

// A root, an intermediate and a leaf, to be changed in one place each.
struct Recipe {
  struct Level {
    pki::Template shape;
    std::string key = "P-256";
  };
  Recipe();
  Level root, middle, leaf;
  // Between the leaf's issuer and the root instead of the one intermediate; the root's issue first.
  std::vector<Level> middles = {};
};

// The certificates of a chain, by name: what is changed in one place is changed in each of them.
using Level = Recipe::Level Recipe::*;
inline constexpr std::pair<const char*, Level> kLevels[] = {
    {"leaf", &Recipe::leaf}, {"intermediate", &Recipe::middle}, {"root", &Recipe::root}};

struct Built {
  pki::Identity root, leaf;
  std::vector<pki::Identity> middles;  // as sent: the leaf's issuer first
  std::vector<pki::Identity> chain() const;
};
Built build(const Recipe& recipe);

// "basicConstraints=CA:FALSE…": a leaf for both purposes and "localhost".
extern const char kLeaf[];
// kLeaf or pki::kCa with lines replaced: those that begin with the same name; "NAME=" takes it out.
std::string with(const std::string& extensions, const std::vector<std::string>& lines);

class Shapes {
 public:
  explicit Shapes(std::string group) : group_(std::move(group)) {}
  Shape& add(const std::string& name, const std::vector<pki::Identity>& anchors,
             const std::vector<pki::Identity>& chain);
  Shape& add(const std::string& name, const Recipe& recipe);
  Shape& add(const std::string& name, const std::function<void(Recipe&)>& change);
  const std::vector<Shape>& all() const { return all_; }

 private:
  std::string group_;
  std::vector<Shape> all_;
};

// One function for each group.
std::vector<Shape> orders_and_extras();
std::vector<Shape> cross_signatures();
std::vector<Shape> versions_and_serials();
std::vector<Shape> names();
std::vector<Shape> hosts();
std::vector<Shape> key_usages();
std::vector<Shape> extended_key_usages();
std::vector<Shape> basic_constraints_and_depth();
std::vector<Shape> name_constraints();
std::vector<Shape> dates();
std::vector<Shape> revocation_lists();
std::vector<Shape> keys();
std::vector<Shape> signatures();
std::vector<Shape> extensions();

}  // namespace differential
