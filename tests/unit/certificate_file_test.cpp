// The connector's reader of remote.certs_dir: what of a directory that anybody may have filled reaches a worker.
#include "relayd/connector/certificate_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>

#include "common/unix_address.h"
#include "tests/unit/channel_support.h"
#include "tests/unit/scratch_dir.h"

using namespace unit;
using channel::CertificateAnswer;
using relayd::connector::open_certificates;
using relayd::connector::read_certificate;
using Found = CertificateAnswer::Found;

namespace {

const std::string kCertificateText = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

struct CertsDir : ScratchDir {
  common::Fd directory = open_certificates(path());
  CertificateAnswer of(const std::string& client_id) const { return read_certificate(directory.get(), client_id); }
  void expect_unusable(const std::string& client_id, const std::string& why) const {
    CAPTURE(client_id, why);
    const auto answer = of(client_id);
    CHECK(answer.found == Found::unusable);
    CHECK(answer.problem.find(why) != std::string::npos);
    CHECK(answer.pem.empty());
    CHECK(answer.problem.size() <= relayd::DialFailure::kMostText);
  }
  void link(const std::string& target, const std::string& name) const {
    std::filesystem::create_symlink(target, *this / name);
  }
};

// Keeps all of libuv's threads busy until release(), which waits for the loop to see them done.
class BusyThreads {
 public:
  explicit BusyThreads(uv_loop_t* loop) : loop_(loop) {
    for (auto& work : works_) {
      work.data = this;
      REQUIRE(uv_queue_work(
                  loop, &work, [](uv_work_t* one) { static_cast<BusyThreads*>(one->data)->released_.wait(false); },
                  [](uv_work_t* one, int) { static_cast<BusyThreads*>(one->data)->done_++; }) == 0);
    }
  }
  BusyThreads(const BusyThreads&) = delete;
  BusyThreads& operator=(const BusyThreads&) = delete;
  void release() {
    released_ = true;
    released_.notify_all();
    while (done_ < works_.size()) uv_run(loop_, UV_RUN_ONCE);
  }

 private:
  uv_loop_t* loop_;
  std::array<uv_work_t, 4> works_{};  // libuv's default (UV_THREADPOOL_SIZE)
  std::atomic<bool> released_ = false;
  size_t done_ = 0;
};

// The connector's half of a channel, with a directory.
struct WithCertificates : Half {
  ScratchDir scratch;
  WithCertificates() : Half({}) { certificates = std::make_shared<common::Fd>(open_certificates(scratch.path())); }
  CertificateAnswer certificate_of(uint64_t id) {
    const auto got = wait_answer();
    CHECK(got.id == id);
    return std::get<CertificateAnswer>(got.body);
  }
};

}  // namespace

TEST_CASE("certs_dir: a device's file is read whole, and a new one at once") {
  const CertsDir certificates;
  certificates.put("thermo.crt", kCertificateText);
  CHECK(certificates.of("thermo").found == Found::file);
  CHECK(certificates.of("thermo").pem == kCertificateText);
  certificates.put("thermo.crt", "# another\n" + kCertificateText);
  CHECK(certificates.of("thermo").pem == "# another\n" + kCertificateText);
  std::filesystem::remove(certificates / "thermo.crt");
  CHECK(certificates.of("thermo").found == Found::missing);
  const std::string longest(ipc::kMaxClientId, 'x');
  CHECK(certificates.of(longest).found == Found::missing);
  certificates.put(longest + ".crt", kCertificateText);
  CHECK(certificates.of(longest).pem == kCertificateText);
}

TEST_CASE("certs_dir: what is not a regular file of PEM text has a reason, and nothing of it leaves the connector") {
  const CertsDir certificates;
  certificates.put("empty.crt", "");
  certificates.expect_unusable("empty", "it is empty");
  certificates.put("der.crt", std::string("\x30\x82\x01\x00", 4));
  certificates.expect_unusable("der", "it is not PEM text");
  const std::string full = kCertificateText + std::string(channel::kMaxCertificateFile - kCertificateText.size(), '#');
  certificates.put("full.crt", full);
  CHECK(certificates.of("full").pem == full);
  certificates.put("large.crt", full + "#");
  certificates.expect_unusable("large", "it is larger than 32 KiB");
  std::filesystem::create_directory(certificates / "folder.crt");
  certificates.expect_unusable("folder", "it is a directory");
  REQUIRE(mkfifo((certificates / "fifo.crt").c_str(), 0600) == 0);
  certificates.expect_unusable("fifo", "it is a FIFO");
  const auto address = common::UnixAddress::of(certificates / "socket.crt");
  const common::Fd made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(bind(made.get(), address->get(), address->kSize) == 0);
  certificates.expect_unusable("socket", "it is a socket or a device");
  if (geteuid() == 0) return;
  certificates.put("closed.crt", kCertificateText, 0000);
  certificates.expect_unusable("closed", "relayd's user must be able to read it");
}

TEST_CASE(
    "certs_dir: a file with a private key of any kind stays in the connector, and the reason says where keys go") {
  const CertsDir certificates;
  for (const std::string label : {"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"}) {
    certificates.put("thermo.crt",
                     kCertificateText + "-----BEGIN " + label + "-----\nMIIB\n-----END " + label + "-----\n");
    certificates.expect_unusable("thermo", "private_keys_dir");
  }
}

