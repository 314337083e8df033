#include "tests/integration/harness/raw_tls.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace harness {

std::vector<Record> take_records(std::string& bytes) {
  constexpr size_t kHeader = 5;
  std::vector<Record> records;
  size_t at = 0;
  for (;;) {
    if (bytes.size() - at < kHeader) break;
    const size_t size = static_cast<uint8_t>(bytes[at + 3]) * 256u + static_cast<uint8_t>(bytes[at + 4]);
    if (bytes.size() - at < kHeader + size) break;
    records.push_back({static_cast<uint8_t>(bytes[at]), bytes.substr(at, kHeader), bytes.substr(at + kHeader, size)});
    at += kHeader + size;
  }
  bytes.erase(0, at);
  return records;
}

std::string record(uint8_t type, std::string_view body) {
  std::string bytes{static_cast<char>(type), 3, 3, static_cast<char>(body.size() >> 8), static_cast<char>(body.size())};
  return bytes.append(body);
}

std::string cut_handshake(std::string bytes, size_t size) {
  std::string out;
  bool plain = true;
  for (const auto& whole : take_records(bytes)) {
    plain = plain && whole.type == record_type::handshake;
    if (!plain) {
      out += whole.bytes();
      continue;
    }
    for (size_t at = 0; at < whole.body.size(); at += size) out += record(whole.type, whole.body.substr(at, size));
  }
  return out + bytes;
}

// ---- the socket -----------------------------------------------------------------------------------------------------

RawSocket::RawSocket(const Endpoint& to) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(to.port);
  inet_pton(AF_INET, to.host.c_str(), &address.sin_addr);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail_errno("connect to " + to.text());
  const int yes = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

RawSocket::~RawSocket() {
  if (fd_ >= 0) close(fd_);
}

void RawSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) fail_errno("send");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string RawSocket::receive(Deadline deadline) {
  pollfd p{fd_, POLLIN, 0};
  if (poll(&p, 1, deadline.poll_timeout()) != 1) throw Failure("the peer sent nothing before the deadline");
  std::string bytes(65536, '\0');
  const ssize_t got = recv(fd_, bytes.data(), bytes.size(), 0);
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

std::string RawSocket::receive_to_end(Deadline deadline) {
  std::string all;
  for (std::string some; !(some = receive(deadline)).empty();) all += some;
  return all;
}

// ---- TLS ------------------------------------------------------------------------------------------------------------

void RawTls::Free::operator()(SSL* ssl) const { SSL_free(ssl); }

RawTls::RawTls(RawSocket socket, const TlsContext& context, bool server)
    : socket_(std::move(socket)), ssl_(SSL_new(context.get())) {
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(in, -1);
  BIO_set_mem_eof_return(out, -1);
  SSL_set_bio(ssl_.get(), in, out);
  server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
}

std::string RawTls::pending_output() {
  BIO* out = SSL_get_wbio(ssl_.get());
  std::string bytes(BIO_ctrl_pending(out), '\0');
  if (!bytes.empty()) BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

std::string RawTls::step() {
  ERR_clear_error();
  SSL_do_handshake(ssl_.get());
  return pending_output();
}

std::string RawTls::encrypt(std::string_view plain) {
  while (!plain.empty()) {  // OpenSSL writes one record at a time
    size_t written = 0;
    if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1) throw Failure("SSL_write_ex");
    plain.remove_prefix(written);
  }
  return pending_output();
}

std::string RawTls::flight_and_data(std::string_view plain) {
  char nothing = 0;
  size_t size = 0;
  // OpenSSL lets a server send early only after it has looked for early data, even though it accepts none.
  if (SSL_read_early_data(ssl_.get(), &nothing, 1, &size) != SSL_READ_EARLY_DATA_FINISH ||
      SSL_write_early_data(ssl_.get(), plain.data(), plain.size(), &size) != 1)
    throw Failure("OpenSSL sends no 0.5-RTT data");
  return pending_output();
}

void RawTls::feed(std::string_view bytes) {
  BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
  partial_ += bytes;
  for (auto& one : take_records(partial_)) seen_.push_back(std::move(one));
}

bool RawTls::receive(Deadline deadline) {
  const auto bytes = socket_.receive(deadline);
  feed(bytes);
  return !bytes.empty();
}

bool RawTls::done() const { return SSL_is_init_finished(ssl_.get()); }

void RawTls::handshake(const std::function<std::string(std::string)>& rewrite) {
  for (;;) {
    const auto out = step();
    if (!out.empty()) socket_.send(rewrite ? rewrite(out) : out);
    if (done()) return;
    if (ERR_peek_error() != 0) throw Failure(std::string("handshake: ") + ERR_reason_error_string(ERR_peek_error()));
    if (!receive()) throw Failure("the peer ended the handshake");
  }
}

std::string RawTls::read(size_t size, Deadline deadline) {
  std::string all;
  while (all.size() < size) {
    char bytes[16384];
    size_t got = 0;
    ERR_clear_error();
    if (SSL_read_ex(ssl_.get(), bytes, std::min(sizeof bytes, size - all.size()), &got) == 1) all.append(bytes, got);
    else if (ERR_peek_error() != 0) throw Failure(std::string("read: ") + ERR_reason_error_string(ERR_peek_error()));
    else if (!receive(deadline)) throw Failure("the peer ended the connection");
  }
  return all;
}

int RawTls::alert(Deadline deadline) {
  for (;;) {
    char bytes[16384];
    size_t got = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), bytes, sizeof bytes, &got);
    if (const int reason = ERR_GET_REASON(ERR_peek_error()); reason > SSL_AD_REASON_OFFSET)
      return reason - SSL_AD_REASON_OFFSET;
    if (const auto out = pending_output(); !out.empty()) socket_.send(out);
    if (result != 1 && (ERR_peek_error() != 0 || !receive(deadline))) return 0;
  }
}

}  // namespace harness
