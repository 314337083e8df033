// Where keys are kept: locked, bounded, wiped.
#include "keyd/vault/secure_memory.h"

#include <sys/resource.h>
#include <ucontext.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "keyd/vault/signer.h"
#include "keyd_support.h"

using namespace keyd;
using namespace keyd_test;

namespace {

#if defined(MQTT_RELAY_SANITIZED)
constexpr bool kLocks = false;  // the sanitizers' runtime makes mlock a no-op
#else
constexpr bool kLocks = true;
#endif

// The kernel's view of the mapping that holds `address`.
std::string flags_of(const void* address) {
  std::istringstream smaps(slurp("/proc/self/smaps"));
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    unsigned long from = 0, to = 0;
    if (sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2 && line.find("-") < 17)
      inside = from <= reinterpret_cast<unsigned long>(address) && reinterpret_cast<unsigned long>(address) < to;
    if (inside && line.starts_with("VmFlags:")) return line;
  }
  return "";
}

}  // namespace

TEST_CASE("keys are in memory that is locked, not dumped and not inherited", "[keyd][secure_memory]") {
  Vault vault;
  std::string problem;
  const auto key = parse(witness::Key::generate("RSA:2048").text(witness::Form::pkcs8), vault, problem);
  REQUIRE(key);
  REQUIRE(vault.slots.owns(key.get()));
  const std::string flags = flags_of(key.get());
  INFO(flags);
  for (const char* flag : {" dd", " dc"}) CHECK(flags.find(flag) != std::string::npos);
  if (kLocks || no_secret_memory().empty()) CHECK(flags.find(" lo") != std::string::npos);
}

TEST_CASE("a released slot is wiped", "[keyd][secure_memory]") {
  SecureSlots slots(2, 1000);
  auto* slot = static_cast<uint8_t*>(slots.take(1000));
  REQUIRE(slot);
  memset(slot, 0xaa, 1000);
  slots.release(slot);
  // A free slot begins with the address of the next one, which may contain 0xaa.
  CHECK(std::all_of(slot + sizeof(void*), slot + 1000, [](uint8_t b) { return b == 0; }));
  CHECK(std::count(slot, slot + sizeof(void*), 0xaa) < static_cast<int>(sizeof(void*)));
}

#if !defined(MQTT_RELAY_SANITIZED)  // AddressSanitizer keeps variables outside the stack, and puts marks on it

