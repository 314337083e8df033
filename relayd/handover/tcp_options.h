// The TCP options of both legs of every session. The connector sets them on its connections to brokers, the supervisor
// on the listening sockets, from which the devices' connections inherit them on Linux.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace relayd {

// Sends small packets without delay and detects dead peers. A peer that vanished without a FIN is detected after
// 60 s + 4 * 15 s of silence (tcp(7)); the remote broker handles MQTT's keep alive. None of this can fail on a TCP
// socket.
inline void set_tcp_options(int socket) {
  const int on = 1, idle = 60, interval = 15, probes = 4;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

}  // namespace relayd
