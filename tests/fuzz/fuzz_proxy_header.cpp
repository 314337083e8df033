// Any bytes where a PROXY header is expected. What is accepted has a size within the input, and can be written and read
// again.
#include "relayd/session/proxy_header.h"
#include "tests/fuzz/require.h"

using namespace relayd;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> in(data, size);
  const auto parsed = proxy::parse(in);
  if (std::holds_alternative<proxy::NeedMore>(parsed)) REQUIRE(size < proxy::kMaxHeader);
  const auto* header = std::get_if<proxy::Header>(&parsed);
  if (!header) return 0;
  REQUIRE(header->size > 0 && header->size <= std::min(size, proxy::kMaxHeader));
  REQUIRE(std::holds_alternative<proxy::NeedMore>(proxy::parse(in.first(header->size - 1))));
  if (!header->endpoints) return 0;
  const auto written = proxy::encode(*header->endpoints, proxy::Tls{"TLSv1.3", "dev1"});
  const auto again = proxy::parse(written);
  const auto* second = std::get_if<proxy::Header>(&again);
  REQUIRE(second && second->size == written.size() && second->endpoints);
  REQUIRE(second->endpoints->source.unmapped() == header->endpoints->source.unmapped());
  REQUIRE(second->endpoints->destination.unmapped() == header->endpoints->destination.unmapped());
  return 0;
}
