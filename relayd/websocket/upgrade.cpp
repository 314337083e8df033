#include "relayd/websocket/upgrade.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <optional>

namespace relayd::websocket {
namespace {

constexpr std::string_view kMethod = "GET ", kVersion = " HTTP/1.1", kEnd = "\r\n\r\n";
constexpr std::string_view kSubprotocol = "mqtt";
constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 section 1.3
constexpr size_t kKeySize = 16, kKeyText = 24;                              // bytes, and their base64

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool same(std::string_view one, std::string_view other) { return std::ranges::equal(one, other, {}, lower, lower); }

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || kMarks.find(c) != kMarks.npos;
  });
}

// RFC 9110 section 5.5: no control character but a tab.
bool is_value(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return (byte >= 0x20 && byte != 0x7F) || c == '\t';
  });
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The text before `mark`, which is removed from `rest` with it; all of it if there is no mark.
std::string_view take_until(std::string_view& rest, std::string_view mark) {
  const size_t at = rest.find(mark);
  const auto part = rest.substr(0, at);
  rest = at == rest.npos ? std::string_view{} : rest.substr(at + mark.size());
  return part;
}

std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, kMaxQuoted)) + "\""; }

// A header that may be there once.
struct Once {
  std::optional<std::string_view> value;
  bool twice = false;
  void take(std::string_view text) {
    twice |= value.has_value();
    value = text;
  }
};

struct Request {
  std::string_view target;
  Once host, key, version, origin;
  bool upgrades = false, connects = false, offers_mqtt = false, has_body = false;
  std::string offered;  // sub-protocols, as they were sent
};

bool lists(std::string_view value, std::string_view token, bool (*equal)(std::string_view, std::string_view)) {
  while (!value.empty())
    if (equal(trimmed(take_until(value, ",")), token)) return true;
  return false;
}

bool identical(std::string_view one, std::string_view other) { return one == other; }

void take_header(Request& request, std::string_view name, std::string_view value) {
  if (same(name, "Host")) request.host.take(value);
  else if (same(name, "Sec-WebSocket-Key")) request.key.take(value);
  else if (same(name, "Sec-WebSocket-Version")) request.version.take(value);
  else if (same(name, "Origin")) request.origin.take(value);
  else if (same(name, "Upgrade")) request.upgrades |= lists(value, "websocket", same);
  else if (same(name, "Connection")) request.connects |= lists(value, "upgrade", same);
  else if (same(name, "Transfer-Encoding")) request.has_body = true;
  else if (same(name, "Content-Length")) request.has_body |= value != "0";
  else if (same(name, "Sec-WebSocket-Protocol")) {
    request.offers_mqtt |= lists(value, kSubprotocol, identical);
    if (request.offered.size() < kMaxQuoted)
      request.offered.append(request.offered.empty() ? "" : ", ").append(value.substr(0, kMaxQuoted));
  }
}

// `head`: from "GET " to before the empty line. Null: it is well formed; otherwise what is wrong.
const char* read_head(std::string_view head, Request& request) {
  auto line = take_until(head, "\r\n");
  constexpr size_t kAround = kMethod.size() + kVersion.size();
  if (line.size() <= kAround || !line.ends_with(kVersion)) return "its first line is not \"GET TARGET HTTP/1.1\"";
  request.target = line.substr(kMethod.size(), line.size() - kAround);
  if (!is_value(request.target) || request.target.find_first_of(" \t") != request.target.npos)
    return "its first line has a target with a space or a control character";
  while (!head.empty()) {
    line = take_until(head, "\r\n");
    const size_t colon = line.find(':');
    if (colon == line.npos || !is_token(line.substr(0, colon)) || !is_value(line)) return "a header line is malformed";
    take_header(request, line.substr(0, colon), trimmed(line.substr(colon + 1)));
  }
  return nullptr;
}

