#include "relayd/session/proxy_header.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace relayd::proxy {
namespace {

using Bytes = std::span<const uint8_t>;
using Parsed = std::variant<NeedMore, BadHeader, Header>;

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kVersion1 = "PROXY ";
constexpr size_t kMaxVersion1 = 107;      // with CRLF, section 2.1
constexpr size_t kFixed = 16;             // version 2: signature, version and command, family, length
constexpr size_t kIpv4 = 12, kIpv6 = 36;  // two addresses, two ports
constexpr uint8_t kLocal = 0x20, kProxy = 0x21;
constexpr uint8_t kUnspecified = 0x00, kTcp4 = 0x11, kTcp6 = 0x21;
constexpr uint8_t kCrc32c = 0x03, kSsl = 0x20, kSslVersion = 0x21, kSslCommonName = 0x22;  // section 2.2
// The client connected over TLS and presented a certificate, on this connection and in this session (section 2.2.5).
constexpr uint8_t kOverTlsWithCertificate = 0x01 | 0x02 | 0x04;

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Whether `in` is, as far as it goes, how `whole` begins.
bool may_become(Bytes in, std::string_view whole) {
  const size_t size = std::min(in.size(), whole.size());
  return text_of(in.first(size)) == whole.substr(0, size);
}

uint16_t u16(Bytes bytes) { return static_cast<uint16_t>(bytes[0] << 8 | bytes[1]); }

// ---- version 1 -----------------------------------------------------------------------------------------------------

std::optional<uint16_t> port_in(std::string_view text) {
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, port);
  const bool padded = text.size() > 1 && text[0] == '0';
  if (read.ptr != end || read.ec != std::errc() || padded) return std::nullopt;
  return port;
}

std::optional<SocketAddress> address_in(std::string_view host, std::string_view port, int family) {
  const auto number = port_in(port);
  if (!number) return std::nullopt;
  auto address = SocketAddress::parse(std::string(host), *number);
  if (address && address->family() != family) return std::nullopt;
  return address;
}

// The line without "PROXY " and CRLF.
Parsed parse_line(std::string_view line, size_t size) {
  std::array<std::string_view, 5> words;
  size_t count = 0;
  for (size_t at = 0; at <= line.size();) {
    const size_t end = std::min(line.find(' ', at), line.size());
    if (count < words.size()) words[count] = line.substr(at, end - at);
    count++;
    at = end + 1;
  }
  const auto& [protocol, source, destination, source_port, destination_port] = words;
  if (protocol == "UNKNOWN") return Header{std::nullopt, size};  // the rest of the line is ignored, section 2.1
  if (protocol != "TCP4" && protocol != "TCP6") return BadHeader{"its protocol is not TCP4, TCP6 or UNKNOWN"};
  if (count != words.size()) return BadHeader{"it does not have two addresses and two ports, separated by one space"};
  const int family = protocol == "TCP4" ? AF_INET : AF_INET6;
  const auto from = address_in(source, source_port, family), to = address_in(destination, destination_port, family);
  if (!from || !to) return BadHeader{"an address or a port in it is malformed, or not of the protocol that it names"};
  return Header{Endpoints{*from, *to}, size};
}

Parsed parse_version_1(Bytes in) {
  const std::string_view text = text_of(in.first(std::min(in.size(), kMaxVersion1)));
  const size_t end = text.find("\r\n");
  if (end != std::string_view::npos) {
    if (end < kVersion1.size()) return BadHeader{"its line is too short"};
    return parse_line(text.substr(kVersion1.size(), end - kVersion1.size()), end + 2);
  }
  if (text.size() == kMaxVersion1) return BadHeader{"its line does not end within 107 bytes"};
  return NeedMore{};
}

// ---- version 2 -----------------------------------------------------------------------------------------------------

