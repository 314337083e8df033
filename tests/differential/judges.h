// Who is asked about a shape: the field's own validator, and the product's two doors.
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
  std::string why;  // of a refusal
};

// The shape's files, for the two command lines.
class CommandLines {
 public:
  CommandLines();
  void put(const Shape& shape);  // for what is asked next
  // `openssl verify`, as strict as the product says it is: -auth_level 2, and CRLs of every kind.
  Opinion openssl(const Shape& shape, Role role);
  // `mqtt-relay verify`, with a configuration.
  Opinion relayd(const Shape& shape, Role role);

 private:
  harness::TempDir folder_;
};

// A handshake between the product's TLS code and OpenSSL, over a socket pair: as the listener, whose signature a real
// keyd makes, and as a client of the remote broker.
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
