// Asks keyd whether it has the key of the listener's certificate. relayd has the certificate and keyd has the key, so
// only keyd can tell whether they belong together. Asked once, before a generation's workers start.
#pragma once

#include <uv.h>

#include <memory>
#include <string>

#include "common/units.h"
#include "ipc/client.h"

namespace relayd {

inline constexpr uint16_t kSupervisor = 0xffff;  // the supervisor's "worker number" in keyd's audit

class ListenerKeyCheck {
 public:
  enum class Result { fits, keyd_away, wrong };
  struct Verdict {
    Result result = Result::fits;
    std::string problem, remedy;  // for the operator; empty if the key fits
    std::string text() const { return problem + "; " + remedy; }
  };
  // Called once, never from the constructor. The owner may destroy the check in it.
  using Done = void (*)(void* owner, const Verdict& verdict);

  // `certfile`: the listener's certificate file, preceded by its setting; `spki`: the SHA-256 of its public key.
  ListenerKeyCheck(uv_loop_t* loop, const std::string& certfile, const ipc::Spki& spki, const std::string& keyd_socket,
                   void* owner, Done done);

 private:
  void on_answer(const ipc::Client::Answer& answer);

  const std::string certfile_, socket_;
  void* owner_;
  Done done_;
  ipc::Client keyd_;
};

}  // namespace relayd
