// fuzz_seeds_transcript DIRECTORY: writes handshakes with a broker, as the notary gets them, to DIRECTORY/transcript/
// (the kind, then the messages), and the certificates to judge them by to DIRECTORY: ca.pem and device.spki.
#include <fstream>
#include <string>

#include "tests/fuzz/require.h"
#include "tests/unit/keyd_handshakes.h"

namespace {

void write(const std::string& file, const std::string& bytes) {
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(out.flush());
}

}  // namespace

int main(int argc, char** argv) {
  REQUIRE(argc == 2);
  const std::string folder = argv[1];
  const auto root = witness::authority("root"), between = witness::authority("between", &root);
  const auto device = witness::issue({.names = "", .common_name = "device"}, &root);
  write(folder + "/ca.pem", root.pem());
  const auto spki = device.spki();
  write(folder + "/device.spki", std::string(spki.begin(), spki.end()));
  for (const std::string key : {"P-256", "P-384", "ED25519", "RSA:2048"}) {
    const auto server = witness::issue({.key = key}, &between);
    for (const bool tls13 : {true, false})
      for (const bool retry : {true, false}) {
        const auto recorded =
            witness::handshake({.tls13 = tls13, .retry = retry, .server = {server, between}, .client = {device}});
        const auto transcript = recorded.transcript();
        write(folder + "/transcript/" + key + (tls13 ? "-13" : "-12") + (retry ? "-retry" : ""),
              static_cast<char>(recorded.kind) + std::string(transcript.begin(), transcript.end()));
      }
  }
}
