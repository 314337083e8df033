// A name server for tests, and a resolv.conf that only the program under test sees: the test controls what relayd's
// getaddrinfo(3) returns. It gives the same A and AAAA answer for every name, over UDP, on port 53 of a loopback
// address. Root only.
#pragma once

#include <netinet/in.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/temp_dir.h"

namespace faults {

class DnsServer {
 public:
  explicit DnsServer(const std::string& address);
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  // IPv4 and IPv6 addresses, answered in this order; empty: the name exists without an address.
  void answer(const std::vector<std::string>& addresses);
  void fail();       // SERVFAIL
  void be_silent();  // no answer at all

  // The number of questions so far, and a wait for more: once they came, relayd has seen the answer set before.
  size_t questions();
  void wait_questions(size_t count, harness::Deadline deadline = harness::patience());

  // For ProcessOptions::before_exec: enters a mount namespace in which this is the only name server.
  std::function<bool()> resolv_conf() const;

 private:
  enum class Mood { answers, fails, silent };
  void run(const std::stop_token& stop);
  std::string reply_to(const std::string& query);

  harness::TempDir directory_;
  int fd_ = -1;
  std::mutex mutex_;  // guards the members below
  std::condition_variable asked_;
  size_t questions_ = 0;
  Mood mood_ = Mood::answers;
  std::vector<in_addr> v4_;
  std::vector<in6_addr> v6_;
  std::jthread thread_;
};

}  // namespace faults