namespace {

constexpr size_t kWiped = 64 * 1024;  // what wipe_stack() promises
constexpr uint8_t kPaint = 0xa5;

// What `work` left on a stack of its own, without the `top` bytes in which its caller's frames are.
std::vector<uint8_t> left_on_stack(const std::function<void()>& work, size_t top = 4096) {
  static std::vector<uint8_t> stack(256 * 1024);
  static ucontext_t inside, outside;
  static const std::function<void()>* running;
  std::fill(stack.begin(), stack.end(), kPaint);
  running = &work;
  getcontext(&inside);
  inside.uc_stack = {.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
  inside.uc_link = &outside;
  makecontext(
      &inside, [] { (*running)(); }, 0);
  swapcontext(&outside, &inside);
  return {stack.begin(), stack.end() - static_cast<long>(top)};
}

// The bytes that were neither wiped nor never written.
size_t residue(const std::vector<uint8_t>& left) {
  return static_cast<size_t>(std::ranges::count_if(left, [](uint8_t b) { return b != 0 && b != kPaint; }));
}

[[gnu::noinline]] void fill_stack() {
  volatile uint8_t secret[kWiped - 1024];
  for (auto& byte : secret) byte = 0x5a;
}

constexpr size_t kOfTheWipe = 64;  // return addresses of wipe_stack() and of what it calls

}  // namespace

TEST_CASE("what a call left on the stack is wiped", "[keyd][secure_memory]") {
  CHECK(residue(left_on_stack(fill_stack)) > kWiped - 8192);  // positive control
  CHECK(residue(left_on_stack([] {
          fill_stack();
          wipe_stack();
        })) <= kOfTheWipe);
}

TEST_CASE("the stack is wiped after a signature, as deep as it was used", "[keyd][secure_memory]") {
  Vault vault;
  Signer signer;
  for (const auto& [type, scheme] :
       {std::pair{"P-256", ipc::Scheme::ecdsa_sha256}, std::pair{"P-384", ipc::Scheme::ecdsa_sha384},
        std::pair{"P-521", ipc::Scheme::ecdsa_sha512}, std::pair{"ED25519", ipc::Scheme::ed25519},
        std::pair{"RSA:2048", ipc::Scheme::rsa_pss_rsae_sha256},
        std::pair{"RSA:4096", ipc::Scheme::rsa_pss_rsae_sha512}}) {
    INFO(type);
    std::string problem;
    const auto key = parse(witness::Key::generate(type).text(witness::Form::pkcs8), vault, problem);
    REQUIRE(key);
    const std::vector<uint8_t> hash(32, 0x11);
    ipc::Sign request;
    request.kind = ipc::Kind::tls13_client;
    request.scheme = scheme;
    request.content = hash;
    SignatureBuffer signature;
    std::optional<size_t> size;
    const size_t left = residue(left_on_stack([&] { size = signer.sign(*key, request, signature); }));
    CHECK(size);
    CHECK(left <= kOfTheWipe);
  }
}

#endif

TEST_CASE("slots are bounded, distinct and reusable", "[keyd][secure_memory]") {
  SecureSlots slots(3, 100);
  void* a = slots.take(100);
  void* b = slots.take(1);
  void* c = slots.take(0);
  CHECK((a && b && c && a != b && b != c && a != c));
  CHECK(slots.take(1) == nullptr);
  slots.release(b);
  CHECK(slots.take(slots.slot_size() + 1) == nullptr);
  CHECK(slots.take(slots.slot_size()) == b);
  CHECK(reinterpret_cast<uintptr_t>(b) % 64 == 0);
  CHECK_FALSE(slots.owns(&slots));
  slots.release(nullptr);
}

TEST_CASE("no free slot is an answer and not an exception", "[keyd][secure_memory]") {
  Vault vault;
  std::vector<void*> taken;
  while (void* slot = vault.slots.take(1)) taken.push_back(slot);
  std::string problem;
  CHECK_FALSE(parse(witness::Key::generate("P-256").text(witness::Form::pkcs8), vault, problem));
  CHECK(problem.find("no locked memory") != std::string::npos);
  vault.slots.release(taken.back());  // one is not enough either: wolfCrypt needs one to decode
  taken.pop_back();
  CHECK_FALSE(parse(witness::Key::generate("P-256").text(witness::Form::pkcs8), vault, problem));
  for (void* slot : taken) vault.slots.release(slot);
}

TEST_CASE("memory that can't be locked is an error that names the limit", "[keyd][secure_memory]") {
  if (!kLocks) {
    WARN("SKIPPED: a sanitizer's runtime makes mlock a no-op");
    return;
  }
  rlimit before{};
  getrlimit(RLIMIT_MEMLOCK, &before);
  const rlimit none{0, before.rlim_max};
  const bool root = geteuid() == 0;  // root's CAP_IPC_LOCK knows no limit
  setrlimit(RLIMIT_MEMLOCK, &none);
  if (root) REQUIRE(seteuid(65534) == 0);
  std::string error;
  try {
    SecureSlots slots(10, 10000);
  } catch (const std::runtime_error& caught) {
    error = caught.what();
  }
  if (root) REQUIRE(seteuid(0) == 0);
  setrlimit(RLIMIT_MEMLOCK, &before);
  INFO(error);
  for (const char* part : {"RLIMIT_MEMLOCK is 0 KiB", "LimitMEMLOCK=", "key_cache"})
    CHECK(error.find(part) != std::string::npos);
}

TEST_CASE("wolfCrypt leaks no slot over many keys, good and bad", "[keyd][secure_memory]") {
  Vault vault;
  std::string problem;
  for (int i = 0; i < 100; i++)
    for (const char* type : {"P-256", "ED25519", "RSA:2048", "RSA:1024", "secp256k1"})
      parse(witness::Key::generate(type).text(witness::Form::pkcs8), vault, problem);
  size_t free = 0;
  std::vector<void*> taken;
  while (void* slot = vault.slots.take(1)) taken.push_back(slot), free++;
  CHECK(free == 64);
  for (void* slot : taken) vault.slots.release(slot);
}
