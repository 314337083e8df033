// Any bytes as the vault's question about a device. Whatever the notary accepts is, byte for byte, what the device of
// the seeds signed, and for its client id: no other handshake passes, whatever is changed in it. TRANSCRIPT_SEEDS names
// the directory of the seeds.
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "keyd/notary/judge.h"
#include "tests/fuzz/require.h"

namespace {

using keyd::Bytes;

std::unique_ptr<keyd::Judge> judge;
std::set<std::string> signed_by_the_device;  // the client id, then the messages

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The client id and the messages of a question; "": the notary does not accept it.
std::string accepted(Bytes datagram) {
  const auto answer = judge->answer(datagram);
  if (!answer || answer->problem[0] != '\0') return "";
  keyd::Question question;
  memcpy(&question, datagram.data(), sizeof question);
  const std::string rest(datagram.begin() + sizeof question, datagram.end());
  return rest.substr(0, question.client_id_size) + rest.substr(question.client_id_size + question.signature_size);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* folder = getenv("TRANSCRIPT_SEEDS");
  REQUIRE(folder != nullptr);
  const std::filesystem::path seeds = folder;
  judge = std::make_unique<keyd::Judge>(
      keyd::NotarySettings{.device = keyd::BoundDevice{.authorities = {"ca.pem", read(seeds / "ca.pem")}}});
  for (const auto& entry : std::filesystem::directory_iterator(seeds / "device")) {
    const std::string seed = read(entry.path());
    const std::string all = accepted({reinterpret_cast<const uint8_t*>(seed.data()), seed.size()});
    REQUIRE(!all.empty());
    signed_by_the_device.insert(all);
  }
  REQUIRE(!signed_by_the_device.empty());
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (const std::string all = accepted({data, size}); !all.empty()) REQUIRE(signed_by_the_device.contains(all));
  return 0;
}
