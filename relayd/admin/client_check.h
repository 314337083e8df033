// relayd's half of `mqtt-relay check --client`: would this one device get through to the remote broker, with this
// certificate, now?
//
// Judges the device's chain as the listeners do, then connects to each remote broker as the device, with keyd's
// signature (stand_in.h). Sends a CONNECT only if asked to: at the broker, it takes over the device's session.
#pragma once

#include <string>
#include <vector>

#include "relayd/admin/check.h"
#include "relayd/admin/keyd_half.h"

namespace relayd::admin {

struct DeviceToCheck {
  std::string client_id;
  std::string certificate;  // the file with the chain that the device shows the listener; "": not given
  std::string pem;          // its text
  DeviceSigner* signer;     // null: its key can't be used, as keyd's half says
  bool connect = false;     // also CONNECT, as MQTT 5.0
};

// Of remote.certs_dir; "" if devices' own certificates are shown (remote.certificate "peer").
std::string certificate_file(const Config& config, const std::string& client_id);

// Needs one signature of the signer for each remote broker.
std::vector<Check> check_client(const CheckOptions& options, const DeviceToCheck& device);

}  // namespace relayd::admin
