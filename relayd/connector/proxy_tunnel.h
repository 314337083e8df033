// Speaks with the proxy on a connected socket until it passes bytes on (proxy_talk.h). Reads no byte of the broker.
// Loop thread only.
#pragma once

#include <uv.h>

#include <memory>
#include <string>

#include "common/poll.h"
#include "common/uv.h"
#include "relayd/connector/proxy_talk.h"

namespace relayd::connector {

class ProxyTunnel {
 public:
  // Called once from the loop, never from the constructor; the owner may destroy the tunnel in it. `problem`: what the
  // proxy did, as ProxyTalk::why(); "": the tunnel is open.
  using Done = void (*)(void* owner, const std::string& problem);

  // `socket` is non-blocking and must outlive it. `budget`: until the tunnel is open.
  ProxyTunnel(uv_loop_t* loop, int socket, std::unique_ptr<ProxyTalk> talk, common::Milliseconds budget, void* owner,
              Done done);
  ~ProxyTunnel();
  ProxyTunnel(const ProxyTunnel&) = delete;
  ProxyTunnel& operator=(const ProxyTunnel&) = delete;

 private:
  void on_ready(int events);
  void send();
  void receive();
  void too_late() { end("gave no answer in time"); }
  void end(const std::string& problem);

  const int socket_;
  const std::unique_ptr<ProxyTalk> talk_;
  std::string unsent_;
  void* owner_;
  Done done_;
  common::Timer deadline_;
  std::unique_ptr<common::Poll> poll_;
};

}  // namespace relayd::connector
