#include "relayd/connector/http_connect.h"

#include <algorithm>
#include <string_view>

namespace relayd::connector {
namespace {

constexpr std::string_view kVersion = "HTTP/1.";
constexpr size_t kMostShown = 80;  // bytes of a reason phrase

std::string authority_of(const Config::Endpoint& broker) {
  const bool v6 = broker.host.find(':') != std::string::npos;
  return (v6 ? "[" + broker.host + "]" : broker.host) + ":" + std::to_string(broker.port);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "HTTP/1.1 407 Proxy Authentication Required" (RFC 9112 section 4). The phrase may be missing.
bool is_status_line(std::string_view line) {
  constexpr size_t kCode = kVersion.size() + 2;
  return line.size() >= kCode + 3 && line.starts_with(kVersion) && is_digit(line[kCode - 2]) &&
         line[kCode - 1] == ' ' && std::ranges::all_of(line.substr(kCode, 3), is_digit) &&
         (line.size() == kCode + 3 || line[kCode + 3] == ' ');
}

// "407 Proxy Authentication Required", without what a log should not repeat.
std::string shown(std::string_view status_line) {
  std::string text(status_line.substr(kVersion.size() + 2, kMostShown));
  std::ranges::replace_if(
      text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

std::string base64(std::string_view text) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < text.size(); at += 3) {
    const size_t count = std::min<size_t>(3, text.size() - at);
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; i++) bits = bits << 8 | (i < count ? static_cast<uint8_t>(text[at + i]) : 0);
    for (size_t i = 0; i < 4; i++) out += i <= count ? kDigits[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

HttpConnect::HttpConnect(const Config::Endpoint& broker, const std::string& credentials)
    : broker_(authority_of(broker)), has_credentials_(!credentials.empty()) {
  send("CONNECT " + broker_ + " HTTP/1.1\r\nHost: " + broker_ + "\r\n");
  if (has_credentials_) send("Proxy-Authorization: Basic " + base64(credentials) + "\r\n");
  send("\r\n");
}

size_t HttpConnect::feed(std::span<const uint8_t> bytes) {
  size_t used = 0;
  while (used < bytes.size() && state() == State::talking) {
    const char c = static_cast<char>(bytes[used++]);
    if (++taken_ > kMostHead) refuse("answered with a head of more than 8 KiB");
    else if (c == '\n') end_line();
    else line_ += c;
    // Something else may send no line at all.
    if (status_.empty() && !kVersion.starts_with(line_.substr(0, kVersion.size())) && state() == State::talking)
      refuse("answered something other than HTTP/1.1: are remote.proxy.type and port right?");
  }
  return used;
}

void HttpConnect::end_line() {
  if (line_.ends_with('\r')) line_.pop_back();
  if (status_.empty()) {
    if (!is_status_line(line_)) return refuse("answered with a malformed status line");
    status_ = line_;
  } else if (line_.empty()) {
    end_head();
  }
  line_.clear();
}

void HttpConnect::end_head() {
  switch (status_[kVersion.size() + 2]) {
    case '1': return status_.clear();
    case '2': return open();
    default: return refuse_status();
  }
}

void HttpConnect::refuse_status() {
  const std::string answer = shown(status_);
  std::string fix;
  if (answer.starts_with("407") || answer.starts_with("401"))  // tinyproxy answers wrong credentials with 401
    fix = has_credentials_ ? "correct the user and password in remote.proxy.credentials_file"
                           : "set remote.proxy.credentials_file";
  else if (answer.starts_with("5")) fix = "it must be able to reach " + broker_;
  else fix = "it must allow CONNECT to " + broker_;
  refuse("answered " + answer + "; " + fix);
}

}  // namespace relayd::connector
