#include "tests/bench/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace bench {
namespace {

constexpr size_t kReceive = 262'144;
constexpr size_t kPatientATurn = 4, kAcceptedATurn = 8;

void require(bool done, const std::string& what) {
  if (!done) throw Failure(what + " failed");
}

sockaddr_in socket_address(const Address& address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(address.port);
  require(inet_pton(AF_INET, address.host.c_str(), &in.sin_addr) == 1, "reading the address " + address.host);
  return in;
}

common::Fd tcp_socket() {
  common::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) fail_errno("socket");
  return fd;
}

void no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

std::string tls_error(int code) { return wolfSSL_ERR_reason_error_string(static_cast<unsigned long>(code)); }

int trust(int, WOLFSSL_X509_STORE_CTX*) { return 1; }

Context make_context(WOLFSSL_METHOD* method, std::vector<int> groups, const std::string& chain,
                     const std::string& key) {
  static const bool initialised = wolfSSL_Init() == WOLFSSL_SUCCESS;
  Context context(wolfSSL_CTX_new(method), wolfSSL_CTX_free);
  const auto bytes = [](const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); };
  const char* const suites = "TLS13-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
  require(initialised && context && wolfSSL_CTX_SetMinVersion(context.get(), WOLFSSL_TLSV1_2) == WOLFSSL_SUCCESS &&
              wolfSSL_CTX_set_cipher_list(context.get(), suites) == WOLFSSL_SUCCESS &&
              wolfSSL_CTX_set_groups(context.get(), groups.data(), static_cast<int>(groups.size())) == WOLFSSL_SUCCESS,
          "configuring TLS");
  require(wolfSSL_CTX_use_certificate_chain_buffer_format(context.get(), bytes(chain), static_cast<long>(chain.size()),
                                                          WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS &&
              wolfSSL_CTX_use_PrivateKey_buffer(context.get(), bytes(key), static_cast<long>(key.size()),
                                                WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS,
          "reading a certificate and its key");
  return context;
}

void put_length(std::vector<uint8_t>& out, size_t length) {
  do {
    out.push_back(static_cast<uint8_t>((length & 127) | (length > 127 ? 128 : 0)));
    length >>= 7;
  } while (length > 0);
}

void put_string(std::vector<uint8_t>& out, const std::string& text) {
  out.push_back(static_cast<uint8_t>(text.size() >> 8));
  out.push_back(static_cast<uint8_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
}

}  // namespace

void fail_errno(const std::string& what) { throw Failure(what + ": " + strerror(errno)); }

Address parse_address(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) throw Failure("'" + text + "' is not an address such as 127.0.0.1:8883");
  return {text.substr(0, colon), static_cast<uint16_t>(std::stoul(text.substr(colon + 1)))};
}

Context client_context(const std::string& version, const std::string& chain, const std::string& key) {
  Context context = make_context(version == "1.2" ? wolfTLSv1_2_client_method() : wolfTLSv1_3_client_method(),
                                 {WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1}, chain, key);
  wolfSSL_CTX_set_verify(context.get(), WOLFSSL_VERIFY_NONE, nullptr);
  return context;
}

Context server_context(bool mlkem, const std::string& chain, const std::string& key) {
  std::vector<int> groups{WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1};
#ifdef WOLFSSL_HAVE_MLKEM
  if (mlkem) groups.insert(groups.begin(), WOLFSSL_X25519MLKEM768);
#else
  if (mlkem) throw Failure("this wolfSSL has no ML-KEM");
#endif
  Context context = make_context(wolfSSLv23_server_method(), groups, chain, key);
  wolfSSL_CTX_set_verify(context.get(), WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, trust);
  return context;
}

Loop::Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) fail_errno("epoll_create1");
}

void Loop::turn(std::chrono::nanoseconds timeout) {
  std::array<epoll_event, 256> events;
  const timespec wait{timeout.count() / 1'000'000'000, timeout.count() % 1'000'000'000};
  const int count = epoll_pwait2(epoll_.get(), events.data(), events.size(), &wait, nullptr);
  if (count < 0 && errno != EINTR) fail_errno("epoll_pwait2");
  std::array<int, kPatientATurn> patient;
  size_t waiting = 0;
  for (int i = 0; i < count; i++) {
    auto* const watched = static_cast<Watched*>(events[i].data.ptr);
    if (!watched->patient()) watched->handle(events[i].events);
    else if (waiting < patient.size()) patient[waiting++] = i;
  }
  for (size_t i = 0; i < waiting; i++)
    static_cast<Watched*>(events[patient[i]].data.ptr)->handle(events[patient[i]].events);
  dead_.clear();
}

