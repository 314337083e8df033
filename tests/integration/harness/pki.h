// Certificates and keys for the tests, made by tests/pki/make. Devices are made once for a build folder and kept;
// servers' certificates name this process's own address and are made for each test.
#pragma once

#include <string>
#include <vector>

#include "tests/integration/harness/temp_dir.h"

namespace harness {

// A certificate chain and its key.
struct Identity {
  std::string name = {};  // the certificate's common name
  fs::path certificate = {}, key = {};
};

struct Authorities {
  fs::path root, device_ca;  // root signed device_ca and the servers; device_ca signed the devices
};

inline const std::vector<std::string> key_types = {"rsa2048", "p256", "p384", "ed25519"};

const Authorities& authorities();
// Another root, which nobody in the tests trusts unless told to.
const Authorities& strange_authorities();

// "p256", 3 → the device "p256-3"; the same for whoever asks again.
Identity device_identity(const std::string& type, int number);
// A P-256 device whose certificate has this name.
Identity device_named(const std::string& name);
// A device of the strange authority.
Identity strange_device(const std::string& type);

// A device whose certificate has expired.
Identity expired_device(const std::string& type);
// Writes the CRL of the device CA that revokes these.
void write_crl(const fs::path& file, const std::vector<Identity>& revoked, bool expired = false);

// Subject alternative names: own_address(), localhost and NAME.test.
Identity server_identity(const std::string& name, const std::string& type, const fs::path& directory);
Identity server_identity(const std::string& name, const std::string& type, const std::string& alternative_names,
                         const fs::path& directory, bool strange = false);

}  // namespace harness
