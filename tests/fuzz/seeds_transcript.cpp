// fuzz_seeds_transcript DIRECTORY: writes handshakes with a broker, as the notary gets them, to DIRECTORY/transcript/
// (the kind, then the messages), the same as questions about their client to DIRECTORY/device/
// (keyd/handover/question.h), and the certificates to judge them by to DIRECTORY: ca.pem and device.spki.
#include <fstream>
#include <string>

#include "keyd/handover/question.h"
#include "tests/fuzz/require.h"
#include "tests/unit/keyd_handshakes.h"

namespace {

void write(const std::string& file, const std::string& bytes) {
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(out.flush());
}

std::string question_about(const std::string& client_id, const witness::Recorded& recorded) {
  keyd::Question question{.presence = recorded.hash_size == 48   ? ipc::Presence::tls13_sha384
                                      : recorded.hash_size == 32 ? ipc::Presence::tls13_sha256
                                                                 : ipc::Presence::tls12,
                          .scheme = static_cast<ipc::Scheme>(recorded.client_scheme),
                          .client_id_size = static_cast<uint16_t>(client_id.size()),
                          .signature_size = static_cast<uint16_t>(recorded.client_signature.size())};
  std::string bytes(reinterpret_cast<const char*>(&question), sizeof question);
  bytes += client_id;
  for (const auto& part : {recorded.client_signature, recorded.transcript()}) bytes.append(part.begin(), part.end());
  return bytes;
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
        write(folder + "/device/" + key + (tls13 ? "-13" : "-12") + (retry ? "-retry" : ""),
              question_about("device", recorded));
      }
  }
}
