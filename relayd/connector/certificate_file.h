// One file of remote.certs_dir: CLIENTID.crt, the certificate chain that a device's session shows the remote broker.
//
// Whoever writes to the directory may put anything there. A regular file is read, of at most
// channel::kMaxCertificateFile bytes, and a link is followed only beneath the directory, as all names are links in a
// volume of Kubernetes. What holds a private key, or is not PEM text and so may be one, never leaves this process.
#pragma once

#include <string>

#include "common/fd.h"
#include "relayd/handover/channel.h"

namespace relayd::connector {

// For reading what is beneath it, with O_PATH. Throws std::system_error, which names it. The descriptor stays with this
// directory, also when another one takes its place.
common::Fd open_certificates(const std::string& certs_dir);

// Reads the file now; nothing is cached. Blocks for as long as the file system does: not for the loop's thread.
// `client_id`: ipc::can_name_a_key().
channel::CertificateAnswer read_certificate(int directory, const std::string& client_id);

}  // namespace relayd::connector
