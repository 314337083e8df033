#include "keyd/vault/audit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "common/json_line.h"
#include "common/log.h"
#include "common/tls/sha2.h"
#include "keyd/vault/tally.h"

namespace keyd {
namespace {

constexpr size_t kShownHandshake = 8;
constexpr size_t kShownContent = 64;  // a longer one is shown by its hash

// "192.0.2.1:8883", "[2001:db8::1]:8883", "" for none.
std::string address_of(const ipc::Origin& origin) {
  static constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const auto& ip = origin.device_ip;
  if (std::all_of(ip.begin(), ip.end(), [](uint8_t byte) { return byte == 0; })) return "";
  char text[INET6_ADDRSTRLEN] = "";
  const bool v4 = std::equal(kMapped.begin(), kMapped.end(), ip.begin());
  inet_ntop(v4 ? AF_INET : AF_INET6, ip.data() + (v4 ? kMapped.size() : 0), text, sizeof text);
  return (v4 ? std::string(text) : "[" + std::string(text) + "]") + ":" + std::to_string(origin.device_port);
}

common::JsonLine begin(const AuditTail& tail, const char* event, const Peer* peer = nullptr) {
  common::JsonLine line;
  line.add("time", common::utc_now()).add("seq", tail.next_sequence).add("prev", tail.previous).add("event", event);
  if (peer) line.add("peer_pid", peer->pid).add("peer_uid", peer->uid).add("worker", peer->worker);
  return line;
}

uint64_t monotonic_ns() {
  return static_cast<uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

void add_request(common::JsonLine& line, const AuditEvent& event) {
  if (const ipc::Lookup* key = event.key) {
    const uint64_t session = htobe64(key->origin.session);
    line.add("session", common::hex(&session, sizeof session)).add("device", address_of(key->origin));
    line.add("client_id", key->client_id).add("role", ipc::name(key->role));
    line.add("spki", common::hex(key->spki.data(), key->spki.size()));
  }
  if (const ipc::Sign* sign = event.sign) {
    line.add("kind", ipc::name(sign->kind)).add("scheme", ipc::name(sign->scheme));
    const auto& content = sign->content;
    if (content.size() <= kShownContent) line.add("transcript", common::hex(content.data(), content.size()));
    else line.add("transcript_sha256", common::tls::sha256_hex(content.data(), content.size()));
  }
  if (!event.handshake.empty()) line.add("handshake", common::hex(event.handshake.data(), kShownHandshake));
  if (*event.presence) line.add("presence", event.presence);
}

}  // namespace

common::Fd AuditFile::open() const {
  common::Fd fd(openat(directory.get(), name.c_str(),
                       O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600));
  struct stat info {};
  if (!fd || fstat(fd.get(), &info) != 0) return {};
  if (!S_ISREG(info.st_mode)) errno = EINVAL;  // a FIFO would make keyd wait for its reader
  else if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  return {};
}

Audit::Audit(common::Output out, std::optional<AuditFile> file, AuditTail tail)
    : file_(std::move(file)), tail_(std::move(tail)), tally_(std::make_unique<Tally>()) {
  const auto fail = [](const std::string& where, int cause) {
    throw std::runtime_error("the audit can't be written to " + where + ": " + strerror(cause) +
                             "; without it nothing may be signed");
  };
  sinks_.push_back({std::move(out)});
  if (file_) {
    file_fd_ = file_->open();
    if (!file_fd_ || (tail_.torn && ::write(file_fd_.get(), "\n", 1) != 1)) fail(file_->path, errno);
    sinks_.push_back({common::Output(file_fd_.get())});
  }
  if (start() == Written::no) fail("standard output" + (file_ ? " or " + file_->path : std::string()), cause_);
}

Audit::~Audit() { write_counts(UINT64_MAX); }

Audit::Written Audit::start() {
  auto line = begin(tail_, "start");
  line.add("version", MQTT_RELAY_VERSION).add("pid", getpid());
  const Written written = append(std::move(line).finish());
  started_ = written == Written::yes || written == Written::begun;
  return written;
}

bool Audit::ready() {
  const bool begun = std::any_of(sinks_.begin(), sinks_.end(), [](const Sink& sink) { return sink.unwritten > 0; });
  if (!flush() || (!started_ && start() != Written::yes)) return false;
  if (begun) degraded_ = false;
  if (!write_counts(monotonic_ns())) return false;
  if (lost_ == 0) return true;
  auto line = begin(tail_, "resumed");
  line.add("lost", lost_);
  const Written written = append(std::move(line).finish());
  if (written != Written::yes && written != Written::begun) return false;
  lost_ = 0;
  common::log::warning("audit_back", "the audit can be written again: keyd signs");
  return written == Written::yes;
}

bool Audit::write_counts(uint64_t now_ns) {
  while (const Tally::Count* count = tally_->due(now_ns)) {
    auto line = begin(tail_, "counted", &count->peer);
    line.add("counted", count->event).add("result", ipc::name(count->result)).add("reason", count->reason);
    line.add("number", count->number).add("first", count->first).add("last", count->last);
    const Written written = append(std::move(line).finish());
    if (written == Written::yes || written == Written::begun) tally_->drop(*count);
    if (written != Written::yes) return false;
  }
  return true;
}

bool Audit::counts(const AuditEvent& event) { return tally_->takes(event, monotonic_ns()); }

Audit::Written Audit::try_write(const AuditEvent& event) {
  if (!ready()) return failed(Written::later);
  auto line = begin(tail_, event.event, &event.peer);
  add_request(line, event);
  line.add("result", ipc::name(event.result)).add("reason", event.reason);
  line.add("wait_us", event.wait_us).add("spent_us", event.spent_us);
  return append(std::move(line).finish());
}

bool Audit::write(const AuditEvent& event) {
  if (counts(event) || try_write(event) == Written::yes) return true;
  lost();
  return false;
}

void Audit::lost() {
  if (lost_++ == 0)
    common::log::error("audit_failed", "the audit can't be written: keyd signs nothing until it can",
                       {{"cause", cause_ == EAGAIN ? "its reader has stopped reading" : strerror(cause_)}});
}

bool Audit::stalled() const { return degraded_ && (cause_ != EAGAIN || Clock::now() - degraded_since_ > kSlow); }

Audit::Written Audit::failed(Written how) {
  if (!std::exchange(degraded_, true)) degraded_since_ = Clock::now();
  return cause_ == EAGAIN ? how : Written::no;
}

// A line that was written even in part belongs to the chain; a line that was not written at all is forgotten.
Audit::Written Audit::append(std::string line) {
  line_ = std::move(line);
  for (Sink& sink : sinks_) sink.unwritten = line_.size();
  const bool whole = flush();
  if (std::all_of(sinks_.begin(), sinks_.end(), [&](const Sink& sink) { return sink.unwritten == line_.size(); })) {
    for (Sink& sink : sinks_) sink.unwritten = 0;
    return failed(Written::later);
  }
  tail_ = {tail_.next_sequence + 1, common::tls::sha256_hex(line_.data(), line_.size()), false};
  if (!whole) return failed(Written::begun);
  degraded_ = false;
  return Written::yes;
}

bool Audit::flush() {
  bool whole = true;
  for (Sink& sink : sinks_) whole = flush(sink) && whole;
  return whole;
}

bool Audit::flush(Sink& sink) {
  while (sink.unwritten > 0) {
    const ssize_t written = sink.out.write(line_.data() + line_.size() - sink.unwritten, sink.unwritten);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      cause_ = written < 0 ? errno : ENOSPC;
      return false;
    }
    sink.unwritten -= static_cast<size_t>(written);
  }
  return true;
}

// A line that the old file holds in part is written whole at the start of the new one.
void Audit::reopen() {
  struct stat now {
  }, named{};
  if (!file_ ||
      (fstat(file_fd_.get(), &now) == 0 && fstatat(file_->directory.get(), file_->name.c_str(), &named, 0) == 0 &&
       now.st_dev == named.st_dev && now.st_ino == named.st_ino))
    return;
  common::Fd fresh = file_->open();
  if (!fresh)
    return common::log::error("audit_not_reopened", "the audit file can't be opened again; the old one stays in use",
                              {{"file", file_->path}, {"cause", strerror(errno)}});
  file_fd_ = std::move(fresh);
  Sink& sink = sinks_.back();
  sink.out = common::Output(file_fd_.get());
  if (sink.unwritten > 0) sink.unwritten = line_.size();
  common::log::info("audit_reopened", "the audit file was opened again", {{"file", file_->path}});
}

}  // namespace keyd
