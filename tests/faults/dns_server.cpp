#include "tests/faults/dns_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "tests/integration/harness/mqtt.h"

namespace faults {
namespace {

using harness::fail_errno;
using harness::mqtt::number;

constexpr uint16_t kPort = 53;
constexpr size_t kHeader = 12;
// RFC 1035 section 4.1.1 and RFC 3596.
constexpr uint16_t kTypeA = 1, kTypeAaaa = 28, kClassInternet = 1;
constexpr uint16_t kResponse = 0x8180, kServerFailure = 0x8182;  // recursion desired, recursion available

uint16_t number_at(const std::string& bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes.at(at)) << 8 | static_cast<uint8_t>(bytes.at(at + 1)));
}

// The part of a query after its one question.
size_t end_of_question(const std::string& query) {
  size_t at = kHeader;
  while (const auto label = static_cast<uint8_t>(query.at(at))) at += 1 + label;
  return at + 1 + 4;
}

template <typename Address>
std::string records(const std::vector<Address>& addresses, uint16_t type) {
  std::string all;
  for (const auto& address : addresses) {
    const std::string bytes(reinterpret_cast<const char*>(&address), sizeof address);
    // A pointer to the question's name, with a TTL of 0, so that the answer is not cached.
    all += number(0xc000 | kHeader) + number(type) + number(kClassInternet) + number(0) + number(0) +
           number(static_cast<uint16_t>(bytes.size())) + bytes;
  }
  return all;
}

}  // namespace

DnsServer::DnsServer(const std::string& address) {
  harness::write_file(directory_ / "resolv.conf", "nameserver " + address + "\noptions timeout:1 attempts:1\n");
  harness::write_file(directory_ / "nsswitch.conf", "hosts: files dns\n");
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(kPort);
  inet_pton(AF_INET, address.c_str(), &at.sin_addr);
  fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) fail_errno("bind " + address + ":53");
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

DnsServer::~DnsServer() {
  thread_.request_stop();
  thread_.join();
  close(fd_);
}

void DnsServer::answer(const std::vector<std::string>& addresses) {
  const std::lock_guard lock(mutex_);
  mood_ = Mood::answers;
  v4_.clear();
  v6_.clear();
  for (const auto& text : addresses) {
    in_addr v4{};
    in6_addr v6{};
    if (inet_pton(AF_INET, text.c_str(), &v4) == 1) v4_.push_back(v4);
    else if (inet_pton(AF_INET6, text.c_str(), &v6) == 1) v6_.push_back(v6);
    else throw harness::Failure(text + " is not an address");
  }
}

void DnsServer::fail() {
  const std::lock_guard lock(mutex_);
  mood_ = Mood::fails;
}

void DnsServer::be_silent() {
  const std::lock_guard lock(mutex_);
  mood_ = Mood::silent;
}

size_t DnsServer::questions() {
  const std::lock_guard lock(mutex_);
  return questions_;
}

void DnsServer::wait_questions(size_t count, harness::Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (!asked_.wait_until(lock, deadline.at(), [&] { return questions_ >= count; }))
    throw harness::Failure("no question came to the name server");
}

void DnsServer::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd readable{fd_, POLLIN, 0};
    // The timeout bounds the time until a stop is noticed.
    if (poll(&readable, 1, 20) <= 0) continue;
    std::string query(1500, '\0');
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t got = recvfrom(fd_, query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < static_cast<ssize_t>(kHeader)) continue;
    query.resize(static_cast<size_t>(got));
    const auto reply = reply_to(query);
    if (!reply.empty()) sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
  }
}

std::string DnsServer::reply_to(const std::string& query) {
  const std::lock_guard lock(mutex_);
  ++questions_;
  asked_.notify_all();
  if (mood_ == Mood::silent) return {};
  const size_t end = end_of_question(query);
  const uint16_t type = number_at(query, end - 4);
  const bool fails = mood_ == Mood::fails, v4 = !fails && type == kTypeA, v6 = !fails && type == kTypeAaaa;
  const size_t count = v4 ? v4_.size() : v6 ? v6_.size() : 0;
  const auto answers = v4 ? records(v4_, kTypeA) : v6 ? records(v6_, kTypeAaaa) : std::string();
  return query.substr(0, 2) + number(fails ? kServerFailure : kResponse) + number(1) +
         number(static_cast<uint16_t>(count)) + number(0) + number(0) + query.substr(kHeader, end - kHeader) + answers;
}

std::function<bool()> DnsServer::resolv_conf() const {
  return [resolv = (directory_ / "resolv.conf").string(), nsswitch = (directory_ / "nsswitch.conf").string()] {
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount(resolv.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) == 0 &&
           (mount(nsswitch.c_str(), "/etc/nsswitch.conf", nullptr, MS_BIND, nullptr) == 0 || errno == ENOENT);
  };
}

}  // namespace faults
