// Certificates and keys for the tests, made by tests/pki/make. Devices are made once per build directory and kept.
// Servers' certificates contain this process's own address, so each test makes its own.
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
  fs::path root, device_ca;  // root signed device_ca and the servers' certificates; device_ca signed the devices'
};

inline const std::vector<std::string> key_types = {"rsa2048", "p256", "p384", "ed25519"};

const Authorities& authorities();
// Another root, which no test trusts unless it says so.
const Authorities& strange_authorities();

// "p256", 3 → the device "p256-3"; every call with the same arguments returns the same device.
Identity device_identity(const std::string& type, int number);
// A P-256 device with this common name.
Identity device_named(const std::string& name);
// A device whose certificate the strange authority signed.
Identity strange_device(const std::string& type);

// A device with an expired certificate.
Identity expired_device(const std::string& type);
// Writes a CRL of the device CA that revokes these devices.
void write_crl(const fs::path& file, const std::vector<Identity>& revoked, bool expired = false);

// Subject alternative names: own_address(), localhost and NAME.test.
Identity server_identity(const std::string& name, const std::string& type, const fs::path& directory);
Identity server_identity(const std::string& name, const std::string& type, const std::string& alternative_names,
                         const fs::path& directory, bool strange = false);

}  // namespace harness
