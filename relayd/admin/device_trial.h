// Tries one device's way to the remote brokers, step by step, each a check. Call them in this order: a step builds on
// what the ones before it found.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ipc/client.h"
#include "relayd/admin/check.h"
#include "relayd/admin/keyd_half.h"
#include "relayd/admin/loop.h"
#include "relayd/tls/device_proof.h"
#include "relayd/tls/file_chain.h"

namespace relayd::admin {

// The chain that the remote broker sees, and the one that the listener sees. They may be the same.
struct DeviceChains {
  std::string file;  // of the first; "": there is none
  tls::FileChain shown, own;
};

class DeviceTrial {
 public:
  // Neither chain has a problem. All of them must outlive this.
  DeviceTrial(const CheckContext& context, const std::string& client_id, const Plan& plan, const DeviceChains& chains);

  Check certificate();                   // what the broker sees, and for how long it is valid
  Check listener();                      // does one accept the device's chain?
  Check identity();                      // does that one accept the client id?
  Check presence(DeviceSigner* signer);  // does keyd accept the device? null: its key can't be used
  Check remote(bool connect);            // does each broker? `connect`: also its CONNECT

 private:
  struct Try {
    ipc::Origin origin;
    tls::DeviceProof proof;
  };
  Check listener_accepts(size_t nth);
  Check has_own_id(const Config::Listener& listener);
  std::optional<ipc::Status> look_up(const Try& attempt);  // nullopt: keyd did not answer
  Check judge(const std::optional<ipc::Status>& answer);
  Check try_broker(size_t nth, bool connect);
  Check too_late_for(size_t nth);

  const CheckContext& context_;
  const std::string& client_id_;
  const Plan& plan_;
  const DeviceChains& chains_;
  Loop loop_;
  ipc::Client keyd_;
  std::vector<size_t> accepted_by_;  // listeners
  std::vector<Try> tries_;           // one for each broker, if keyd signs
};

}  // namespace relayd::admin
