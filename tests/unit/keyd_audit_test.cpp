// The audit: one whole, chained line for each event, and no line is lost silently.
#include "keyd/startup/audit_file.h"

#include <poll.h>
#include <sys/resource.h>

#include <sys/wait.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "keyd_support.h"

using namespace keyd;
using namespace keyd_test;
using nlohmann::json;

namespace {

struct Output {
  ScratchDir scratch;
  std::string file = scratch / "audit";
  common::Fd fd{open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  std::vector<std::string> lines() const { return lines_of(file); }
  // The disk is full from here on, as far as writers of `fd` can tell.
  void fill() { REQUIRE(dup2(common::Fd(open("/dev/full", O_WRONLY | O_CLOEXEC)).get(), fd.get()) == fd.get()); }
  void repair() {
    REQUIRE(dup2(common::Fd(open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)).get(), fd.get()) == fd.get());
  }
};

// Checks that each line is JSON with the next number and the previous line's hash, by another SHA-256.
void check_chain(const std::vector<std::string>& lines) {
  std::string previous(64, '0');
  for (size_t i = 0; i < lines.size(); i++) {
    INFO(lines[i]);
    const json line = json::parse(lines[i]);
    CHECK(line.at("seq") == i);
    CHECK(line.at("prev") == previous);
    previous = witness::sha256_hex(lines[i] + "\n");
  }
}

const Peer kPeer{42, 1000, 3, 42};

struct Request {
  Request() {
    sign.key.client_id = "device";
    sign.key.origin.session = 77;
    sign.key.origin.device_port = 1883;
    sign.key.spki.fill(0xab);
    sign.kind = ipc::Kind::tls13_client;
    sign.scheme = ipc::Scheme::ecdsa_sha256;
    sign.content = content;
  }
  std::vector<uint8_t> content = std::vector<uint8_t>(32, 0xcd);
  ipc::Sign sign;
  AuditEvent event() const { return {"sign", kPeer, &sign.key, &sign, ipc::Status::ok, "", 5, 60}; }
};

}  // namespace

TEST_CASE("a signature leaves an audit line with everything that keyd knows about it", "[keyd][audit]") {
  Output out;
  Audit audit(out.fd.get());
  Request request;
  request.sign.key.origin.device_ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
  REQUIRE(audit.write(request.event()));
  const auto lines = out.lines();
  REQUIRE(lines.size() == 2);
  CHECK(json::parse(lines[0]).at("event") == "start");
  const json line = json::parse(lines[1]);
  std::string spki, transcript;
  for (int i = 0; i < 32; i++) spki += "ab", transcript += "cd";
  const json expected = {{"seq", 1},
                         {"event", "sign"},
                         {"peer_pid", 42},
                         {"peer_uid", 1000},
                         {"worker", 3},
                         {"session", "000000000000004d"},
                         {"device", "192.0.2.1:1883"},
                         {"client_id", "device"},
                         {"role", "device"},
                         {"spki", spki},
                         {"kind", "tls13_client"},
                         {"scheme", "ecdsa_sha256"},
                         {"transcript", transcript},
                         {"result", "ok"},
                         {"reason", ""},
                         {"wait_us", 5},
                         {"spent_us", 60}};
  for (const auto& [key, value] : expected.items()) {
    INFO(key);
    CHECK(line.at(key) == value);
  }
  CHECK(line.at("time").get<std::string>().size() == std::string("2026-11-23T16:20:00.123456Z").size());
  CHECK(line.size() == expected.size() + 2);  // time, prev
}

TEST_CASE("an audit line shows an IPv6 device, and a long content by its hash", "[keyd][audit]") {
  Output out;
  Audit audit(out.fd.get());
  Request request;
  request.sign.key.origin.device_ip = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  request.content.assign(200, 'x');
  request.sign.content = request.content;
  REQUIRE(audit.write(request.event()));
  const json line = json::parse(out.lines().at(1));
  CHECK(line.at("device") == "[2001:db8::1]:1883");
  CHECK_FALSE(line.contains("transcript"));
  CHECK(line.at("transcript_sha256") == witness::sha256_hex(std::string(200, 'x')));
}

TEST_CASE("each audit line carries the hash of the one before", "[keyd][audit]") {
  Output out;
  Audit audit(out.fd.get());
  const Request request;
  for (int i = 0; i < 50; i++) REQUIRE(audit.write(request.event()));
  auto lines = out.lines();
  REQUIRE(lines.size() == 51);
  check_chain(lines);
  CHECK(json::parse(lines[0]).at("prev") == std::string(64, '0'));
}

TEST_CASE("a client id can't forge an audit line", "[keyd][audit]") {
  Output out;
  Audit audit(out.fd.get());
  Request request;
  const std::string id = "x\",\"result\":\"denied\"}\n{\"seq\":9\x01\x7f\xff\xc0\x80";
  request.sign.key.client_id = id;
  REQUIRE(audit.write(request.event()));
  const auto lines = out.lines();
  REQUIRE(lines.size() == 2);
  check_chain(lines);
  CHECK(json::parse(lines[1]).at("result") == "ok");
}

