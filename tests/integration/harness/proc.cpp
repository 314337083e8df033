#include "tests/integration/harness/proc.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/temp_dir.h"

namespace harness {
namespace {

fs::path proc(pid_t pid) { return fs::path("/proc") / std::to_string(pid); }

struct Region {
  uint64_t from = 0, to = 0;
};

std::vector<Region> readable_regions(pid_t pid) {
  std::vector<Region> regions;
  std::istringstream maps(read_file(proc(pid) / "maps"));
  for (std::string line; std::getline(maps, line);) {
    Region r;
    char access[5];
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s", &r.from, &r.to, access) == 3 && access[0] == 'r' &&
        line.find("[vvar") == line.npos)
      regions.push_back(r);
  }
  return regions;
}

std::string as_bytes(const BIGNUM* number) {
  std::string bytes(static_cast<size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
  return bytes;
}

}  // namespace

size_t open_descriptors(pid_t pid) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(proc(pid) / "fd"), fs::directory_iterator()));
}

size_t peak_memory(pid_t pid) {
  const auto status = read_file(proc(pid) / "status");
  return std::stoul(status.substr(status.find("VmHWM:") + 6)) * 1024;
}

uid_t user_of(pid_t pid) {
  const auto status = read_file(proc(pid) / "status");
  return static_cast<uid_t>(std::stoul(status.substr(status.find("\nUid:") + 5)));
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != name.npos) continue;
    std::ifstream in(entry.path() / "stat");
    const std::string stat{std::istreambuf_iterator<char>(in), {}};
    const auto after_name = stat.rfind(") ");
    if (after_name == stat.npos) continue;  // the process has exited meanwhile
    if (std::stoi(stat.substr(after_name + 4)) == pid) children.push_back(std::stoi(name));
  }
  return children;
}

pid_t child_named(pid_t parent, const std::string& name) {
  for (const pid_t child : children_of(parent))
    if (read_file("/proc/" + std::to_string(child) + "/comm") == name + "\n") return child;
  throw Failure("process " + std::to_string(parent) + " has no child " + name);
}

std::vector<std::string> search_memory(pid_t pid, const std::vector<Needle>& needles) {
  std::vector<std::string> found;
  const int fd = open((proc(pid) / "mem").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail_errno("open the memory of " + std::to_string(pid));
  size_t searched = 0;
  for (const auto& region : readable_regions(pid)) {
    // Each chunk begins with the end of the previous one, to find needles across the boundary.
    std::string chunk;
    constexpr size_t size = 8 << 20, overlap = 4096;
    for (uint64_t at = region.from; at < region.to;) {
      const auto keep = std::min(chunk.size(), overlap);
      chunk.erase(0, chunk.size() - keep);
      chunk.resize(keep + std::min<uint64_t>(size, region.to - at));
      const ssize_t n = pread(fd, chunk.data() + keep, chunk.size() - keep, static_cast<off_t>(at));
      if (n <= 0) break;  // a guard page, or secret memory
      chunk.resize(keep + static_cast<size_t>(n));
      at += static_cast<uint64_t>(n);
      searched += static_cast<size_t>(n);
      for (const auto& needle : needles)
        if (chunk.find(needle.bytes) != chunk.npos) found.push_back(needle.name);
    }
  }
  close(fd);
  if (searched < 100'000) throw Failure("only " + std::to_string(searched) + " bytes of the process could be read");
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::vector<Needle> secrets_of(const std::string& key_file) {
  const std::unique_ptr<BIO, void (*)(BIO*)> file(BIO_new_file(key_file.c_str(), "r"), BIO_free_all);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      file ? PEM_read_bio_PrivateKey(file.get(), nullptr, nullptr, nullptr) : nullptr, EVP_PKEY_free);
  if (!key) throw Failure("no private key in " + key_file);
  std::vector<Needle> needles;
  const auto add = [&](const std::string& name, std::string bytes) {
    needles.push_back({name, bytes});
    std::reverse(bytes.begin(), bytes.end());
    needles.push_back({name + ", little-endian", std::move(bytes)});
  };
  for (const char* name : {OSSL_PKEY_PARAM_PRIV_KEY, OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1,
                           OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1}) {
    BIGNUM* number = nullptr;
    if (EVP_PKEY_get_bn_param(key.get(), name, &number) == 1) add(name, as_bytes(number));
    BN_clear_free(number);
  }
  unsigned char raw[64];
  size_t size = sizeof raw;
  if (EVP_PKEY_get_raw_private_key(key.get(), raw, &size) == 1)
    add("seed", std::string(reinterpret_cast<char*>(raw), size));
  if (needles.empty()) throw Failure("no secret number found in " + key_file);
  // The second line of the PEM file: base64 that contains the key or leads to it.
  const auto pem = read_file(key_file);
  const auto line = pem.find('\n') + 1;
  needles.push_back({"PEM", pem.substr(line + 20, 40)});
  return needles;
}

std::vector<Needle> printed_secrets_of(const std::string& key_file) {
  std::vector<Needle> pieces;
  constexpr size_t kOfLine = 12, kOfNumber = 9;
  std::istringstream pem(read_file(key_file));
  int number = 0;
  for (std::string line; std::getline(pem, line);) {
    number++;
    if (line.empty() || line[0] == '-') continue;
    for (size_t at = 0; at == 0 || at + kOfLine <= line.size(); at += kOfLine)
      pieces.push_back({"line " + std::to_string(number), line.substr(at, kOfLine)});
  }
  for (const auto& [name, bytes] : secrets_of(key_file)) {
    if (name == "PEM") continue;
    for (size_t at = 0; at + kOfNumber <= bytes.size(); at++) {
      const auto piece = bytes.substr(at, kOfNumber);
      const auto* start = reinterpret_cast<const unsigned char*>(piece.data());
      char base64[kOfNumber / 3 * 4 + 1];
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64), start, kOfNumber);
      pieces.push_back({name + ", base64", base64});  // at every place, because base64 depends on where it begins
      if (at % kOfNumber != 0) continue;
      pieces.push_back({name, piece});
      for (const char* format : {"%02x", "%02X", "%02x:"}) {
        std::string hex;
        for (size_t i = 0; i < kOfNumber; i++) {
          char digits[4];
          std::snprintf(digits, sizeof digits, format, start[i]);
          hex += digits;
        }
        pieces.push_back({name + ", hexadecimal", hex});
      }
    }
  }
  return pieces;
}

}  // namespace harness
