#include "relayd/connector/proxy_tunnel.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "relayd/connector/http_connect.h"
#include "relayd/connector/socks5.h"

namespace relayd::connector {

std::unique_ptr<ProxyTalk> ask_proxy(const ProxyAccess& proxy, const Config::Endpoint& broker) {
  if (proxy.settings.type == Config::Proxy::Type::http) return std::make_unique<HttpConnect>(broker, proxy.credentials);
  return std::make_unique<Socks5>(broker, proxy.credentials);
}

ProxyTunnel::ProxyTunnel(uv_loop_t* loop, int socket, std::unique_ptr<ProxyTalk> talk, common::Milliseconds budget,
                         void* owner, Done done)
    : socket_(socket),
      talk_(std::move(talk)),
      unsent_(talk_->take_request()),
      owner_(owner),
      done_(done),
      deadline_(loop, this, common::call<&ProxyTunnel::too_late>),
      poll_(std::make_unique<common::Poll>(loop, socket, this, common::call<&ProxyTunnel::on_ready>)) {
  deadline_.start(budget);
  poll_->watch(UV_WRITABLE);
}

ProxyTunnel::~ProxyTunnel() { poll_.reset(); }

void ProxyTunnel::on_ready(int events) {
  if (events & UV_WRITABLE) send();
  else if (events & UV_READABLE) receive();
}

void ProxyTunnel::send() {
  const ssize_t sent = ::send(socket_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (sent < 0) return end(std::string("ended the connection: ") + strerror(errno));
  unsent_.erase(0, static_cast<size_t>(sent));
  if (unsent_.empty()) poll_->watch(UV_READABLE);
}

// Looks first and takes only what the proxy has said itself: what follows is for the worker.
void ProxyTunnel::receive() {
  std::array<uint8_t, 2048> bytes;
  const ssize_t got = ::recv(socket_, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return end(std::string("ended the connection: ") + strerror(errno));
  if (got == 0) return end("closed the connection without an answer");
  const size_t own = talk_->feed(std::span(bytes).first(static_cast<size_t>(got)));
  if (::recv(socket_, bytes.data(), own, MSG_DONTWAIT) != static_cast<ssize_t>(own))
    return end(std::string("can't be read: ") + strerror(errno));
  switch (talk_->state()) {
    case ProxyTalk::State::open: return end("");
    case ProxyTalk::State::refused: return end(talk_->why());
    case ProxyTalk::State::talking: unsent_ += talk_->take_request();
  }
  if (!unsent_.empty()) poll_->watch(UV_WRITABLE);
}

void ProxyTunnel::end(const std::string& problem) {
  deadline_.stop();
  poll_.reset();
  const std::string text = problem;  // the owner may destroy this, and the talk with it
  done_(owner_, text);
}

}  // namespace relayd::connector
