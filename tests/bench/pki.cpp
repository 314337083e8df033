// bench_pki FOLDER ADDRESS P-256-DEVICES RSA-DEVICES: makes what the bench's programs need, thousands of devices in
// seconds. Each chain has an intermediate.
//
//   ca.pem                          the root that all trust
//   server.pem, server.key          for localhost and ADDRESS: the relays' listeners, and the broker
//   client.KIND.pem, …              for relays that have one certificate for all devices; its key is of the devices'
//   kind devices.P-256, devices.RSA      for each device its key, its certificate and the intermediate; its name is its
//   line
//                                   in front of them
//   keys/NAME.pem                   the same keys, for keyd
#include <sys/stat.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tests/pki/certificates.h"

namespace {

constexpr int kRsaKeys = 16;  // one takes 0.1 s to make; devices share them

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  if (!out.flush()) throw std::runtime_error("can't write " + file.string());
  chmod(file.c_str(), file.extension() == ".pem" && file.parent_path().filename() != "keys" ? 0644 : 0600);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) throw std::runtime_error("arguments: FOLDER ADDRESS P-256-DEVICES RSA-DEVICES");
  const std::filesystem::path folder = argv[1];
  pki::base_time = time(nullptr);
  int number = 0;  // of a P-256 key
  const auto next_key = [&] { return pki::key("P-256", number++); };
  const pki::Identity root = pki::root("bench root", number++);
  const pki::Identity intermediate =
      pki::issue(root, {.subject = pki::cn("bench intermediate"), .extensions = pki::kCa}, next_key());
  const pki::Identity server = pki::issue(
      intermediate,
      {.subject = pki::cn("localhost"),
       .extensions = "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:" +
                     std::string(argv[2]) + "\n"},
      next_key());
  std::filesystem::create_directories(folder / "keys");
  write(folder / "ca.pem", root.pem());
  write(folder / "server.pem", server.pem() + intermediate.pem());
  write(folder / "server.key", server.key_pem());
  for (const std::string kind : {"P-256", "RSA"}) {
    const auto key = [&](int i) { return kind == "RSA" ? pki::key("RSA:2048", i % kRsaKeys) : next_key(); };
    const pki::Identity client = pki::issue(intermediate, {.subject = pki::cn("client")}, key(0));
    write(folder / ("client." + kind + ".pem"), client.pem() + intermediate.pem());
    write(folder / ("client." + kind + ".key"), client.key_pem());
    std::string all;
    const int count = std::stoi(argv[kind == "RSA" ? 4 : 3]);
    for (int i = 0; i < count; i++) {
      const std::string name = (kind == "RSA" ? "rsa-" : "device-") + std::to_string(i);
      const pki::Identity device = pki::issue(intermediate, {.subject = pki::cn(name)}, key(i));
      all += name + "\n" + device.key_pem() + device.pem() + intermediate.pem();
      write(folder / "keys" / (name + ".pem"), device.key_pem());
    }
    write(folder / ("devices." + kind), all);
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << "bench_pki: " << error.what() << "\n";
  return 1;
}