// The block has both addresses, then both ports. `size`: bytes of an address.
SocketAddress address_of(Bytes block, size_t size, size_t nth) {
  SocketAddress result;
  const Bytes address = block.subspan(nth * size, size), port = block.subspan(2 * size + 2 * nth, 2);
  const bool v6 = size == sizeof(in6_addr);
  if (v6) result.storage.v6.sin6_family = AF_INET6;
  else result.storage.v4 = {.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
  memcpy(v6 ? static_cast<void*>(&result.storage.v6.sin6_addr) : &result.storage.v4.sin_addr, address.data(), size);
  memcpy(v6 ? &result.storage.v6.sin6_port : &result.storage.v4.sin_port, port.data(), port.size());
  result.size = v6 ? sizeof result.storage.v6 : sizeof result.storage.v4;
  return result;
}

// RFC 3720 appendix B.4. The four bytes of the checksum itself count as zeros (section 2.2.3).
uint32_t crc32c(Bytes bytes, size_t checksum_at) {
  uint32_t crc = ~0U;
  for (size_t i = 0; i < bytes.size(); i++) {
    crc ^= i >= checksum_at && i < checksum_at + 4 ? 0 : bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
  }
  return ~crc;
}

// "" if the fields after the addresses are whole, and the checksum, if there is one, is right.
std::string_view flaw_in_fields(Bytes header, size_t at) {
  while (at < header.size()) {
    if (header.size() - at < 3) return "a field in it is cut off";
    const size_t size = u16(header.subspan(at + 1));
    const uint8_t type = header[at];
    at += 3;
    if (size > header.size() - at) return "a field in it is longer than the header";
    if (type == kCrc32c) {
      if (size != 4) return "its checksum does not have four bytes";
      const uint32_t stated = static_cast<uint32_t>(u16(header.subspan(at))) << 16 | u16(header.subspan(at + 2));
      if (stated != crc32c(header, at)) return "its checksum is wrong";
    }
    at += size;
  }
  return "";
}

Parsed parse_version_2(Bytes in) {
  if (in.size() < kFixed) return NeedMore{};
  const uint8_t command = in[12], family = in[13];
  const size_t size = kFixed + u16(in.subspan(14));
  if (command != kLocal && command != kProxy) return BadHeader{"its version is not 2, or its command is unknown"};
  if (size > kMaxHeader) return BadHeader{"it announces more than 4096 bytes"};
  const size_t addresses = family == kTcp4 ? kIpv4 : family == kTcp6 ? kIpv6 : 0;
  if (command == kProxy && family != kUnspecified && addresses == 0)
    return BadHeader{"it is for a connection that is not TCP over IPv4 or IPv6"};
  if (command == kProxy && size < kFixed + addresses) return BadHeader{"it is too short for its addresses"};
  if (in.size() < size) return NeedMore{};
  // The receiver must ignore what a LOCAL header says of addresses (section 2.2), so its fields can't be found either.
  if (command == kLocal || family == kUnspecified) return Header{std::nullopt, size};
  if (const auto flaw = flaw_in_fields(in.first(size), kFixed + addresses); !flaw.empty()) return BadHeader{flaw};
  const Bytes block = in.subspan(kFixed, addresses);
  const size_t each = family == kTcp4 ? sizeof(in_addr) : sizeof(in6_addr);
  return Header{Endpoints{address_of(block, each, 0), address_of(block, each, 1)}, size};
}

// ---- writing -------------------------------------------------------------------------------------------------------

using Out = std::vector<uint8_t>;

void put(Out& out, const void* bytes, size_t size) {
  const auto* begin = static_cast<const uint8_t*>(bytes);
  out.insert(out.end(), begin, begin + size);
}

void put_u16(Out& out, size_t value) {
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}

void put_field(Out& out, uint8_t type, std::string_view value) {
  out.push_back(type);
  put_u16(out, value.size());
  put(out, value.data(), value.size());
}

std::string ssl_field(const Tls& tls) {
  Out out{kOverTlsWithCertificate, 0, 0, 0, 0};  // and the result of the verification: 0, success
  put_field(out, kSslVersion, tls.version);
  if (!tls.common_name.empty()) put_field(out, kSslCommonName, tls.common_name);
  return {out.begin(), out.end()};
}

}  // namespace

Parsed parse(Bytes in) {
  if (may_become(in, kVersion1)) return in.size() < kVersion1.size() ? Parsed(NeedMore{}) : parse_version_1(in);
  if (may_become(in, kSignature)) return parse_version_2(in);
  return BadHeader{"it does not begin as one of version 1 or 2 does"};
}

std::vector<uint8_t> encode(const Endpoints& endpoints, const std::optional<Tls>& tls) {
  const SocketAddress from = endpoints.source.unmapped(), to = endpoints.destination.unmapped();
  const bool v4 = from.family() == AF_INET && to.family() == AF_INET;
  Out block;
  for (const SocketAddress& address : {from, to}) {
    if (v4) put(block, &address.storage.v4.sin_addr, 4);
    else put(block, address.in_ipv6().data(), 16);
  }
  put_u16(block, from.port());
  put_u16(block, to.port());
  if (tls) put_field(block, kSsl, ssl_field(*tls));
  Out out(kSignature.begin(), kSignature.end());
  out.push_back(kProxy);
  out.push_back(v4 ? kTcp4 : kTcp6);
  put_u16(out, block.size());
  put(out, block.data(), block.size());
  return out;
}

std::vector<uint8_t> encode_local() {
  Out out(kSignature.begin(), kSignature.end());
  out.insert(out.end(), {kLocal, kUnspecified, 0, 0});
  return out;
}

}  // namespace relayd::proxy
