// Stands in for a device towards keyd: makes the proof of presence with which keyd signs towards the remote broker.
//
// Both ends of a TLS 1.3 handshake run in this process: the listener's, for which keyd signs, and the device's, for
// which a DeviceSigner does. The listener's end has the configuration's certificates, CAs and CRLs, so it refuses what
// relayd would refuse. No byte of it comes from a network.
#pragma once

#include <memory>
#include <string>

#include "common/units.h"
#include "ipc/client.h"
#include "relayd/admin/loop.h"
#include "relayd/tls/context.h"
#include "relayd/tls/device_proof.h"

namespace relayd::admin {

class StandIn {
 public:
  struct Shown {
    tls::DeviceProof proof;  // empty also if keyd wants none
    std::string problem;     // why the handshake failed; "": it did not
  };

  // `signer`: from a DeviceSigner. The loop and keyd's client must outlive this.
  StandIn(Loop& loop, ipc::Client& keyd, common::Fd signer);
  ~StandIn();

  // One handshake of the device. Runs the loop until it has ended, at most for `patience`.
  Shown connect(const tls::ServerOptions& listener, const tls::CertificateChain& chain, const std::string& client_id,
                const ipc::Origin& origin, common::Milliseconds patience);

 private:
  class Source;
  class Ends;
  Loop& loop_;
  ipc::Client& keyd_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<ipc::Client> signer_;
};

}  // namespace relayd::admin
