#include "relayd/tls/client_hello.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

namespace relayd::tls {
namespace {

// RFC 8446 section 4.1.2. Reading past the end yields nothing.
class Cursor {
 public:
  explicit Cursor(std::span<const uint8_t> bytes) : rest_(bytes) {}
  std::span<const uint8_t> take(size_t size) {
    const auto part = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(part.size());
    return part;
  }
  size_t number(size_t bytes) {
    size_t value = 0;
    for (const uint8_t byte : take(bytes)) value = value << 8 | byte;
    return value;
  }
  bool empty() const { return rest_.empty(); }

 private:
  std::span<const uint8_t> rest_;
};

std::string name_of_group(size_t group) {
  struct Name {
    size_t group;
    const char* name;
  };
  static constexpr Name kNames[] = {{22, "secp256k1"},       {23, "P-256"},      {24, "P-384"},      {25, "P-521"},
                                    {26, "brainpoolP256r1"}, {29, "X25519"},     {30, "X448"},       {256, "ffdhe2048"},
                                    {257, "ffdhe3072"},      {258, "ffdhe4096"}, {259, "ffdhe6144"}, {260, "ffdhe8192"},
                                    {4588, "X25519MLKEM768"}};
  for (const auto& known : kNames)
    if (known.group == group) return known.name;
  return std::to_string(group);
}

std::string number_of(size_t number) {
  char text[8];
  snprintf(text, sizeof text, "%04zX", number);
  return text;
}

std::string name_of_suite(size_t suite) {
  constexpr size_t kRenegotiation = 0x00ff, kFallback = 0x5600;  // signals, not suites: RFC 5746, RFC 7507
  return suite == kRenegotiation || suite == kFallback ? "" : number_of(suite);
}

// At most 12: a scanner may offer 200, too many for a log line.
std::string list(std::span<const uint8_t> numbers, std::string (*name_of)(size_t)) {
  constexpr size_t kMost = 12;
  Cursor cursor(numbers);
  std::string text;
  for (size_t count = 0; !cursor.empty();) {
    const std::string name = name_of(cursor.number(2));
    if (name.empty()) continue;
    if (count++ == kMost) return text + " …";
    text.append(" ").append(name);
  }
  return text;
}

}  // namespace

std::string offered_by(std::span<const uint8_t> received) {
  constexpr size_t kHandshakeRecord = 22, kClientHello = 1, kSupportedGroups = 10, kSignatureSchemes = 13;
  Cursor hello(received);
  if (hello.number(1) != kHandshakeRecord) return {};
  hello.take(4);
  if (hello.number(1) != kClientHello) return {};
  hello.take(3 + 2 + 32);
  hello.take(hello.number(1));
  const auto suites = hello.take(hello.number(2));
  if (suites.empty()) return {};
  std::string text = "the cipher suites" + list(suites, name_of_suite);
  hello.take(hello.number(1));
  hello.take(2);
  while (!hello.empty()) {
    const size_t type = hello.number(2);
    Cursor extension(hello.take(hello.number(2)));
    if (type != kSupportedGroups && type != kSignatureSchemes) continue;
    const auto numbers = extension.take(extension.number(2));
    text += type == kSupportedGroups ? ", the groups" + list(numbers, name_of_group)
                                     : ", the signature schemes" + list(numbers, number_of);
  }
  return text;
}

}  // namespace relayd::tls
