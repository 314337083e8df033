// Any bytes as a device's chain, and as the text of a PEM file: each is judged or refused in words, never accepted.
//
// In a chain, each certificate follows its length in two bytes. The CA's key is in no input, so only what `seeds_chain`
// issued can be accepted.
#include <algorithm>

#include "common/config.h"
#include "common/trust/validator.h"
#include "tests/fuzz/require.h"
#include "tests/pki/certificates.h"

namespace {

using Chain = std::vector<std::span<const uint8_t>>;

Chain chain_in(std::span<const uint8_t> input) {
  Chain chain;
  while (input.size() >= 2 && chain.size() < 40) {
    const size_t size = std::min<size_t>(static_cast<size_t>(input[0] << 8 | input[1]), input.size() - 2);
    chain.push_back(input.subspan(2, size));
    input = input.subspan(2 + size);
  }
  return chain;
}

// A root, its CRL, and the leaf that it issued, from which mutations start.
struct World {
  pki::Identity root = pki::root("Fuzz Root", 0);
  pki::Identity leaf = pki::issue(root, {.subject = pki::cn("device")}, pki::key("P-256", 1));
  trust::Validator plain{{"ca.pem", root.pem()}, {}, {}};
  trust::Validator with_crl{{"ca.pem", root.pem()}, {"crl.pem", pki::pem(pki::crl(root))}, {}};
};

World& world() {
  static World world;
  return world;
}

void judge(trust::Validator& validator, const Chain& chain) {
  const auto verdict = validator.validate(chain, pki::kNow);
  if (verdict.accepted()) {
    const auto leaf = world().leaf.der();
    REQUIRE(!chain.empty() && std::equal(leaf.begin(), leaf.end(), chain[0].begin(), chain[0].end()));
    REQUIRE(verdict.from <= pki::kNow && pki::kNow < verdict.until);
  } else {
    REQUIRE(!verdict.refusal->problem.empty() && verdict.refusal->text().size() <= 2000);
  }
  // The cached verdict equals the computed one.
  REQUIRE(validator.validate(chain, pki::kNow).accepted() == verdict.accepted());
}

void read_text(std::string_view text) {
  const auto blocks = trust::pem_blocks(text);
  for (const auto& block : blocks) REQUIRE(block.line >= 1 && block.label.size() <= 64);
  const trust::Pem pem{"a.pem", std::string(text)};
  try {
    REQUIRE(!trust::certificates_in(pem).empty());
  } catch (const common::ConfigError& error) {
    REQUIRE(std::string_view(error.what()).starts_with("a.pem"));
  }
  try {
    (void)trust::crls_in(pem);
  } catch (const common::ConfigError&) {
  }
  (void)trust::what_is(text);
}

}  // namespace

// Mutations start from a good chain, because libFuzzer can't find one by itself.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  if (seed % 64 == 0 && max_size > 2000) {
    size = 0;
    for (const auto& der : {world().leaf.der(), world().root.der()}) {
      data[size++] = static_cast<uint8_t>(der.size() >> 8);
      data[size++] = static_cast<uint8_t>(der.size());
      size = static_cast<size_t>(std::copy(der.begin(), der.end(), data + size) - data);
    }
  }
  return LLVMFuzzerMutate(data, size, max_size);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto chain = chain_in({data, size});
  judge(world().plain, chain);
  judge(world().with_crl, chain);
  for (const auto certificate : chain) (void)trust::subject_of({certificate.begin(), certificate.end()});
  read_text({reinterpret_cast<const char*>(data), size});
  return 0;
}