Endpoint::Endpoint(Loop& loop, common::Fd fd, WOLFSSL_CTX* context, bool server)
    : loop_(loop), fd_(std::move(fd)), ssl_(wolfSSL_new(context), wolfSSL_free), server_(server) {
  require(ssl_ != nullptr, "wolfSSL_new");
  wolfSSL_SSLSetIORecv(ssl_.get(), give);
  wolfSSL_SSLSetIOSend(ssl_.get(), take);
  wolfSSL_SetIOReadCtx(ssl_.get(), this);
  wolfSSL_SetIOWriteCtx(ssl_.get(), this);
  require(server || wolfSSL_version(ssl_.get()) != TLS1_3_VERSION ||
              wolfSSL_UseKeyShare(ssl_.get(), WOLFSSL_ECC_X25519) == WOLFSSL_SUCCESS,
          "making a key share");
  no_delay(fd_.get());
  watches_writable_ = !server;  // a client begins when its socket is connected
  epoll_event event{};
  event.events = EPOLLIN | (watches_writable_ ? EPOLLOUT : 0u);
  event.data.ptr = static_cast<Watched*>(this);
  if (epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_ADD, fd_.get(), &event) != 0) fail_errno("epoll_ctl");
}

int Endpoint::give(WOLFSSL*, char* to, int size, void* self) {
  Bytes& in = static_cast<Endpoint*>(self)->in_;
  if (in.empty()) return WOLFSSL_CBIO_ERR_WANT_READ;
  const size_t given = std::min(in.size(), static_cast<size_t>(size));
  memcpy(to, in.data(), given);
  in = in.subspan(given);
  return static_cast<int>(given);
}

int Endpoint::take(WOLFSSL*, char* from, int size, void* self) {
  std::vector<char>& out = static_cast<Endpoint*>(self)->out_;
  out.insert(out.end(), from, from + size);
  return size;
}

void Endpoint::watch(bool writable) {
  if (writable == watches_writable_ || closed()) return;
  watches_writable_ = writable;
  epoll_event event{};
  event.events = EPOLLIN | (writable ? EPOLLOUT : 0u);
  event.data.ptr = static_cast<Watched*>(this);
  epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_MOD, fd_.get(), &event);
}

void Endpoint::handle(uint32_t events) {
  if (closed()) return;
  if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) receive();
  else if (state_ == State::handshaking) advance();
  if (!closed()) flush();
}

void Endpoint::receive() {
  static std::array<uint8_t, kReceive> buffer;
  const ssize_t got = recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return lost(strerror(errno));
  if (got == 0) return lost("closed by the peer");
  in_ = {buffer.data(), static_cast<size_t>(got)};
  advance();
}

// Takes all of in_: TLS asks for more only when it has none.
void Endpoint::advance() {
  if (state_ == State::handshaking) {
    const int done = server_ ? wolfSSL_accept(ssl_.get()) : wolfSSL_connect(ssl_.get());
    if (done != WOLFSSL_SUCCESS) {
      const int error = wolfSSL_get_error(ssl_.get(), done);
      if (error == WOLFSSL_ERROR_WANT_READ) return;
      flush();
      return lost("the TLS handshake failed: " + tls_error(error));
    }
    state_ = State::open;
    on_open();
  }
  static std::array<uint8_t, 16'384> plain;
  while (!closed()) {
    const int got = wolfSSL_read(ssl_.get(), plain.data(), static_cast<int>(plain.size()));
    if (got > 0) {
      split({plain.data(), static_cast<size_t>(got)});
      continue;
    }
    const int error = wolfSSL_get_error(ssl_.get(), got);
    if (error == WOLFSSL_ERROR_WANT_READ) return;
    return lost(error == WOLFSSL_ERROR_ZERO_RETURN ? "closed by the peer" : "TLS failed: " + tls_error(error));
  }
}

// The size of the packet's header, 0 if it is not complete, and the size of its body.
size_t Endpoint::header(Bytes bytes, size_t& body) const {
  body = 0;
  for (size_t i = 1; i < bytes.size() && i < 5; i++) {
    body |= static_cast<size_t>(bytes[i] & 127) << (7 * (i - 1));
    if (bytes[i] < 128) return i + 1;
  }
  return 0;
}

