#include "relayd/connector/socks5.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "relayd/handover/socket_address.h"

namespace relayd::connector {
namespace {

constexpr uint8_t kVersion = 5, kNoAuthentication = 0, kPassword = 2, kNoMethod = 0xff;
constexpr uint8_t kPasswordVersion = 1;  // of RFC 1929
constexpr uint8_t kConnect = 1, kV4 = 1, kName = 3, kV6 = 4;

// RFC 1928 section 6.
constexpr std::array<std::string_view, 9> kReplies{"",
                                                   "general SOCKS server failure",
                                                   "connection not allowed by ruleset",
                                                   "Network unreachable",
                                                   "Host unreachable",
                                                   "Connection refused",
                                                   "TTL expired",
                                                   "Command not supported",
                                                   "Address type not supported"};

std::string bytes_of(std::initializer_list<uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

std::string counted(std::string_view text) { return static_cast<char>(text.size()) + std::string(text); }

}  // namespace

Socks5::Socks5(const Config::Endpoint& broker, const std::string& credentials)
    : broker_(broker), credentials_(credentials) {
  send(credentials.empty() ? bytes_of({kVersion, 1, kNoAuthentication})
                           : bytes_of({kVersion, 2, kNoAuthentication, kPassword}));
}

size_t Socks5::feed(std::span<const uint8_t> bytes) {
  size_t used = 0;
  while (used < bytes.size() && state() == State::talking) {
    answer_ += static_cast<char>(bytes[used++]);
    if (answer_.size() == wanted_) on_answer();
  }
  return used;
}

void Socks5::on_answer() {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(answer_[i]); };
  const uint8_t version = step_ == Step::authenticated ? kPasswordVersion : kVersion;
  if (step_ != Step::bound && at(0) != version)
    return refuse("answered something other than SOCKS5: are remote.proxy.type and port right?");
  switch (step_) {
    case Step::method: on_method(at(1)); break;
    case Step::authenticated:
      if (at(1) != 0)
        return refuse("does not accept the user and password; correct them in remote.proxy.credentials_file");
      ask();
      break;
    case Step::reply: return on_reply();
    case Step::bound: return open();
  }
  answer_.clear();
}

void Socks5::on_method(uint8_t method) {
  if (method == kNoAuthentication) return ask();
  if (method == kPassword && !credentials_.empty()) {
    const size_t colon = credentials_.find(':');
    send(bytes_of({kPasswordVersion}) + counted(std::string_view(credentials_).substr(0, colon)) +
         counted(std::string_view(credentials_).substr(colon + 1)));
    step_ = Step::authenticated;
    return;
  }
  if (method != kNoMethod) return refuse("chose a method of authentication that was not offered");
  refuse(credentials_.empty() ? "wants authentication; set remote.proxy.credentials_file"
                              : "wants another authentication than a user and password, and relayd has no other");
}

void Socks5::ask() {
  std::string request = bytes_of({kVersion, kConnect, 0});
  if (const auto address = SocketAddress::parse(broker_.host, broker_.port); !address) {
    request += static_cast<char>(kName) + counted(broker_.host);
  } else if (address->family() == AF_INET) {
    request += static_cast<char>(kV4);
    request.append(reinterpret_cast<const char*>(&address->storage.v4.sin_addr), 4);
  } else {
    request += static_cast<char>(kV6);
    request.append(reinterpret_cast<const char*>(&address->storage.v6.sin6_addr), 16);
  }
  send(request + static_cast<char>(broker_.port >> 8) + static_cast<char>(broker_.port & 0xff));
  step_ = Step::reply;
  wanted_ = 5;  // with the first byte of the address that the proxy uses: for a name, its length
}

void Socks5::on_reply() {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(answer_[i]); };
  if (const uint8_t reply = at(1); reply != 0) {
    const std::string words = reply < kReplies.size() ? " (" + std::string(kReplies[reply]) + ")" : "";
    return refuse("answered " + std::to_string(reply) + words + "; it must be able to reach, and allow, " +
                  broker_.host + ":" + std::to_string(broker_.port));
  }
  size_t size = 0;  // of the address
  switch (at(3)) {
    case kV4: size = 4; break;
    case kV6: size = 16; break;
    case kName: size = size_t{1} + at(4); break;
    default: return refuse("answered with an unknown type of address");
  }
  step_ = Step::bound;
  wanted_ = 4 + size + sizeof(uint16_t);
}

}  // namespace relayd::connector
