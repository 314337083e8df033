#include "keyd/vault/audit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "common/json_line.h"
#include "common/log.h"
#include "keyd/vault/wolfcrypt.h"

namespace keyd {
namespace {

constexpr size_t kShownContent = 64;  // a longer one is shown by its hash
using Digest = std::array<uint8_t, 32>;

std::string sha256_hex(const void* data, size_t size) {
  Digest digest{};
  wc_Sha256Hash(static_cast<const byte*>(data), static_cast<word32>(size), digest.data());
  return common::hex(digest.data(), digest.size());
}

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

common::JsonLine begin(uint64_t sequence, const std::string& previous, const char* event) {
  common::JsonLine line;
  line.add("time", common::utc_now()).add("seq", sequence).add("prev", previous).add("event", event);
  return line;
}

void add_request(common::JsonLine& line, const AuditEvent& event) {
  if (const ipc::Lookup* key = event.key) {
    line.add("session", key->origin.session).add("device", address_of(key->origin)).add("client_id", key->client_id);
    line.add("role", ipc::name(key->role)).add("spki", common::hex(key->spki.data(), key->spki.size()));
  }
  if (const ipc::Sign* sign = event.sign) {
    line.add("kind", ipc::name(sign->kind)).add("scheme", ipc::name(sign->scheme));
    const auto& content = sign->content;
    if (content.size() <= kShownContent) line.add("transcript", common::hex(content.data(), content.size()));
    else line.add("transcript_sha256", sha256_hex(content.data(), content.size()));
  }
}

}  // namespace

Audit::Audit(int fd) : fd_(fd), previous_(64, '0') {
  auto line = begin(sequence_, previous_, "start");
  line.add("version", MQTT_RELAY_VERSION).add("pid", getpid());
  if (!append(std::move(line).finish()))
    throw std::runtime_error(std::string("the audit can't be written to standard output: ") + strerror(errno) +
                             "; without it nothing may be signed");
}

bool Audit::ready() {
  if (!degraded_) return true;
  if (!flush()) return false;
  auto line = begin(sequence_, previous_, "resumed");
  line.add("lost", lost_);
  if (!append(std::move(line).finish())) return false;
  degraded_ = false;
  lost_ = 0;
  common::log::warning("the audit can be written again: keyd signs");
  return true;
}

bool Audit::write(const AuditEvent& event) {
  if (ready()) {
    auto line = begin(sequence_, previous_, event.event);
    line.add("peer_pid", event.peer.pid).add("peer_uid", event.peer.uid).add("worker", event.peer.worker);
    add_request(line, event);
    line.add("result", ipc::name(event.result)).add("reason", event.reason);
    line.add("wait_us", event.wait_us).add("spent_us", event.spent_us);
    if (append(std::move(line).finish())) return true;
    if (!std::exchange(degraded_, true))
      common::log::error("the audit can't be written: keyd signs nothing until it can", {{"cause", strerror(errno)}});
  }
  lost_++;
  return false;
}

// A line of which any part is out belongs to the chain; of one that is not out at all nothing remains.
bool Audit::append(std::string line) {
  const std::string hash = sha256_hex(line.data(), line.size());
  const size_t size = line.size();
  rest_ = std::move(line);
  const bool whole = flush();
  if (rest_.size() == size) {
    rest_.clear();
    return false;
  }
  previous_ = hash;
  sequence_++;
  return whole;
}

bool Audit::flush() {
  while (!rest_.empty()) {
    const ssize_t written = ::write(fd_, rest_.data(), rest_.size());
    if (written > 0) {
      rest_.erase(0, static_cast<size_t>(written));
    } else if (written < 0 && (errno == EAGAIN || errno == EINTR)) {
      pollfd waiting{fd_, POLLOUT, 0};  // somebody made the descriptor non-blocking: we block all the same
      if (errno == EAGAIN) poll(&waiting, 1, -1);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace keyd
