// One datagram between two of our own processes, with a descriptor attached or without (SCM_RIGHTS, unix(7)). Neither
// direction waits.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <span>
#include <string_view>

#include "common/fd.h"

namespace common {

// `attached`: -1 for none; it stays the caller's. False: errno says why, EAGAIN if the peer's queue is full.
bool send_datagram(int socket, std::string_view bytes, int attached = -1);
// Of a send that failed: the peer has closed its end, and reads nothing more.
constexpr bool peer_has_ended(int error) { return error == EPIPE || error == ECONNRESET; }

// As recv(2): the size, 0 at the peer's end, -1 with errno. `attached` gets the first descriptor that came
// along, close-on-exec, or becomes empty; there are no others.
ssize_t receive_datagram(int socket, std::span<char> into, Fd& attached);

}  // namespace common
