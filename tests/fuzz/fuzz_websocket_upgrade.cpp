// Any bytes in place of a WebSocket's upgrade request. What is accepted ends within the input and does not depend on
// what follows; what is refused is told in a bounded text.
#include <string>

#include "relayd/websocket/upgrade.h"
#include "tests/fuzz/require.h"

using namespace relayd::websocket;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> in(data, size);
  const auto parsed = parse_upgrade(in, "/mqtt");
  if (std::holds_alternative<NeedMore>(parsed)) {
    REQUIRE(size < kMaxHead);
  } else if (const auto* refused = std::get_if<Refused>(&parsed)) {
    REQUIRE(!refused->why.empty() && refused->why.size() < 2 * kMaxQuoted + 100);
    REQUIRE(refuse(refused->fault).find("\r\nConnection: ") != std::string::npos);
  } else {
    const auto& upgrade = std::get<Upgrade>(parsed);
    REQUIRE(upgrade.size > 0 && upgrade.size <= std::min(size, kMaxHead));
    REQUIRE(std::holds_alternative<NeedMore>(parse_upgrade(in.first(upgrade.size - 1), "/mqtt")));
    const auto alone = parse_upgrade(in.first(upgrade.size), "/mqtt");
    REQUIRE(std::get<Upgrade>(alone).key == upgrade.key);
    REQUIRE(upgrade.key.size() == 24 && upgrade.key.find_first_of("\r\n\0") == std::string::npos);
    REQUIRE(accept(upgrade).ends_with("\r\n\r\n"));
  }
  return 0;
}
