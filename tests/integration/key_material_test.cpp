// What a worker cannot reach, as seen by root from outside: no process but keyd has a byte of a key in memory, and no
// process of the relay's user can read their memory or keyd's.

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <set>

#include "tests/integration/harness/keyd.h"
#include "tests/integration/harness/need.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

std::string status_field(pid_t pid, const std::string& name) {
  const auto status = read_file(fs::path("/proc") / std::to_string(pid) / "status");
  const auto at = status.find("\n" + name + ":\t");
  return at == status.npos ? "" : status.substr(at + name.size() + 3, status.find('\n', at + 1) - at - name.size() - 3);
}

std::vector<pid_t> relay_processes(World& world) {
  auto pids = children_of(world.relay().relayd().pid());
  pids.push_back(world.relay().relayd().pid());
  return pids;
}

// keyd's reader, its guardian, and the notary that this one executed.
std::vector<pid_t> processes_beside_keyd(World& world) {
  auto pids = children_of(world.relay().keyd().pid());
  REQUIRE(pids.size() == 2);
  const auto notaries = children_of(child_named(world.relay().keyd().pid(), "keyd-guardian"));
  pids.insert(pids.end(), notaries.begin(), notaries.end());
  return pids;
}

// Makes memfd_secret(2) fail, as on a kernel without it.
bool without_memfd_secret() {
  sock_filter steps[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_secret, 0, 1),
                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{std::size(steps), steps};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

// A mapping of a process (proc(5), smaps).
struct Mapping {
  std::string access, name, flags;  // "rw-s", "/secretmem (deleted)", " rd wr lo …"
  size_t size = 0, locked = 0;      // KiB
  bool has(const std::string& flag) const { return (flags + " ").find(" " + flag + " ") != flags.npos; }
};

std::vector<Mapping> mappings_of(pid_t pid) {
  std::vector<Mapping> all;
  std::istringstream smaps(read_file(fs::path("/proc") / std::to_string(pid) / "smaps"));
  for (std::string line; std::getline(smaps, line);) {
    std::istringstream words(line);
    std::string first, skipped;
    words >> first;
    if (first == "Size:") words >> all.back().size;
    else if (first == "Locked:") words >> all.back().locked;
    else if (first == "VmFlags:") std::getline(words, all.back().flags);
    else if (first.back() != ':') {
      all.emplace_back();
      words >> all.back().access >> skipped >> skipped >> skipped >> std::ws;
      std::getline(words, all.back().name);
    }
  }
  return all;
}

// The name of a memfd from what /proc calls it, such as "/memfd:NAME (deleted)"; "" for anything else.
std::string memfd_name(const std::string& path) {
  constexpr std::string_view kBefore = "/memfd:";
  if (!path.starts_with(kBefore)) return "";
  return path.substr(kBefore.size(), path.find(' ') - kBefore.size());
}

// The seals of a memfd that another process has open (F_GET_SEALS, fcntl(2)).
int seals_of(pid_t pid, int fd) {
  const auto pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  const auto copy = static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
  const int seals = fcntl(copy, F_GET_SEALS);
  if (seals < 0) fail_errno("read the seals of a descriptor");
  close(copy);
  close(pidfd);
  return seals;
}

// Whether `user` can open the memory of `pid`.
bool can_look_into(uid_t user, pid_t pid) {
  return run({.argv = {"sh", "-c", "exec 3<\"$0\"", "/proc/" + std::to_string(pid) + "/mem"}, .user = user})
             .status.code == 0;
}

}  // namespace

TEST_CASE("no relay process holds a byte of any private key", "[root]") {
  NEEDS_ROOT();
  NEEDS_NO_SANITIZER();
  const auto metrics = Endpoint{own_address(), ports::direct}.text();
  World world({.keyd = {{"bind_remote", {{"remote_host", own_address()}, {"cacertfile", authorities().root.string()}}}},
               .relayd = {{"workers", 2}, {"metrics", {{"bind", metrics}}}}});
  std::vector<Needle> needles = secrets_of(world.directory / "listener.key");
  std::vector<Device> devices;
  for (const std::string type : {"rsa2048", "p256", "p384", "p521", "ed25519"}) {
    const auto identity = device_identity(type, 1);
    world.give_key("client-" + type, identity);
    for (auto& needle : secrets_of(identity.key)) needles.push_back({type + " " + needle.name, needle.bytes});
    // In both versions, because each has its own signing code.
    for (const auto version : {TlsVersion::v1_2, TlsVersion::v1_3}) {
      devices.push_back(world.device(identity, version));
      devices.back().join("client-" + type);
    }
  }
  auto pids = relay_processes(world);
  for (const auto pid : processes_beside_keyd(world)) pids.push_back(pid);
  std::multiset<std::string> names;
  for (const auto pid : pids) {
    const auto name = read_file(fs::path("/proc") / std::to_string(pid) / "comm");
    names.insert(name);
    CAPTURE(name);
    CHECK(search_memory(pid, needles) == std::vector<std::string>());
  }
  CHECK(names == std::multiset<std::string>{"relayd\n", "relayd-worker\n", "relayd-worker\n", "relayd-connect\n",
                                            "relayd-monitor\n", "keyd-reader\n", "keyd-guardian\n", "keyd-notary\n"});
  // Positive control: the search finds the keys in this test's own memory.
  CHECK(search_memory(getpid(), needles).size() >= 5);
  // Where the kernel has memfd_secret(2), root finds no key even in keyd, which has used each of them.
  const bool secret = world.relay().keyd().err().text().find("memfd_secret") == std::string::npos;
  CHECK(search_memory(world.relay().keyd().pid(), needles).empty() == secret);
}