// RFC 6455 section 4.2.1, item 5. EVP_DecodeBlock counts the bytes of the padding.
bool is_key(std::string_view text) {
  std::array<unsigned char, kKeySize + 2> bytes{};
  return text.size() == kKeyText && text.ends_with("==") && !text.substr(0, kKeyText - 2).ends_with('=') &&
         EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()), kKeyText) ==
             static_cast<int>(bytes.size());
}

Refused bad(std::string_view why) { return {Fault::bad_request, "its request is none: " + std::string(why)}; }

std::optional<Refused> judge(const Request& request, std::string_view path, std::span<const std::string> origins) {
  if (!request.host.value || request.host.twice) return bad("it has not exactly one Host");
  if (request.has_body) return bad("it has a body");
  auto target = request.target;
  if (take_until(target, "?") != path)
    return Refused{Fault::not_found, "it asked for " + quoted(request.target) + ", not for " + std::string(path) +
                                         " (listener.websocket.mqtt_path)"};
  if (!request.upgrades || !request.connects) return bad("it has not both Upgrade: websocket and Connection: Upgrade");
  if (request.version.twice || request.version.value != "13")
    return Refused{Fault::bad_version,
                   "its Sec-WebSocket-Version is " + quoted(request.version.value.value_or("")) + ", not 13"};
  if (request.key.twice || !is_key(request.key.value.value_or("")))
    return bad("its Sec-WebSocket-Key is not the base64 of 16 bytes");
  if (!request.offers_mqtt)
    return Refused{Fault::no_subprotocol, "it offered the sub-protocols " + quoted(request.offered) +
                                              ", and not mqtt, which MQTT 5.0 section 6 demands"};
  const auto& origin = request.origin;
  if (!origins.empty() && origin.value && (origin.twice || std::ranges::find(origins, *origin.value) == origins.end()))
    return Refused{Fault::bad_origin, "a page of " + quoted(*origin.value) +
                                          " sent it, which is not one of listener.websocket.allowed_origins"};
  return std::nullopt;
}

}  // namespace

std::variant<NeedMore, Upgrade, Refused> parse_upgrade(std::span<const uint8_t> bytes, std::string_view path,
                                                       std::span<const std::string> origins) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.substr(0, kMethod.size()) != kMethod.substr(0, text.size()))
    return bad("it does not begin with \"GET \"; a client that speaks MQTT without WebSocket needs another listener");
  const size_t end = text.substr(0, kMaxHead).find(kEnd);
  if (end == text.npos) {
    if (text.size() < kMaxHead) return NeedMore{};
    return bad("it is longer than 8 KiB");
  }
  Request request;
  if (const char* why = read_head(text.substr(0, end), request)) return bad(why);
  if (auto refused = judge(request, path, origins)) return *std::move(refused);
  return Upgrade{end + kEnd.size(), std::string(*request.key.value)};
}

std::string accept(const Upgrade& upgrade) {
  const std::string proof = upgrade.key + std::string(kGuid);
  std::array<unsigned char, SHA_DIGEST_LENGTH> hash{};
  std::array<unsigned char, 29> text{};  // base64 of 20 bytes, and the zero that EVP_EncodeBlock writes
  SHA1(reinterpret_cast<const unsigned char*>(proof.data()), proof.size(), hash.data());
  const int size = EVP_EncodeBlock(text.data(), hash.data(), hash.size());
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
         std::string(text.begin(), text.begin() + size) + "\r\nSec-WebSocket-Protocol: " + std::string(kSubprotocol) +
         "\r\n\r\n";
}

std::string refuse(Fault fault) {
  std::string status = "400 Bad Request";
  if (fault == Fault::bad_origin) status = "403 Forbidden";  // RFC 6455 section 4.2.2
  if (fault == Fault::not_found) status = "404 Not Found";
  if (fault == Fault::bad_version)  // RFC 6455 section 4.4
    status = "426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
  const std::string connection = fault == Fault::bad_version ? "Upgrade, close" : "close";
  return "HTTP/1.1 " + status + "\r\nConnection: " + connection + "\r\nContent-Length: 0\r\n\r\n";
}

}  // namespace relayd::websocket
