#include "tests/bench/round_trip.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <thread>

#include "common/tls/handshake_signature.h"
#include "common/tls/sha2.h"
#include "common/tls/wolfcrypt.h"

namespace bench {
namespace {

constexpr size_t kHash = 32, kMostSignature = 128;

void must(bool good, const char* what) {
  if (!good) throw std::runtime_error(what);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

int open_socket() {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  must(fd >= 0, "socket");
  return fd;
}

void serve(int fd, ecc_key key) {
  using namespace common::tls;
  WC_RNG random;
  must(wc_InitRng(&random) == 0 && wc_ecc_set_rng(&key, &random) == 0, "wc_InitRng");
  std::array<uint8_t, kHash> hash, digest;
  std::array<uint8_t, kMostSignature> signature;
  while (recv(fd, hash.data(), hash.size(), 0) == static_cast<ssize_t>(hash.size())) {
    word32 size = signature.size();
    must(sha2(CertificateVerifyContent(Side::client, hash).bytes(), digest) &&
             wc_ecc_sign_hash(digest.data(), digest.size(), signature.data(), &size, &random, &key) == 0,
         "wc_ecc_sign_hash");
    if (send(fd, signature.data(), size, MSG_NOSIGNAL) < 0) break;  // the client has enough
  }
  close(fd);
}

}  // namespace

void serve_round_trips(const std::string& path, void (*ready)(void*), void* argument) {
  WC_RNG random;
  ecc_key key;
  must(wc_InitRng(&random) == 0 && wc_ecc_init(&key) == 0 && wc_ecc_make_key(&random, 32, &key) == 0, "make a key");
  const int listening = open_socket();
  const sockaddr_un address = address_of(path);
  must(bind(listening, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && listen(listening, 16) == 0,
       "listen");
  ready(argument);
  for (int fd; (fd = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) std::thread(serve, fd, key).detach();
}

RoundTrip::RoundTrip(const std::string& path) : fd_(open_socket()) {
  const sockaddr_un address = address_of(path);
  must(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
}

RoundTrip::~RoundTrip() { close(fd_); }

void RoundTrip::sign() {
  static constexpr std::array<uint8_t, kHash> kTranscriptHash{1, 2, 3};
  std::array<uint8_t, kMostSignature> signature;
  must(send(fd_, kTranscriptHash.data(), kTranscriptHash.size(), MSG_NOSIGNAL) == kHash, "send");
  must(recv(fd_, signature.data(), signature.size(), 0) > 0, "no signature");
}

}  // namespace bench
