// Logs on a full disk. Root only: the disk is a tmpfs in the test's own mount namespace.

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/faults/stage.h"
#include "tests/integration/harness/need.h"

using namespace faults;
using namespace harness;

namespace {

// A small disk, and ballast to fill it.
class Disk {
 public:
  Disk() {
    // Whatever ends this process, its mounts go with it.
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", directory_.path().c_str(), "tmpfs", 0, "size=64m,mode=0755") != 0)
      fail_errno("mount a tmpfs");
  }
  ~Disk() { umount2(directory_.path().c_str(), MNT_DETACH); }
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  std::string file(const std::string& name) const {
    write_file(directory_ / name, "");
    return directory_ / name;
  }
  void fill() {
    const int fd = open((directory_ / "ballast").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    const std::string block(1 << 16, 'x');
    ssize_t wrote = 0;
    for (size_t size = block.size(); size > 0; size = wrote > 0 ? size : size / 2)
      wrote = write(fd, block.data(), size);
    close(fd);
  }
  void make_room() { fs::remove(directory_ / "ballast"); }

 private:
  TempDir directory_;
};

size_t complete_lines(const std::string& file, const std::string& part) {
  size_t count = 0;
  const auto text = read_file(file);
  for (size_t at = 0; (at = text.find(part, at)) != text.npos; at++) count++;
  return count;
}

void join(Stage& stage, const std::string& id) {
  stage.world().give_key(id, device_identity("p256", 1));
  auto device = stage.world().device(device_identity("p256", 1));
  device.join(id);
  device.disconnect();
  device.tls().read_to_end();
}

}  // namespace

TEST_CASE("with both logs' disk full, sessions continue, devices connect, and logging resumes once there is room",
          "[root]") {
  NEEDS_ROOT();
  Disk disk;
  const auto keyd_log = disk.file("keyd.log"), relayd_log = disk.file("relayd.log");
  StageOptions options;
  options.world = [&](WorldOptions& world) {
    world.keyd_log_file = keyd_log;
    world.relayd_log_file = relayd_log;
  };
  Stage stage(options);
  disk.fill();
  stage.fleet().vanish();  // each one causes log lines
  stage.fleet().wait_all_up(stage.patience());
  stage.fleet().wait_progress(stage.fleet().size() * 2, stage.patience());
  join(stage, "unseen");
  CHECK(complete_lines(relayd_log, "\"client_id\":\"unseen\"") == 0);  // the disk really was full
  disk.make_room();
  join(stage, "seen");
  CHECK(complete_lines(relayd_log, "\"client_id\":\"seen\"") > 0);
  CHECK(stage.finish().seen.losses == stage.fleet().size());
}

TEST_CASE(
    "with the audit disk full under load, sessions continue, and no device gets in unrecorded until there is room",
    "[root]") {
  NEEDS_ROOT();
  Disk disk;
  const auto audit = disk.file("audit");
  StageOptions options{.relayd = {{"sign_timeout", "1s"}}};
  options.world = [&](WorldOptions& world) { world.audit_file = audit; };
  Stage stage(options);
  disk.fill();
  const auto identity = device_identity("p256", 1);
  stage.world().give_key("newcomer", identity);
  TlsStream::open(stage.relay().endpoint(), TlsContext::client(&identity, authorities().root)).refused_handshake();
  stage.fleet().wait_progress(stage.fleet().size() * 4, stage.patience());
  CHECK(stage.fleet().figures().disturbed == 0);
  disk.make_room();
  join(stage, "newcomer");
  stage.fleet().vanish();
  stage.finish();
}
