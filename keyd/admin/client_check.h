// keyd's half of `mqtt-relay check --client`: can keyd use the key of this one device, and is it the key of the
// certificate that the remote broker will see?
#pragma once

#include <string>
#include <vector>

#include "common/operator/checks.h"
#include "keyd/admin/key_room.h"

namespace keyd::admin {

struct ClientCheckOptions {
  std::string client_id;
  std::string certificate;  // the file; "": not known
};

// Named key and key-certificate. `pem`: the certificate file's text; `problem`: why it could not be read.
std::vector<common::Check> check_client(const ClientCheckOptions& options, const Settings& settings, KeyReader& reader,
                                        const std::string& pem, const std::string& problem);

}  // namespace keyd::admin
