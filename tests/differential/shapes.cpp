#include "tests/differential/shapes.h"

#include <algorithm>
#include <sstream>

namespace differential {

using namespace pki;

const char kLeaf[] =
    "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n"
    "subjectAltName=DNS:localhost\n";

Recipe::Recipe()
    : root{{.subject = cn("Root"), .extensions = kCa}},
      middle{{.subject = cn("Int"), .extensions = kCa}},
      leaf{{.subject = cn("localhost"), .extensions = kLeaf}} {}

Built build(const Recipe& recipe) {
  Built built;
  built.root = self_signed(recipe.root.shape, key(recipe.root.key, 1));
  int number = 2;
  const auto middles = recipe.middles.empty() ? std::vector{recipe.middle} : recipe.middles;
  for (const Recipe::Level& level : middles) {
    const Identity& by = built.middles.empty() ? built.root : built.middles.front();
    const Identity made = issue(by, level.shape, key(level.key, number++));
    built.middles.insert(built.middles.begin(), made);
  }
  built.leaf = issue(built.middles.front(), recipe.leaf.shape, key(recipe.leaf.key, 100));
  return built;
}

std::vector<Identity> Built::chain() const {
  std::vector<Identity> chain{leaf};
  chain.insert(chain.end(), middles.begin(), middles.end());
  return chain;
}

std::string with(const std::string& extensions, const std::vector<std::string>& lines) {
  const auto name_of = [](const std::string& line) { return line.substr(0, line.find('=')); };
  std::string text;
  std::istringstream in(extensions);
  for (std::string line; std::getline(in, line);)
    if (std::none_of(lines.begin(), lines.end(), [&](const auto& other) { return name_of(other) == name_of(line); }))
      text += line + "\n";
  for (const std::string& line : lines)
    if (!line.ends_with('=')) text += line + "\n";
  return text;
}

Shape& Shapes::add(const std::string& name, const std::vector<Identity>& anchors, const std::vector<Identity>& chain) {
  all_.push_back({.group = group_, .name = name, .anchors = anchors, .chain = chain});
  return all_.back();
}

Shape& Shapes::add(const std::string& name, const Recipe& recipe) {
  const Built built = build(recipe);
  return add(name, {built.root}, built.chain());
}

Shape& Shapes::add(const std::string& name, const std::function<void(Recipe&)>& change) {
  Recipe recipe;
  change(recipe);
  return add(name, recipe);
}

}  // namespace differential
