// Any bytes as a proxy's answers, by HTTP and SOCKS5, in pieces of any size. They open a tunnel or don't; nothing
// beyond the answer that opened it is taken, the pieces don't matter, and a refusal can be logged.
#include <cstdint>
#include <memory>
#include <string>

#include "relayd/connector/http_connect.h"
#include "relayd/connector/socks5.h"
#include "tests/fuzz/require.h"

namespace {

using relayd::connector::HttpConnect, relayd::connector::ProxyTalk, relayd::connector::Socks5;
using State = ProxyTalk::State;

// Returns how many bytes were taken.
size_t fed(ProxyTalk& talk, std::span<const uint8_t> bytes, size_t piece) {
  size_t taken = 0;
  while (taken < bytes.size() && talk.state() == State::talking) {
    const auto part = bytes.subspan(taken, std::min(piece, bytes.size() - taken));
    const size_t used = talk.feed(part);
    REQUIRE(used <= part.size());
    REQUIRE(used == part.size() || talk.state() != State::talking);
    REQUIRE(talk.take_request().size() < 1024);
    taken += used;
  }
  return taken;
}

template <typename Talk>
void try_both(const std::string& credentials, std::span<const uint8_t> bytes, size_t piece) {
  const relayd::Config::Endpoint broker{"broker.example", 8883};
  Talk whole(broker, credentials), slow(broker, credentials);
  const size_t taken = fed(whole, bytes, bytes.size());
  REQUIRE(fed(slow, bytes, piece) == taken);
  REQUIRE(slow.state() == whole.state() && slow.why() == whole.why());
  REQUIRE(whole.state() == State::refused ? !whole.why().empty() : whole.why().empty());
  REQUIRE(whole.why().size() < 255);
  for (const char c : whole.why()) REQUIRE(c >= ' ' && c <= '~');
  if (whole.state() != State::talking) REQUIRE(whole.feed(bytes) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string credentials = data[0] & 1 ? "user:password" : "";
  const size_t piece = 1 + (data[0] >> 2);
  const std::span<const uint8_t> bytes(data + 1, size - 1);
  if (bytes.empty()) return 0;
  if (data[0] & 2) try_both<Socks5>(credentials, bytes, piece);
  else try_both<HttpConnect>(credentials, bytes, piece);
  return 0;
}
