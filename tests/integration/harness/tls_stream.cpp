#include "tests/integration/harness/tls_stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace harness {
namespace {

std::string openssl_errors() {
  std::string text;
  while (const auto code = ERR_get_error()) {
    char line[256];
    ERR_error_string_n(code, line, sizeof line);
    text += std::string(text.empty() ? "" : "; ") + line;
  }
  return text;
}

void check(bool ok, const std::string& what) {
  if (!ok) throw Failure(what + ": " + openssl_errors());
}

}  // namespace

const char* to_string(Ending::How how) {
  switch (how) {
    case Ending::close_notify: return "close_notify";
    case Ending::fin: return "FIN without close_notify";
    case Ending::reset: return "RST";
    case Ending::alert: return "alert";
  }
  return "?";
}

TlsContext::TlsContext(SSL_CTX* context, const fs::path& trusted, TlsVersion version)
    : context_(context, SSL_CTX_free) {
  // OpenSSL sends with write(2); a closed peer must give an error, not a signal.
  signal(SIGPIPE, SIG_IGN);
  check(context, "SSL_CTX_new");
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  check(SSL_CTX_load_verify_locations(context, trusted.c_str(), nullptr), "load " + trusted.string());
  if (version != TlsVersion::any) {
    const int number = version == TlsVersion::v1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX_set_min_proto_version(context, number);
    SSL_CTX_set_max_proto_version(context, number);
  }
}

void TlsContext::use(const Identity& identity) {
  check(SSL_CTX_use_certificate_chain_file(get(), identity.certificate.c_str()),
        "load " + identity.certificate.string());
  check(SSL_CTX_use_PrivateKey_file(get(), identity.key.c_str(), SSL_FILETYPE_PEM), "load " + identity.key.string());
}

TlsContext TlsContext::client(const Identity* identity, const fs::path& trusted, TlsVersion version) {
  TlsContext made(SSL_CTX_new(TLS_client_method()), trusted, version);
  if (identity) made.use(*identity);
  SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER, nullptr);
  return made;
}

TlsContext TlsContext::server(const Identity& identity, const fs::path& trusted, TlsVersion version) {
  TlsContext made(SSL_CTX_new(TLS_server_method()), trusted, version);
  made.use(identity);
  SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_session_cache_mode(made.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(made.get(), 0);
  return made;
}

void TlsContext::allow_tls_1_1_only() {
  SSL_CTX_set_min_proto_version(get(), TLS1_1_VERSION);
  SSL_CTX_set_max_proto_version(get(), TLS1_1_VERSION);
  // TLS 1.1 signs with SHA-1, which OpenSSL 3 permits only at security level 0.
  SSL_CTX_set_security_level(get(), 0);
}

void TlsStream::Fd::reset() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

void TlsStream::Free::operator()(SSL* ssl) const { SSL_free(ssl); }

TlsStream::TlsStream(Fd fd, const TlsContext& context) : fd_(std::move(fd)), ssl_(SSL_new(context.get())) {
  fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
  const int yes = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  SSL_set_fd(ssl_.get(), fd_.get());
}

TlsStream TlsStream::open(const Endpoint& to, const TlsContext& context, Deadline deadline) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(to.port);
  check(inet_pton(AF_INET, to.host.c_str(), &address.sin_addr) == 1, to.host + " is not an IPv4 address");
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINPROGRESS) fail_errno("connect to " + to.text());
    pollfd p{fd.get(), POLLOUT, 0};
    if (poll(&p, 1, deadline.poll_timeout()) != 1) throw Failure("no answer to connect to " + to.text());
    socklen_t size = sizeof errno;
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &errno, &size);
    if (errno != 0) fail_errno("connect to " + to.text());
  }
  TlsStream stream(std::move(fd), context);
  SSL_set_connect_state(stream.ssl_.get());
  X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(stream.ssl_.get()), to.host.c_str());
  return stream;
}

void TlsStream::ask_for(const std::string& server_name) {
  check(SSL_set_tlsext_host_name(ssl_.get(), server_name.c_str()) == 1, "SNI");
}

TlsStream TlsStream::connect(const Endpoint& to, const TlsContext& context, Deadline deadline) {
  auto stream = open(to, context, deadline);
  stream.handshake(deadline);
  return stream;
}

TlsStream TlsStream::accept(int fd, const TlsContext& context) {
  TlsStream stream(Fd(fd), context);
  SSL_set_accept_state(stream.ssl_.get());
  return stream;
}