TEST_CASE("certs_dir: a link leads to another file of the directory, as in a Kubernetes volume, and nowhere else") {
  const CertsDir certificates;
  const ScratchDir outside;
  outside.put("secret.crt", kCertificateText);
  std::filesystem::create_directory(certificates / "..2026");
  certificates.put("..2026/thermo.crt", kCertificateText);
  certificates.link("..2026", "..data");
  certificates.link("..data/thermo.crt", "thermo.crt");
  CHECK(certificates.of("thermo").pem == kCertificateText);
  certificates.link(outside / "secret.crt", "absolute.crt");
  certificates.expect_unusable("absolute", "leads out of remote.certs_dir");
  certificates.link("../" + std::filesystem::path(outside.path()).filename().string() + "/secret.crt", "relative.crt");
  certificates.expect_unusable("relative", "leads out of remote.certs_dir");
  certificates.link("nowhere", "dangling.crt");
  certificates.expect_unusable("dangling", "a file that does not exist");
  certificates.link("loop.crt", "loop.crt");
  certificates.expect_unusable("loop", "leads to itself");
}

TEST_CASE("certs_dir: a directory that can't be opened is named") {
  const ScratchDir scratch;
  CHECK_THROWS_WITH(open_certificates(scratch / "absent"),
                    "remote.certs_dir " + (scratch / "absent") + ": No such file or directory");
}

TEST_CASE("channel: a worker gets the certificate of the device that it names, and of no other") {
  WithCertificates half;
  half.scratch.put("thermo.crt", kCertificateText);
  half.scratch.put("thermo.pem", kCertificateText);
  half.begin_both();
  half.ask({1, channel::Certificate{"thermo"}});
  CHECK(half.certificate_of(1).pem == kCertificateText);
  half.ask({2, channel::Certificate{"thermo.pem"}});
  CHECK(half.certificate_of(2).found == Found::missing);
  half.ask({3, channel::Certificate{"thermo.crt"}});
  CHECK(half.certificate_of(3).found == Found::missing);
  CHECK_FALSE(half.over);
}

TEST_CASE("channel: without remote.certs_dir no certificate is read") {
  Half half({});
  half.begin_both();
  half.ask({1, channel::Certificate{"thermo"}});
  const auto answer = std::get<CertificateAnswer>(half.wait_answer().body);
  CHECK(answer.found == Found::unusable);
  CHECK(answer.problem == "remote.certs_dir is not set");
}

TEST_CASE("channel: a worker's questions for certificates are bounded, and those that it takes back are not answered") {
  WithCertificates half;
  half.scratch.put("thermo.crt", kCertificateText);
  half.begin_both(3);
  BusyThreads busy(&half.loop);  // nothing is read yet
  for (uint64_t id = 1; id <= 4; id++) half.ask({id, channel::Certificate{"thermo"}});
  const auto refused = half.certificate_of(4);
  CHECK(refused.found == Found::unusable);
  CHECK(refused.problem == "too many others wait to be read");
  for (const uint64_t id : {1, 3}) half.ask({id, channel::Cancel{}});  // one is being read, the other waits
  half.ask({5, channel::Dial{channel::Target::remote, 20'000}});
  CHECK(half.wait_answer().id == 5);  // so the others have been taken
  busy.release();
  CHECK(half.certificate_of(2).pem == kCertificateText);
  half.ask({6, channel::Certificate{"thermo"}});
  CHECK(half.certificate_of(6).pem == kCertificateText);
}

TEST_CASE("channel: a file system that hangs holds up certificates, and no dial") {
  WithCertificates half;
  half.scratch.put("thermo.crt", kCertificateText);
  half.begin_both();
  BusyThreads busy(&half.loop);
  half.ask({1, channel::Certificate{"thermo"}});
  half.ask({2, channel::Dial{channel::Target::remote, 20'000}});
  CHECK(half.wait_answer().id == 2);
  busy.release();
  CHECK(half.certificate_of(1).pem == kCertificateText);
}

TEST_CASE("channel: for a worker that does not read its answers, no further files are read") {
  WithCertificates half;
  half.scratch.put("thermo.crt",
                   kCertificateText + std::string(channel::kMaxCertificateFile - kCertificateText.size(), '#'));
  half.begin_both(1000);
  constexpr uint64_t kAsked = 60;
  for (uint64_t id = 1; id <= kAsked; id++) {
    half.ask({id, channel::Certificate{"thermo"}});
    half.turn();
  }
  for (uint64_t i = 0; i < 2 * kAsked; i++) BusyThreads(&half.loop).release();  // time for as many reads
  half.scratch.put("thermo.crt", kCertificateText);
  uint64_t before = 0;
  for (uint64_t id = 1; id <= kAsked; id++) before += half.certificate_of(id).pem.size() > kCertificateText.size();
  CHECK(before > 0);
  CHECK(before < kAsked / 2);  // as many as the kernel's queue takes
}

TEST_CASE("channel: a channel that ends while a file is read leaves nothing behind") {
  WithCertificates half;
  half.scratch.put("thermo.crt", kCertificateText);
  half.begin_both();
  half.ask({1, channel::Certificate{"thermo"}});
  half.turn();
  half.channel.reset();
  half.turn();
  common::Fd none;
  CHECK_FALSE(half.answer(none));
}