TEST_CASE("keyd does not start without an audit", "[keyd][audit]") {
  const common::Fd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  CHECK_THROWS_AS(Audit(full.get()), std::runtime_error);
  CHECK_THROWS_AS(Audit(-1), std::runtime_error);
}

TEST_CASE("a full disk degrades the audit until it has room again", "[keyd][audit]") {
  Output out;
  Audit audit(out.fd.get());
  const Request request;
  REQUIRE(audit.write(request.event()));
  CHECK_FALSE(audit.degraded());
  out.fill();
  for (int i = 0; i < 3; i++) CHECK_FALSE(audit.write(request.event()));
  CHECK(audit.degraded());
  CHECK_FALSE(audit.ready());
  out.repair();
  CHECK(audit.ready());
  CHECK_FALSE(audit.degraded());
  REQUIRE(audit.write(request.event()));
  const auto lines = out.lines();
  REQUIRE(lines.size() == 4);
  check_chain(lines);
  CHECK(json::parse(lines[2]).at("event") == "resumed");
  CHECK(json::parse(lines[2]).at("lost") == 3);
  out.fill();
  CHECK_FALSE(audit.write(request.event()));
  out.repair();
  REQUIRE(audit.write(request.event()));
  check_chain(out.lines());
  CHECK(json::parse(out.lines().at(4)).at("lost") == 1);
}

TEST_CASE("a line written in part is completed before any other", "[keyd][audit]") {
  Output out;
  Audit audit(out.fd.get());
  const Request request;
  REQUIRE(audit.write(request.event()));
  // The file may grow by 100 more bytes, so the next line is torn (setrlimit(2), RLIMIT_FSIZE).
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit little{std::filesystem::file_size(out.file) + 100, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &little);
  const bool torn = !audit.write(request.event());
  const bool still = !audit.ready();
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, old_handler);
  CHECK(torn);
  CHECK(still);
  CHECK(slurp(out.file).back() != '\n');
  CHECK(audit.ready());
  REQUIRE(audit.write(request.event()));
  const auto lines = out.lines();
  REQUIRE(lines.size() == 5);  // start, sign, the torn one, resumed, sign
  check_chain(lines);
  CHECK(json::parse(lines[3]).at("lost") == 1);
}

// Waits until the line is written, as the server does before it answers.
void record(Audit& audit, const AuditEvent& event) {
  auto written = audit.try_write(event);
  for (; written == Audit::Written::later; written = audit.try_write(event)) poll(nullptr, 0, 1);
  while (written == Audit::Written::begun && !audit.ready()) poll(nullptr, 0, 1);
  if (written == Audit::Written::no) _exit(1);
}

