// Any bytes as the messages of a handshake. Whatever the notary accepts is, byte for byte, what the broker of one of
// the seeds signed: no other handshake passes, whatever is changed in it. TRANSCRIPT_SEEDS names the directory of the
// seeds.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <vector>

#include "keyd/notary/remote_verifier.h"
#include "tests/fuzz/require.h"

namespace {

using keyd::Bytes;
using Text = std::vector<uint8_t>;

std::unique_ptr<keyd::RemoteVerifier> verifier;
ipc::Spki device;
std::set<Text> signed_by_the_broker;

Text read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What the server's signature covers: in TLS 1.2 the two randoms and the parameters.
Text signed_part(const keyd::Transcript& transcript) {
  Text part;
  for (const Bytes bytes : {transcript.client_random, transcript.server_random, transcript.server_signed})
    part.insert(part.end(), bytes.begin(), bytes.end());
  return part;
}

ipc::Kind kind_of(uint8_t byte) { return byte % 2 == 1 ? ipc::Kind::tls13_client_bound : ipc::Kind::tls12_client; }

keyd::Question question(uint8_t byte) { return {.kind = kind_of(byte), .device = device}; }

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* folder = getenv("TRANSCRIPT_SEEDS");
  REQUIRE(folder != nullptr);
  const std::filesystem::path seeds = folder;
  const Text ca = read(seeds / "ca.pem"), spki = read(seeds / "device.spki");
  verifier = std::make_unique<keyd::RemoteVerifier>(
      keyd::BoundRemote{{"broker.example"}, {}, {"ca.pem", std::string(ca.begin(), ca.end())}});
  REQUIRE(spki.size() == device.size());
  std::copy(spki.begin(), spki.end(), device.begin());
  for (const auto& entry : std::filesystem::directory_iterator(seeds / "transcript")) {
    const Text seed = read(entry.path());
    const Bytes messages = Bytes(seed).subspan(1);
    keyd::Transcript transcript;
    REQUIRE(keyd::parse_transcript(kind_of(seed[0]), messages, transcript) == nullptr);
    REQUIRE(verifier->answer(question(seed[0]), messages).problem[0] == '\0');
    signed_by_the_broker.insert(signed_part(transcript));
  }
  REQUIRE(!signed_by_the_broker.empty());
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 1 + ipc::kMaxTranscript) return 0;
  const Bytes messages{data + 1, size - 1};
  if (verifier->answer(question(data[0]), messages).problem[0] != '\0') return 0;
  keyd::Transcript transcript;
  REQUIRE(keyd::parse_transcript(kind_of(data[0]), messages, transcript) == nullptr);
  REQUIRE(signed_by_the_broker.count(signed_part(transcript)) == 1);
  return 0;
}
