#include "tests/faults/shaped_link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/integration/harness/deadline.h"

namespace faults {
namespace {

using harness::fail_errno;
using Clock = std::chrono::steady_clock;

constexpr int kMtu = 1500, kQueue = 10000;
constexpr int kPacketsPerTurn = 64;  // of one direction, before the other has its turn
constexpr size_t kDestination = 16, kIpHeader = 20;

// 198.18.0.0/15 is reserved for network tests (RFC 2544); this process uses eight of its addresses.
constexpr uint32_t kTestNetwork = 0xc6120000, kOwnAddresses = 8, kShares = (1 << 17) / kOwnAddresses;

uint32_t own_network() { return kTestNetwork + static_cast<uint32_t>(getpid()) % kShares * kOwnAddresses; }

std::string text_of(uint32_t address) {
  const in_addr at{htonl(address)};
  char text[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &at, text, sizeof text);
}

void set_address(ifreq& request, const std::string& address) {
  auto* at = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
  *at = {};
  at->sin_family = AF_INET;
  inet_pton(AF_INET, address.c_str(), &at->sin_addr);
}

class Interface {
 public:
  explicit Interface(const std::string& name) : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    name.copy(request_.ifr_name, IFNAMSIZ - 1);
  }
  ~Interface() { close(socket_); }
  Interface(const Interface&) = delete;
  Interface& operator=(const Interface&) = delete;

  void address(const std::string& address) {
    set_address(request_, address);
    control(SIOCSIFADDR);
    set_address(request_, "255.255.255.248");
    control(SIOCSIFNETMASK);
    request_.ifr_mtu = kMtu;
    control(SIOCSIFMTU);
    request_.ifr_qlen = kQueue;
    control(SIOCSIFTXQLEN);
  }
  void up() {
    control(SIOCGIFFLAGS);
    request_.ifr_flags = static_cast<short>(request_.ifr_flags | IFF_UP);
    control(SIOCSIFFLAGS);
  }

 private:
  void control(unsigned long what) {
    if (ioctl(socket_, what, &request_) != 0) fail_errno(std::string("set up the network device ") + request_.ifr_name);
  }
  ifreq request_{};
  int socket_;
};

// Creates a TUN device in the network namespace of the calling thread.
int make_device(const std::string& address) {
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail_errno("open /dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strcpy(request.ifr_name, "faults%d");
  if (ioctl(fd, TUNSETIFF, &request) != 0) fail_errno("make a TUN device");
  Interface device(request.ifr_name);
  device.address(address);
  device.up();
  return fd;
}

}  // namespace

ShapedLink::ShapedLink() {
  // getaddrinfo(3) sorts by the length of the prefix that an address shares with ours (RFC 6724 rule 9). The ends are
  // chosen so that the black holes share at least as much; they come first, as a test of them requires.
  const auto host = [](uint32_t number) { return text_of(own_network() + number); };
  near_address_ = host(5);
  far_address_ = host(2);
  black_holes_ = {host(4), host(6), host(3)};
  inet_pton(AF_INET, near_address_.c_str(), &hosts_[0]);
  inet_pton(AF_INET, far_address_.c_str(), &hosts_[1]);
  near_ = make_device(near_address_);
  run_at_far_end([this] {
    Interface("lo").up();
    far_ = make_device(far_address_);
  });
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

ShapedLink::~ShapedLink() {
  thread_.request_stop();
  thread_.join();
  for (const int fd : {near_, far_}) close(fd);
}

void ShapedLink::shape(std::chrono::microseconds delay_each_way, double lost_of_hundred) {
  delay_us_ = delay_each_way.count();
  loss_ = lost_of_hundred;
}

void ShapedLink::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    deliver_what_is_due();
    pollfd readable[] = {{near_, POLLIN, 0}, {far_, POLLIN, 0}};
    auto wait = std::chrono::nanoseconds(std::chrono::milliseconds(20));  // bounds the time until a stop is noticed
    if (!under_way_.empty()) wait = std::clamp(std::chrono::nanoseconds(under_way_.top().due - Clock::now()), {}, wait);
    const timespec limit{0, wait.count()};
    if (ppoll(readable, 2, &limit, nullptr) <= 0) continue;
    if (readable[0].revents) take_from(near_, far_);
    if (readable[1].revents) take_from(far_, near_);
  }
}

void ShapedLink::take_from(int device, int to) {
  char buffer[kMtu];
  for (int i = 0; i < kPacketsPerTurn; i++) {
    const ssize_t size = read(device, buffer, sizeof buffer);
    if (size <= 0) return;
    std::string packet(buffer, static_cast<size_t>(size));
    if (is_lost(packet)) ++dropped_;
    else under_way_.push({when_through(to, packet.size()), ++number_, to, std::move(packet)});
  }
}

Clock::time_point ShapedLink::when_through(int to, size_t size) {
  auto& free = free_[to == near_];
  free = std::max(free, Clock::now());
  if (const size_t rate = rate_; rate > 0) free += std::chrono::nanoseconds(1'000'000'000 * size / rate);
  return free + std::chrono::microseconds(delay_us_);
}

void ShapedLink::deliver_what_is_due() {
  while (!under_way_.empty() && under_way_.top().due <= Clock::now()) {
    const auto& packet = under_way_.top();
    const bool passes = !cut_ && write(packet.to, packet.bytes.data(), packet.bytes.size()) > 0;
    ++(passes ? passed_ : dropped_);
    under_way_.pop();
  }
}

bool ShapedLink::is_lost(const std::string& packet) {
  if (cut_ || packet.size() < kIpHeader || packet[0] >> 4 != 4) return true;  // drops IPv6 neighbour discovery, too
  uint32_t destination = 0;
  std::memcpy(&destination, packet.data() + kDestination, sizeof destination);
  if (destination != hosts_[0] && destination != hosts_[1]) return true;
  return std::uniform_real_distribution<>(0, 100)(random_) < loss_;
}

}  // namespace faults
