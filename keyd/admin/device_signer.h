// Signs as a device does in its own handshake with the listener, so that `mqtt-relay check --client` can show keyd the
// proof of presence (vault/presence.h) that only a holder of the device's key can make.
//
// Serves keyd's protocol on one end of a pair of sockets: HELLO, and SIGN of the device's TLS 1.3 CertificateVerify.
// Nothing else is signed, and no more often than asked for. The key never leaves this process, which reads nothing that
// comes from a network.
#pragma once

#include <string>

#include "keyd/admin/key_room.h"

namespace keyd::admin {

struct DeviceSignerOptions {
  std::string client_id;
  size_t signatures = 1;
};

// `socket`: SOCK_SEQPACKET, connected. Returns when all signatures are made, or when the other end is closed. Throws
// std::runtime_error if the key can't be read, or if no request comes for 180 s.
void sign_as_device(const ConfiguredPath& keys_dir, KeyReader& reader, const DeviceSignerOptions& options, int socket);

}  // namespace keyd::admin
