// Devices as they are: BearSSL and mbedTLS, the TLS of ESP8266 and of most other microcontrollers, with a receive
// buffer of so many bytes and max_fragment_length to say so. TLS 1.2 and P-256; blocking, with a deadline for each
// read.
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
  // Exactly so many; a Failure that names the library's error.
  virtual std::string read(size_t size) = 0;
};

enum class McuStack { bearssl, mbedtls };

// Connected, the handshake done. `buffer`: bytes of plaintext in a record, 2048 or 4096. A larger record is an error,
// as on the device. `server`: whose certificate the peer must have.
std::unique_ptr<McuDevice> mcu_device(McuStack stack, size_t buffer, const Endpoint& to, const Identity& identity,
                                      const Identity& server);

}  // namespace harness
