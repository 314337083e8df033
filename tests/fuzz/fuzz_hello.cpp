// Any bytes as the first of a connection, described in words: a stranger's protocol, a server's answer, a ClientHello's
// offers. The words go into the log, so they must be bounded and be text.
#include <algorithm>

#include "relayd/session/first_bytes.h"
#include "relayd/tls/client_hello.h"
#include "relayd/tls/stream.h"
#include "tests/fuzz/require.h"

namespace {

bool is_for_a_log(const std::string& words, size_t most) {
  return words.size() <= most &&
         std::all_of(words.begin(), words.end(), [](unsigned char c) { return c >= ' ' && c != 0x7F; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> first(data, std::min(size, relayd::tls::Stream::kFirstBytes));
  const auto speaks = relayd::what_speaks(first);
  REQUIRE((speaks == relayd::Speaks::nothing) == first.empty());
  if (speaks != relayd::Speaks::tls && speaks != relayd::Speaks::nothing) {
    const auto words = relayd::named(speaks, first);
    REQUIRE(!words.empty() && is_for_a_log(words, 1000));
  }
  (void)relayd::what_answers(first);
  REQUIRE(is_for_a_log(relayd::named_answer(first, "remote_port"), 1000));
  REQUIRE(is_for_a_log(relayd::tls::offered_by({data, size}), 8 * relayd::tls::kKeptOfHello));
  return 0;
}
