// Chains, anchors and CRLs of every shape seen in practice, and of shapes that must be refused. The expected verdict is
// not written here: the judges decide (judges.h).
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
  std::string host = "localhost";  // the name that a client wants to reach
  bool as_remote_only = false;     // the shape concerns the host name only
};

// A root, an intermediate and a leaf; each shape changes one part.
struct Recipe {
  struct Level {
    pki::Template shape;
    std::string key = "P-256";
  };
  Recipe();
  Level root, middle, leaf;
  // Replaces the one intermediate between root and leaf; the one that the root issued is first.
  std::vector<Level> middles = {};
};

// The certificates of a chain by name; a shape that changes one place exists for each of them.
using Level = Recipe::Level Recipe::*;
inline constexpr std::pair<const char*, Level> kLevels[] = {
    {"leaf", &Recipe::leaf}, {"intermediate", &Recipe::middle}, {"root", &Recipe::root}};

struct Built {
  pki::Identity root, leaf;
  std::vector<pki::Identity> middles;  // in the order sent: the leaf's issuer first
  std::vector<pki::Identity> chain() const;
};
Built build(const Recipe& recipe);

// "basicConstraints=CA:FALSE…": a leaf for both purposes, named "localhost".
extern const char kLeaf[];
// kLeaf or pki::kCa in which each of `lines` replaces the line with the same name; "NAME=" removes that line.
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
