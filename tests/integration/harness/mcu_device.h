// Devices with BearSSL and mbedTLS, the TLS libraries of the ESP8266 and most other microcontrollers. Their receive
// buffer is small, and max_fragment_length announces its size. TLS 1.2 and P-256 only. Calls block, with a deadline for
// each read.
#pragma once

#include <memory>
#include <string>

#include "tests/integration/harness/address.h"
#include "tests/integration/harness/pki.h"

namespace harness {

class McuDevice {
 public:
  virtual ~McuDevice() = default;
  virtual void send(std::string_view bytes) = 0;
  // Reads exactly `size` bytes. Throws Failure with the library's error.
  virtual std::string read(size_t size) = 0;
};

enum class McuStack { bearssl, mbedtls };

// Connects and completes the handshake. `buffer`: plaintext bytes in a record, 2048 or 4096; a larger record is an
// error, as on the device. `server`: the certificate that the peer must show. `suite`: mbedTLS only, the cipher suite
// to offer, by its IANA number; 0: all that it has.
std::unique_ptr<McuDevice> mcu_device(McuStack stack, size_t buffer, const Endpoint& to, const Identity& identity,
                                      const Identity& server, int suite = 0);

}  // namespace harness