// Repeats `operation` until it succeeds, the connection ends or the deadline passes.
template <typename Operation>
TlsStream::Step TlsStream::drive(Operation operation, Deadline deadline) {
  for (;;) {
    ERR_clear_error();
    errno = 0;
    const int result = operation();
    if (result > 0) return Step::done;
    const int saved_errno = errno, error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      pollfd p{fd_.get(), static_cast<short>(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
      const int ready = poll(&p, 1, deadline.poll_timeout());
      if (ready == 0) return Step::late;
      continue;
    }
    const int reason = ERR_GET_REASON(ERR_peek_error());
    error_ = error == SSL_ERROR_SYSCALL ? std::strerror(saved_errno) : "";
    ending_ = {};
    if (error == SSL_ERROR_ZERO_RETURN) {
      ending_.how = Ending::close_notify;
    } else if (error == SSL_ERROR_SSL && reason > SSL_AD_REASON_OFFSET) {
      ending_.how = Ending::alert;
      ending_.alert_code = reason - SSL_AD_REASON_OFFSET;
    } else if (error == SSL_ERROR_SSL && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      ending_.how = Ending::fin;
    } else if (error == SSL_ERROR_SYSCALL) {
      ending_.how = saved_errno == ECONNRESET || saved_errno == EPIPE ? Ending::reset : Ending::fin;
    } else {
      throw Failure("TLS: " + openssl_errors());
    }
    error_ += openssl_errors();
    return Step::end;
  }
}

void TlsStream::fail(const std::string& what, Step step) const {
  if (step == Step::late) throw Failure(what + ": not before the deadline");
  throw Failure(what + ": the peer ended the connection by " + to_string(ending_.how) +
                (ending_.how == Ending::alert ? " " + std::to_string(ending_.alert_code) : "") + " (" + error_ + ")");
}

void TlsStream::begin_handshake() { SSL_do_handshake(ssl_.get()); }

void TlsStream::handshake(Deadline deadline) {
  const auto step = drive([&] { return SSL_do_handshake(ssl_.get()); }, deadline);
  if (step != Step::done) fail("handshake", step);
}

Ending TlsStream::refused_handshake(Deadline deadline) {
  auto step = drive([&] { return SSL_do_handshake(ssl_.get()); }, deadline);
  // A TLS 1.3 client finds out only when it reads.
  if (step == Step::done) step = read_into(buffer_, 1, deadline);
  if (step == Step::done) throw Failure("the handshake was not refused");
  if (step == Step::late) fail("refused handshake", step);
  return ending_;
}

void TlsStream::send(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    size_t sent = 0;
    const auto step = drive([&] { return SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent); }, deadline);
    if (step != Step::done) fail("send", step);
    bytes.remove_prefix(sent);
  }
}

size_t TlsStream::send_until_blocked(std::string_view bytes, std::chrono::milliseconds patience_of_peer) {
  const size_t all = bytes.size();
  while (!bytes.empty()) {
    size_t sent = 0;
    const auto step =
        drive([&] { return SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent); }, Deadline(patience_of_peer));
    if (step == Step::end) fail("send", step);
    if (step == Step::late) break;
    bytes.remove_prefix(sent);
  }
  return all - bytes.size();
}

TlsStream::Step TlsStream::read_into(std::string& out, size_t most, Deadline deadline) {
  std::string chunk(most, '\0');
  size_t got = 0;
  const auto step = drive([&] { return SSL_read_ex(ssl_.get(), chunk.data(), chunk.size(), &got); }, deadline);
  if (step == Step::done) out.append(chunk, 0, got);
  return step;
}

std::string TlsStream::read_some(size_t most, Deadline deadline) {
  if (buffer_.empty()) {
    const auto step = read_into(buffer_, std::max<size_t>(most, 16384), deadline);
    if (step != Step::done) fail("read", step);
  }
  auto out = buffer_.substr(0, most);
  buffer_.erase(0, out.size());
  return out;
}

std::string TlsStream::read_exactly(size_t size, Deadline deadline) {
  while (buffer_.size() < size) {
    const auto step = read_into(buffer_, 65536, deadline);
    if (step != Step::done) fail("read of " + std::to_string(size) + " bytes", step);
  }
  auto out = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return out;
}

mqtt::Packet TlsStream::read_packet(Deadline deadline) {
  mqtt::Packet packet{read_exactly(1, deadline), {}};
  size_t length = 0;
  for (int shift = 0;; shift += 7) {
    if (shift > 21) throw Failure("a packet's length has more than four bytes");
    packet.bytes += read_exactly(1, deadline);
    length |= static_cast<size_t>(packet.bytes.back() & 127) << shift;
    if (!(packet.bytes.back() & 128)) break;
  }
  packet.body = read_exactly(length, deadline);
  packet.bytes += packet.body;
  return packet;
}

Ending TlsStream::read_to_end(Deadline deadline) {
  for (;;) {
    const auto step = read_into(buffer_, 65536, deadline);
    if (step == Step::done) continue;
    if (step == Step::late) fail("waiting for the peer to end the connection", step);
    ending_.leftover = std::exchange(buffer_, {});
    return ending_;
  }
}

bool TlsStream::readable(std::chrono::milliseconds wait) {
  return !buffer_.empty() || read_into(buffer_, 65536, Deadline(wait)) == Step::done;
}

void TlsStream::close_notify_and_fin() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  shutdown(fd_.get(), SHUT_WR);
}

void TlsStream::fin() { shutdown(fd_.get(), SHUT_WR); }

void TlsStream::vanish() {
  const linger now{1, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd_.reset();
}

std::string TlsStream::version() const { return SSL_get_version(ssl_.get()); }
std::string TlsStream::cipher() const { return SSL_get_cipher_name(ssl_.get()); }

std::string TlsStream::server_name() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name ? name : "";
}

std::vector<std::string> TlsStream::peer_chain() const {
  std::vector<std::string> chain;
  const auto add = [&](X509* certificate) {
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate, &der);
    if (size > 0) chain.emplace_back(reinterpret_cast<char*>(der), static_cast<size_t>(size));
    OPENSSL_free(der);
  };
  // On the server's side OpenSSL keeps the leaf apart from the chain.
  if (SSL_is_server(ssl_.get())) {
    X509* leaf = SSL_get1_peer_certificate(ssl_.get());
    if (leaf) add(leaf);
    X509_free(leaf);
  }
  const auto* rest = SSL_get_peer_cert_chain(ssl_.get());
  for (int i = 0; rest && i < sk_X509_num(rest); ++i) add(sk_X509_value(rest, i));
  return chain;
}

}  // namespace harness
