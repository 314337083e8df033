// What keyd's tests share: locked memory for wolfCrypt, and handshake messages made of bytes.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "catch.h"
#include "keyd/startup/key_places.h"
#include "keyd_openssl.h"
#include "tests/unit/scratch_dir.h"

namespace keyd_test {

using unit::ScratchDir;

inline std::string slurp(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

inline std::vector<std::string> lines_of(const std::string& file) {
  std::vector<std::string> lines;
  std::istringstream in(slurp(file));
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// wolfCrypt's memory, set up as in main().
struct Vault {
  keyd::SecureSlots slots{64, sizeof(keyd::PrivateKey)};
  keyd::WolfcryptMemory memory{slots};
};

inline std::vector<uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

inline std::shared_ptr<keyd::PrivateKey> parse(const std::string& text, Vault& vault, std::string& problem,
                                               const std::string& passphrase = "") {
  const auto bytes = bytes_of(text);
  problem.clear();
  return keyd::PrivateKey::parse(bytes, passphrase, vault.slots, problem);
}

// A TLS 1.2 server's content for a named curve, with a point of `size` bytes.
inline std::vector<uint8_t> server_params(uint16_t curve, size_t size) {
  std::vector<uint8_t> content(64 + 4 + size, 0xcd);
  const uint8_t head[] = {3, static_cast<uint8_t>(curve >> 8), static_cast<uint8_t>(curve), static_cast<uint8_t>(size),
                          4};
  std::copy(std::begin(head), std::end(head), content.begin() + 64);
  return content;
}

// A TLS 1.2 client's handshake messages, as far as their headers.
inline std::vector<uint8_t> client_transcript() {
  std::vector<uint8_t> content;
  for (const int type : {1, 2, 11, 12, 13, 14, 11, 16}) {
    content.insert(content.end(), {static_cast<uint8_t>(type), 0, 0, 5});
    content.insert(content.end(), 5, uint8_t{0x20});
  }
  return content;
}

}  // namespace keyd_test
