#include "ipc/codec.h"

#include <algorithm>
#include <cstring>

namespace ipc {
namespace {

class Writer {
 public:
  explicit Writer(std::span<uint8_t> out) : out_(out) {}

  template <typename Integer>
  Writer& integer(Integer value) {
    uint8_t bytes[sizeof value];
    for (size_t i = 0; i < sizeof value; i++) bytes[i] = static_cast<uint8_t>(value >> (8 * (sizeof value - 1 - i)));
    return raw(bytes);
  }
  template <typename Enum>
  Writer& closed(Enum value) {
    return integer(static_cast<std::underlying_type_t<Enum>>(value));
  }
  Writer& raw(std::span<const uint8_t> bytes) {
    if (bytes.size() > out_.size() - used_) overflow_ = true;
    if (overflow_ || bytes.empty()) return *this;
    std::memcpy(out_.data() + used_, bytes.data(), bytes.size());
    used_ += bytes.size();
    return *this;
  }
  // A length of `Length`'s width, then the bytes; more than `most` of them is an overflow.
  template <typename Length>
  Writer& counted(std::span<const uint8_t> bytes, size_t most) {
    if (bytes.size() > most) overflow_ = true;
    return integer(static_cast<Length>(bytes.size())).raw(bytes);
  }
  size_t size() const { return overflow_ ? 0 : used_; }

 private:
  std::span<uint8_t> out_;
  size_t used_ = 0;
  bool overflow_ = false;
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> in) : in_(in) {}

  template <typename Integer>
  Integer integer() {
    uint64_t value = 0;
    for (const uint8_t byte : take(sizeof(Integer))) value = value << 8 | byte;
    return static_cast<Integer>(value);
  }
  // A value of a closed enum: anything but those listed is an error.
  template <typename Enum, size_t N>
  Enum closed(const std::array<Enum, N>& allowed) {
    const auto value = static_cast<Enum>(integer<std::underlying_type_t<Enum>>());
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) failed_ = true;
    return value;
  }
  template <size_t N>
  void raw(std::array<uint8_t, N>& out) {
    const auto bytes = take(N);
    std::copy(bytes.begin(), bytes.end(), out.begin());
  }
  template <typename Length>
  std::span<const uint8_t> counted(size_t most) {
    const size_t length = integer<Length>();
    if (length > most) failed_ = true;
    return take(length);
  }
  void zero() {
    if (integer<uint8_t>() != 0) failed_ = true;
  }
  bool flag() {
    const auto value = integer<uint8_t>();
    if (value > 1) failed_ = true;
    return value == 1;
  }
  // True if every byte was read, and none was missing.
  bool done() const { return !failed_ && in_.empty(); }

 private:
  std::span<const uint8_t> take(size_t size) {
    if (failed_ || size > in_.size()) {
      failed_ = true;
      return {};
    }
    const auto bytes = in_.first(size);
    in_ = in_.subspan(size);
    return bytes;
  }
  std::span<const uint8_t> in_;
  bool failed_ = false;
};

constexpr std::array kOps{Op::hello, Op::lookup, Op::sign, Op::stats};
constexpr std::array kRoles{Role::listener, Role::device};
constexpr std::array kKinds{Kind::tls13_server, Kind::tls13_client,       Kind::tls12_server,
                            Kind::tls12_client, Kind::tls13_client_bound, Kind::tls12_client_bound};
constexpr std::array kSchemes{
    Scheme::rsa_pkcs1_sha256,    Scheme::rsa_pkcs1_sha384, Scheme::rsa_pkcs1_sha512,    Scheme::ecdsa_sha256,
    Scheme::ecdsa_sha384,        Scheme::ecdsa_sha512,     Scheme::rsa_pss_rsae_sha256, Scheme::rsa_pss_rsae_sha384,
    Scheme::rsa_pss_rsae_sha512, Scheme::ed25519};
constexpr std::array kStatuses{Status::ok,     Status::not_found, Status::mismatch,  Status::unusable,
                               Status::denied, Status::busy,      Status::malformed, Status::internal};

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

void put(Writer& out, const Hello& hello) {
  out.integer(hello.version).integer(hello.worker).integer(hello.timeout_ms);
}

void put_key(Writer& out, const Lookup& lookup) {
  out.closed(lookup.role).raw(lookup.spki);
  out.integer(lookup.origin.session).raw(lookup.origin.device_ip).integer(lookup.origin.device_port);
  out.counted<uint8_t>(bytes_of(lookup.client_id), kMaxClientId);
}

void put(Writer& out, const Lookup& lookup) {
  put_key(out, lookup);
  out.counted<uint16_t>(bytes_of(lookup.spellings), kMaxSpellings);
}

size_t content_limit(Kind kind, Scheme scheme) {
  return carries_transcript(kind, scheme) ? kMaxTranscript : kMaxContent;
}

void put(Writer& out, const Sign& sign) {
  put_key(out, sign.key);
  out.closed(sign.kind).closed(sign.scheme);
  out.counted<uint16_t>(sign.content, content_limit(sign.kind, sign.scheme));
}

void put(Writer&, std::monostate) {}

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Lookup get_key(Reader& in) {
  Lookup lookup;
  lookup.role = in.closed(kRoles);
  in.raw(lookup.spki);
  lookup.origin.session = in.integer<uint64_t>();
  in.raw(lookup.origin.device_ip);
  lookup.origin.device_port = in.integer<uint16_t>();
  lookup.client_id = text_of(in.counted<uint8_t>(kMaxClientId));
  return lookup;
}

