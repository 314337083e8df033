// A name server of a test's own, and a resolv.conf that only the program it is meant for sees: what relayd's
// getaddrinfo(3) is told changes when the test says so.
//
// It answers A and AAAA for every name alike, over UDP, on port 53 of a loopback address: root only.
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

  // IPv4 and IPv6 addresses, in the order in which they are given; none: the name exists, without an address.
  void answer(const std::vector<std::string>& addresses);
  void fail();       // SERVFAIL
  void be_silent();  // no answer at all

  // Questions that came so far, and a wait for more of them: whoever asks has then seen what was set before.
  size_t questions();
  void wait_questions(size_t count, harness::Deadline deadline = harness::patience());

  // For ProcessOptions::before_exec: a mount namespace in which this server is the only one.
  std::function<bool()> resolv_conf() const;

 private:
  enum class Mood { answers, fails, silent };
  void run(const std::stop_token& stop);
  std::string reply_to(const std::string& query);

  harness::TempDir directory_;
  int fd_ = -1;
  std::mutex mutex_;  // guards what follows
  std::condition_variable asked_;
  size_t questions_ = 0;
  Mood mood_ = Mood::answers;
  std::vector<in_addr> v4_;
  std::vector<in6_addr> v6_;
  std::jthread thread_;
};

}  // namespace faults