void Endpoint::split(Bytes bytes) {
  while (!closed() && !bytes.empty()) {
    if (skip_ > 0) {
      const size_t gone = std::min(skip_, bytes.size());
      bytes = bytes.subspan(gone);
      if ((skip_ -= gone) == 0) on_packet(skipped_, {});
      continue;
    }
    if (!part_.empty()) {  // complete it, byte by byte while its size is unknown
      size_t body = 0, head = header(part_, body);
      const size_t missing = head == 0 ? 1 : head + body - part_.size(), taken = std::min(missing, bytes.size());
      part_.insert(part_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(taken));
      bytes = bytes.subspan(taken);
      head = header(part_, body);
      if (head > 0 && body > kLargestBody) {
        skip_ = head + body - part_.size();
        skipped_ = part_[0];
        part_.clear();
      } else if (head > 0 && part_.size() == head + body) {
        const std::vector<uint8_t> whole = std::move(part_);
        part_.clear();
        on_packet(whole[0], Bytes(whole).subspan(head));
      }
      continue;
    }
    size_t body = 0;
    const size_t head = header(bytes, body);
    if (head > 0 && bytes.size() >= head + body) {
      on_packet(bytes[0], bytes.subspan(head, body));
      bytes = bytes.subspan(head + body);
    } else if (head > 0 && body > kLargestBody) {
      skip_ = head + body - bytes.size();
      skipped_ = bytes[0];
      return;
    } else {
      part_.assign(bytes.begin(), bytes.end());
      return;
    }
  }
}

void Endpoint::write(Bytes packet) {
  if (closed()) return;
  const int done = wolfSSL_write(ssl_.get(), packet.data(), static_cast<int>(packet.size()));
  if (done <= 0) lost("TLS failed: " + tls_error(wolfSSL_get_error(ssl_.get(), done)));
}

void Endpoint::flush() {
  while (!closed() && unsent() > 0) {
    const ssize_t done = send(fd_.get(), out_.data() + sent_, unsent(), MSG_NOSIGNAL);
    if (done < 0 && errno == EAGAIN) return watch(true);
    if (done < 0) return lost(strerror(errno));
    sent_ += static_cast<size_t>(done);
    if (unsent() > 0) return watch(true);
    sent_ = 0;
    out_.clear();
    if (state_ != State::open) continue;
    on_drained();
    if (unsent() > 0) return watch(true);  // other connections have their turn first
  }
  watch(false);
}

void Endpoint::close() {
  if (closed()) return;
  if (state_ == State::open) wolfSSL_shutdown(ssl_.get());
  flush();
  state_ = State::closed;
  fd_.reset();
}

void Endpoint::lost(const std::string& why) {
  if (closed()) return;
  state_ = State::closed;
  fd_.reset();
  on_closed(why);
}

Listener::Listener(Loop& loop, const Address& address) : fd_(tcp_socket()) {
  const sockaddr_in in = socket_address(address);
  const int on = 1;
  setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd_.get(), reinterpret_cast<const sockaddr*>(&in), sizeof in) != 0 || listen(fd_.get(), 4096) != 0)
    fail_errno("listening on " + address.host + ":" + std::to_string(address.port));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = static_cast<Watched*>(this);
  if (epoll_ctl(loop.epoll_.get(), EPOLL_CTL_ADD, fd_.get(), &event) != 0) fail_errno("epoll_ctl");
}

uint16_t Listener::port() const {
  sockaddr_in in{};
  socklen_t size = sizeof in;
  getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&in), &size);
  return ntohs(in.sin_port);
}

void Listener::handle(uint32_t) {
  for (size_t i = 0; i < kAcceptedATurn; i++) {
    common::Fd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) on_accepted(std::move(fd));
    else if (errno == EAGAIN || errno == ECONNABORTED) return;
    else if (errno != EINTR) fail_errno("accept4");
  }
}

common::Fd connect_to(const Address& address, size_t number) {
  common::Fd fd = tcp_socket();
  if (address.host.starts_with("127.")) {
    const sockaddr_in own = socket_address({"127.255.0." + std::to_string(1 + number / 4096 % 250), 0});
    const int on = 1;
    if (setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
        bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
      fail_errno("bind");
  }
  const sockaddr_in in = socket_address(address);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&in), sizeof in) != 0 && errno != EINPROGRESS)
    fail_errno("connecting to " + address.host + ":" + std::to_string(address.port));
  return fd;
}

std::vector<uint8_t> connect_packet(const std::string& client_id) {
  std::vector<uint8_t> body{0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0x0E, 0x10}, out{kConnect};  // keep-alive 1 h
  put_string(body, client_id);
  put_length(out, body.size());
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

std::vector<uint8_t> publish_packet(const std::string& topic, int qos, uint16_t id, size_t payload) {
  std::vector<uint8_t> out{static_cast<uint8_t>(kPublish | qos << 1)};
  put_length(out, 2 + topic.size() + (qos > 0 ? 2 : 0) + payload);
  put_string(out, topic);
  if (qos > 0) out.insert(out.end(), {static_cast<uint8_t>(id >> 8), static_cast<uint8_t>(id)});
  out.insert(out.end(), payload, 'x');
  return out;
}

std::vector<uint8_t> publish_packet(const std::string& topic, const std::string& payload) {
  std::vector<uint8_t> out{kPublish};
  put_length(out, 2 + topic.size() + payload.size());
  put_string(out, topic);
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

}  // namespace bench