TEST_CASE("no process of the relay's user can read the memory of a worker, the supervisor or keyd", "[root]") {
  NEEDS_ROOT();
  World world;
  // Positive control: the probe can read a process that permits it.
  write_file(world.directory / "file", "up\n");
  Process open_minded({.argv = {"tail", "-f", world.directory / "file"}, .user = relay_user});
  open_minded.out().wait_text("up");
  REQUIRE(can_look_into(relay_user, open_minded.pid()));
  for (const auto pid : relay_processes(world)) CHECK_FALSE(can_look_into(relay_user, pid));
  CHECK_FALSE(can_look_into(relay_user, world.relay().keyd().pid()));
  CHECK_FALSE(can_look_into(keyd_user, world.relay().keyd().pid()));
}

TEST_CASE("keyd and the workers dump no core and have no privileges, nor can they gain any") {
  World world;
  auto pids = world.relay().workers();
  REQUIRE(pids.size() == 1);
  pids.push_back(world.relay().keyd().pid());
  for (const auto pid : pids) {
    CHECK(status_field(pid, "NoNewPrivs") == "1");
    if (geteuid() == 0) {
      CHECK(status_field(pid, "CapEff") == "0000000000000000");
      CHECK(status_field(pid, "CapPrm") == "0000000000000000");
      const auto limits = read_file(fs::path("/proc") / std::to_string(pid) / "limits");
      CHECK(limits.find("Max core file size        0                    0") != limits.npos);
    }
  }
}

TEST_CASE("keyd's memory is locked, and secret where the kernel has memfd_secret") {
  NEEDS_NO_SANITIZER();  // a sanitizer's runtime makes mlock a no-op
  const bool refused = GENERATE(false, true);
  CAPTURE(refused);
  constexpr size_t kKeys = 512, kStack = 256;     // the stack, and below the sizes in KiB
  constexpr size_t kNumbers = 2 * 512 + 5 * 256;  // of an RSA-4096 key, in bytes: each slot has room for them
  constexpr size_t kSlots = kKeys * kNumbers / 1024;
  Keyd keyd(Json{{"key_cache", kKeys}});
  if (refused) keyd.before_exec = without_memfd_secret;
  keyd.start();
  const bool secret = keyd.process().err().text().find("memfd_secret") == std::string::npos;
  if (refused) CHECK_FALSE(secret);
  const pid_t pid = keyd.process().pid();
  size_t slots = 0;
  for (const auto& mapping : mappings_of(pid)) {
    CAPTURE(mapping.name, mapping.size, mapping.locked, mapping.flags);
    if (!mapping.has("lo") || !mapping.has("dd") || !mapping.has("dc")) continue;  // locked, not dumped, not inherited
    CHECK((mapping.name.find("secretmem") != std::string::npos) == secret);
    slots += mapping.size;
  }
  CHECK(slots >= kSlots);
  CHECK(std::stoul(status_field(pid, "VmLck")) >= slots + kStack);
}

TEST_CASE("a worker has no regular file open for writing, and no file in the key directory open at all", "[root]") {
  NEEDS_ROOT();
  World world({.relayd = {{"listener", {{"flapping_detect", {{"max_count", 15}}}}}}});
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  auto device = world.device(identity);
  device.join("thermo");
  for (const auto pid : world.relay().workers()) {
    const fs::path proc = fs::path("/proc") / std::to_string(pid);
    // Its counters, which the supervisor reads, and its slot's bans.
    const std::set<std::string> shared{"mqtt-relay-scoreboard", "mqtt-relay-flapping"};
    const std::set<std::string> mapped{"mqtt-relay-scoreboard", "mqtt-relay-flapping", "mqtt-relay-endings"};
    std::set<std::string> open_shared, mapped_shared;
    for (const auto& entry : fs::directory_iterator(proc / "fd")) {
      const auto target = fs::read_symlink(entry.path()).string();
      const auto number = entry.path().filename().string();
      const auto info = read_file(proc / "fdinfo" / number);
      const auto flags = std::stoi(info.substr(info.find("flags:") + 6), nullptr, 8);
      CAPTURE(target, number, flags);
      CHECK(target.find(world.relay().keys().string()) == target.npos);
      CHECK(target.find(world.directory.path().string()) == target.npos);
      if (!fs::is_regular_file(entry.path()) || (flags & O_ACCMODE) == O_RDONLY) continue;
      const auto memfd = memfd_name(target);
      CHECK(shared.contains(memfd));  // no file on a disk has such a name
      open_shared.insert(memfd);
      const int kept = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
      if (!memfd.empty()) CHECK((seals_of(pid, std::stoi(number)) & kept) == kept);
    }
    CHECK(open_shared == shared);
    for (const auto& mapping : mappings_of(pid)) {
      if (!mapping.access.ends_with('s') || mapping.access.at(1) != 'w') continue;
      CAPTURE(mapping.name);
      CHECK(mapped.contains(memfd_name(mapping.name)));
      mapped_shared.insert(memfd_name(mapping.name));
    }
    CHECK(mapped_shared == mapped);
  }
}
