// A network namespace of the test's own (network_namespaces(7)), empty but for a loopback device that is down. It ends
// with its owner and with the processes and sockets in it. Root only.
#pragma once

#include <functional>

#include "common/fd.h"

namespace faults {

class NetworkNamespace {
 public:
  NetworkNamespace();

  int fd() const { return fd_.get(); }
  // For ProcessOptions::before_exec: runs the program in it.
  std::function<bool()> enter() const;
  // Runs `work` on a thread in it, and throws what that throws. Sockets that it makes, and threads that it starts,
  // belong there for good, whichever thread uses them.
  void run(const std::function<void()>& work) const;

 private:
  common::Fd fd_;
};

}  // namespace faults
