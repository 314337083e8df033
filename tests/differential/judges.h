// The judges of a shape: OpenSSL's validator, the product's command, and the product's handshakes.
#pragma once

#include <memory>
#include <string>

#include "tests/differential/shapes.h"
#include "tests/integration/harness/temp_dir.h"

namespace differential {

enum class Role { device, remote };
enum class Tls { v1_2, v1_3 };

struct Opinion {
  bool accepted = false;
  std::string why;  // reason for a refusal
};

// Writes a shape to files and asks both command lines.
class CommandLines {
 public:
  CommandLines();
  void put(const Shape& shape);  // for the calls that follow
  // `openssl verify` with the strictness that the product documents: -auth_level 2, and CRLs of every kind.
  Opinion openssl(const Shape& shape, Role role);
  // `mqtt-relay verify` with a configuration.
  Opinion relayd(const Shape& shape, Role role);

 private:
  harness::TempDir folder_;
};

// Handshakes between the product's TLS code and OpenSSL over a socket pair, with the product as the listener (a real
// keyd signs) and as a client of the remote broker.
class Handshakes {
 public:
  Handshakes();
  ~Handshakes();
  Opinion judge(const Shape& shape, Role role, Tls version);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace differential
