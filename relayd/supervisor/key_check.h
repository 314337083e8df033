// Asks keyd whether it has the keys of relayd's own certificates. relayd has the certificates and keyd has the keys,
// so only keyd can tell whether they belong together. Asked once, before a generation's workers start.
#pragma once

#include <uv.h>

#include <memory>
#include <string>
#include <vector>

#include "common/units.h"
#include "ipc/client.h"

namespace relayd {

// "Worker numbers" in keyd's audit: the supervisor's, and that of `mqtt-relay check --client`.
inline constexpr uint16_t kSupervisor = 0xffff, kOperator = 0xfffe;

class OwnKeyCheck {
 public:
  enum class Result { fits, keyd_away, wrong };
  struct Verdict {
    Result result = Result::fits;
    std::string problem, remedy;  // for the operator; empty if the key fits
    std::string text() const { return problem + "; " + remedy; }
  };
  // Called once, never from the constructor. The owner may destroy the check in it.
  using Done = void (*)(void* owner, const Verdict& verdict);

  struct Certificate {
    std::string file;  // preceded by its setting
    ipc::Spki spki;    // the SHA-256 of its public key
    ipc::Role role;    // listener or local
  };
  // Asks for one after the other, until one does not fit. There is at least one.
  OwnKeyCheck(uv_loop_t* loop, std::vector<Certificate> certificates, const std::string& keyd_socket, void* owner,
              Done done);

 private:
  void ask();
  void on_answer(const ipc::Client::Answer& answer);

  const std::vector<Certificate> certificates_;
  size_t asked_ = 0;
  const std::string socket_;
  void* owner_;
  Done done_;
  ipc::Client keyd_;
};

}  // namespace relayd
