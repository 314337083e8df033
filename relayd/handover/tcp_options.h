// The TCP options of both legs of every session. The connector sets them on its connections to brokers, the supervisor
// on the listening sockets, from which the devices' connections inherit them on Linux.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdint>

namespace relayd {

constexpr int kLocalPortRange = 51;  // IP_LOCAL_PORT_RANGE, missing in the headers of older systems

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

// Lets the connection that this socket will make take any local port that is free. By default Linux tries only every
// second port at first, so with about 14,000 connections to one address each further connect(2) tries 14,000 used ports
// before a free one. On a socket that has a range of its own, Linux 6.8 and later try all ports in turn. This range's
// bounds lie outside the machine's net.ipv4.ip_local_port_range, so neither has an effect (ip(7)), also if an operator
// changes that range.
//
// This must never make ports easier to guess. The kernel still begins at an offset made of a secret and the two
// addresses (RFC 6056), advances by a random step, and avoids net.ipv4.ip_local_reserved_ports.
//
// Where the option is missing, before Linux 6.3, or changes nothing, before 6.8, connect(2) works as by default.
inline void use_any_local_port(int socket) {
  const uint32_t low = 1, high = UINT16_MAX, range = high << 16 | low;
  setsockopt(socket, IPPROTO_IP, kLocalPortRange, &range, sizeof range);
}

}  // namespace relayd