Lookup get_lookup(Reader& in) {
  Lookup lookup = get_key(in);
  lookup.spellings = text_of(in.counted<uint16_t>(kMaxSpellings));
  return lookup;
}

Sign get_sign(Reader& in) {
  Sign sign;
  sign.key = get_key(in);
  sign.kind = in.closed(kKinds);
  sign.scheme = in.closed(kSchemes);
  sign.content = in.counted<uint16_t>(content_limit(sign.kind, sign.scheme));
  return sign;
}

Hello get_hello(Reader& in) {
  Hello hello;
  hello.version = in.integer<uint16_t>();
  hello.worker = in.integer<uint16_t>();
  hello.timeout_ms = in.integer<uint32_t>();
  return hello;
}

}  // namespace

size_t encode(const Request& request, RequestBuffer& out) {
  Writer writer(out);
  writer.closed(request.op()).integer(uint8_t{0}).integer(request.id);
  std::visit([&](const auto& body) { put(writer, body); }, request.body);
  return writer.size();
}

size_t encode(const Response& response, ResponseBuffer& out) {
  Writer writer(out);
  writer.closed(response.status).integer(uint8_t{0}).integer(response.id).integer(response.retry_after_ms);
  writer.counted<uint16_t>(response.payload, kMaxSignature);
  return writer.size();
}

std::optional<Request> decode_request(std::span<const uint8_t> datagram) {
  Reader in(datagram);
  Request request;
  const Op op = in.closed(kOps);
  in.zero();
  request.id = in.integer<uint32_t>();
  switch (op) {
    case Op::hello: request.body = get_hello(in); break;
    case Op::lookup: request.body = get_lookup(in); break;
    case Op::sign: request.body = get_sign(in); break;
    case Op::stats: request.body = std::monostate{}; break;
  }
  return in.done() ? std::optional(request) : std::nullopt;
}

std::optional<Response> decode_response(std::span<const uint8_t> datagram) {
  Reader in(datagram);
  Response response;
  response.status = in.closed(kStatuses);
  in.zero();
  response.id = in.integer<uint32_t>();
  response.retry_after_ms = in.integer<uint32_t>();
  response.payload = in.counted<uint16_t>(kMaxSignature);
  return in.done() ? std::optional(response) : std::nullopt;
}

std::array<uint8_t, kWelcomeSize> encode_welcome(const Welcome& welcome) {
  std::array<uint8_t, kWelcomeSize> out{};
  Writer(out).integer(welcome.version).integer(static_cast<uint8_t>(welcome.bind_remote));
  return out;
}

std::optional<Welcome> decode_welcome(std::span<const uint8_t> payload) {
  Reader in(payload);
  const auto version = in.integer<uint16_t>();
  const bool bind_remote = in.flag();
  return in.done() ? std::optional(Welcome{version, bind_remote}) : std::nullopt;
}

std::array<uint8_t, kCountersSize> encode_counters(const Counters& counters) {
  std::array<uint8_t, kCountersSize> out{};
  Writer writer(out);
  writer.integer(counters.lookups).integer(counters.signatures).integer(counters.refusals);
  writer.integer(counters.cached_keys).integer(counters.given_up).integer(static_cast<uint8_t>(counters.degraded));
  return out;
}

std::optional<Counters> decode_counters(std::span<const uint8_t> payload) {
  Reader in(payload);
  Counters counters;
  counters.lookups = in.integer<uint64_t>();
  counters.signatures = in.integer<uint64_t>();
  counters.refusals = in.integer<uint64_t>();
  counters.cached_keys = in.integer<uint64_t>();
  counters.given_up = in.integer<uint64_t>();
  counters.degraded = in.flag();
  return in.done() ? std::optional(counters) : std::nullopt;
}

bool can_name_a_key(std::string_view client_id) {
  if (client_id.empty() || client_id.size() > kMaxClientId || client_id == "." || client_id == "..") return false;
  return std::none_of(client_id.begin(), client_id.end(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte < 0x20 || byte == 0x7f || c == '/';
  });
}

namespace {

// Enum values of one byte begin at `first`.
template <typename Enum, size_t N>
const char* nth(Enum value, const char* const (&names)[N], size_t first) {
  const size_t index = static_cast<size_t>(value) - first;
  return index < N ? names[index] : "?";
}

}  // namespace

const char* name(Op op) { return nth(op, {"hello", "lookup", "sign", "stats"}, 1); }

const char* name(Status status) {
  return nth(status, {"ok", "not_found", "mismatch", "unusable", "denied", "busy", "malformed", "internal"}, 0);
}

const char* name(Role role) { return nth(role, {"listener", "device"}, 1); }

const char* name(Kind kind) {
  return nth(
      kind,
      {"tls13_server", "tls13_client", "tls12_server", "tls12_client", "tls13_client_bound", "tls12_client_bound"}, 1);
}

const char* name(Scheme scheme) {
  static constexpr const char* kNames[] = {
      "rsa_pkcs1_sha256", "rsa_pkcs1_sha384",    "rsa_pkcs1_sha512",    "ecdsa_sha256",        "ecdsa_sha384",
      "ecdsa_sha512",     "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512", "ed25519"};
  static_assert(std::size(kNames) == kSchemes.size());
  const auto at = std::find(kSchemes.begin(), kSchemes.end(), scheme);
  return at == kSchemes.end() ? "?" : kNames[at - kSchemes.begin()];
}

}  // namespace ipc
