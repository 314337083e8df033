#include "tests/faults/network_namespace.h"

#include <fcntl.h>
#include <sched.h>

#include <exception>
#include <thread>

#include "tests/integration/harness/deadline.h"

namespace faults {
namespace {

void on_a_thread(const std::function<void()>& work) {
  std::exception_ptr failure;
  std::thread([&] {
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

NetworkNamespace::NetworkNamespace() {
  on_a_thread([this] {
    if (unshare(CLONE_NEWNET) != 0) harness::fail_errno("make a network namespace");
    fd_.reset(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!fd_) harness::fail_errno("open the network namespace");
  });
}

std::function<bool()> NetworkNamespace::enter() const {
  return [where = fd()] { return setns(where, CLONE_NEWNET) == 0; };
}

void NetworkNamespace::run(const std::function<void()>& work) const {
  on_a_thread([&] {
    if (!enter()()) harness::fail_errno("enter the network namespace");
    work();
  });
}

}  // namespace faults
