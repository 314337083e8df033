#include "tests/integration/harness/haproxy.h"

#include <csignal>
#include <iostream>

#include "tests/integration/harness/verdict.h"

namespace harness {

Haproxy::Haproxy(const std::string& sections, const fs::path& directory, const std::function<bool()>& before_exec) {
  fs::create_directories(directory);
  const fs::path configuration = directory / "haproxy.cfg";
  write_file(configuration,
             "global\n log stdout format raw local0\ndefaults\n mode tcp\n option tcplog\n log global\n"
             " timeout connect 5s\n timeout client 60s\n timeout server 60s\n" +
                 sections);
  notify_ = std::make_unique<NotifySocket>(directory / "notify");
  process_ = std::make_unique<Process>(ProcessOptions{.argv = {"haproxy", "-Ws", "-f", configuration},
                                                      .environment = {notify_->environment()},
                                                      .before_exec = before_exec});
  notify_->wait_ready(*process_);
}

Haproxy::~Haproxy() {
  if (test_has_failed()) std::cerr << "--- the log of HAProxy:\n" << process_->err().text() << log().text();
  process_->signal(SIGTERM);  // the workers end with the master, not with its death
  process_->wait();
}

}  // namespace harness