TEST_CASE("a slow audit pipe loses nothing, and keyd never waits for it", "[keyd][audit]") {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const common::Fd in(ends[0]);
  common::Fd out(ends[1]);
  fcntl(out.get(), F_SETPIPE_SZ, 4096);
  constexpr int kLines = 500;
  std::string text;
  const pid_t writer = fork();
  REQUIRE(writer >= 0);
  if (writer == 0) {
    Audit audit(out.get());
    const Request request;
    for (int i = 0; i < kLines; i++) record(audit, request.event());
    _exit(0);
  }
  out.reset();
  char buffer[100];
  for (ssize_t got; (got = read(in.get(), buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(got));
  int status = 0;
  waitpid(writer, &status, 0);
  CHECK(status == 0);
  const ScratchDir scratch;
  const auto lines = lines_of(scratch.put("audit", text));
  REQUIRE(lines.size() == kLines + 1);
  check_chain(lines);
}

namespace {

// An audit file in a directory of its own, beside standard output.
struct Filed {
  Output out;
  std::string path = out.scratch / "file.log";
  AuditFile place() const {
    return {common::Fd(open(out.scratch.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), "file.log", path};
  }
  ConfiguredPath configured() const { return {path, "keyd.json: audit_file"}; }
  // A run of keyd that writes `lines` lines after its start.
  void run(int lines) {
    Audit audit(out.fd.get(), place(), read_audit_tail(place(), configured()));
    for (int i = 0; i < lines; i++) REQUIRE(audit.write(Request().event()));
  }
  void append(const std::string& text) const { std::ofstream(path, std::ios::app | std::ios::binary) << text; }
};

std::string error_of_tail(const Filed& filed) {
  try {
    read_audit_tail(filed.place(), filed.configured());
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the file has every line that standard output has", "[keyd][audit]") {
  Filed filed;
  filed.run(5);
  CHECK(lines_of(filed.path).size() == 6);
  CHECK(lines_of(filed.path) == filed.out.lines());
  check_chain(lines_of(filed.path));
  struct stat info {};
  REQUIRE(stat(filed.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
}

TEST_CASE("with a file the chain continues across restarts", "[keyd][audit]") {
  Filed filed;
  for (int i = 0; i < 3; i++) filed.run(2);
  const auto lines = lines_of(filed.path);
  CHECK(lines.size() == 9);
  check_chain(lines);
}

TEST_CASE("a line that a crash cut off stays in the chain", "[keyd][audit]") {
  Filed filed;
  filed.run(2);
  filed.append(R"({"time":"2026-11-23T20:00:00Z","seq":3,"pr)");
  filed.run(1);
  const auto lines = lines_of(filed.path);
  REQUIRE(lines.size() == 6);
  const json start = json::parse(lines[4]);
  CHECK(start.at("event") == "start");
  CHECK(start.at("seq") == 4);
  CHECK(start.at("prev") == witness::sha256_hex(lines[3] + "\n"));
  CHECK(json::parse(lines[5]).at("seq") == 5);
  // The same after a second crash before any other line was written, and after a third at the next start.
  filed.append("{\"time\n{\"ti");
  filed.run(0);
  CHECK(json::parse(lines_of(filed.path).back()).at("seq") == 8);
}

TEST_CASE("a file that is not an audit is not added to", "[keyd][audit]") {
  Filed filed;
  filed.append("root:x:0:0\n");
  CHECK(error_of_tail(filed).find("keyd.json: audit_file") == 0);
  CHECK(error_of_tail(filed).find("not a line of keyd's audit") != std::string::npos);
  std::filesystem::remove(filed.path);
  REQUIRE(mkfifo(filed.path.c_str(), 0600) == 0);
  CHECK(error_of_tail(filed).find("regular") != std::string::npos);
  std::filesystem::remove(filed.path);
  std::filesystem::create_symlink("/etc/passwd", filed.path);
  CHECK_FALSE(error_of_tail(filed).empty());
  CHECK_THROWS_AS(Audit(filed.out.fd.get(), filed.place()), std::runtime_error);
}

TEST_CASE("two keyds do not write one audit file", "[keyd][audit]") {
  Filed filed;
  const Audit first(filed.out.fd.get(), filed.place());
  CHECK_THROWS_AS(Audit(filed.out.fd.get(), filed.place()), std::runtime_error);
}

TEST_CASE("after a rotation the chain continues in the new file", "[keyd][audit]") {
  Filed filed;
  Audit audit(filed.out.fd.get(), filed.place());
  REQUIRE(audit.write(Request().event()));
  audit.reopen();  // the file was not moved: no effect
  REQUIRE(audit.write(Request().event()));
  std::filesystem::rename(filed.path, filed.path + ".1");
  REQUIRE(audit.write(Request().event()));  // still into the old file
  audit.reopen();
  REQUIRE(audit.write(Request().event()));
  CHECK(lines_of(filed.path + ".1").size() == 4);
  CHECK(lines_of(filed.path).size() == 1);
  auto lines = lines_of(filed.path + ".1");
  for (const auto& line : lines_of(filed.path)) lines.push_back(line);
  check_chain(lines);
}

TEST_CASE("when the new file can't be made, the old one stays in use", "[keyd][audit]") {
  Filed filed;
  Audit audit(filed.out.fd.get(), filed.place());
  std::filesystem::rename(filed.path, filed.path + ".1");
  std::filesystem::create_directory(filed.path);
  audit.reopen();
  REQUIRE(audit.write(Request().event()));
  CHECK(lines_of(filed.path + ".1").size() == 2);
}

TEST_CASE("one output that can't be written is enough to sign nothing", "[keyd][audit]") {
  Filed filed;
  Audit audit(filed.out.fd.get(), filed.place());
  filed.out.fill();
  CHECK_FALSE(audit.write(Request().event()));
  CHECK(audit.degraded());
  CHECK_FALSE(audit.ready());
  filed.out.repair();
  CHECK(audit.ready());
  REQUIRE(audit.write(Request().event()));
  // The file has the line that standard output had to wait for, and both continue with the same lines.
  check_chain(lines_of(filed.path));
  CHECK(lines_of(filed.path) == filed.out.lines());
}

TEST_CASE("a line that the old file holds in part is whole in the new one", "[keyd][audit]") {
  Filed filed;
  const common::Fd nowhere(open("/dev/null", O_WRONLY | O_CLOEXEC));
  Audit audit(nowhere.get(), filed.place());
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit little{std::filesystem::file_size(filed.path) + 100, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &little);
  const bool torn = !audit.write(Request().event());
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, old_handler);
  REQUIRE(torn);
  std::filesystem::rename(filed.path, filed.path + ".1");
  audit.reopen();
  REQUIRE(audit.write(Request().event()));
  auto lines = lines_of(filed.path + ".1");
  REQUIRE(lines.size() == 2);  // start, and the torn one
  lines.pop_back();
  for (const auto& line : lines_of(filed.path)) lines.push_back(line);
  CHECK(lines.size() == 4);  // start, the torn one whole, resumed, sign
  check_chain(lines);
}
