// Whether keyd has the key of the listener's certificate: the certificate is here, its key is keyd's, and only keyd can
// tell if they belong together. Asked once, before a generation of workers is started.
#pragma once

#include <uv.h>

#include <memory>
#include <string>

#include "common/units.h"
#include "ipc/client.h"

namespace relayd {

inline constexpr uint16_t kSupervisor = 0xffff;  // in keyd's audit, where workers have their number

class ListenerKeyCheck {
 public:
  enum class Result { fits, keyd_away, wrong };
  struct Verdict {
    Result result = Result::fits;
    std::string problem, remedy;  // for the operator; empty if the key fits
    std::string text() const { return problem + "; " + remedy; }
  };
  // Once, later. The owner may destroy the check.
  using Done = void (*)(void* owner, const Verdict& verdict);

  // `certfile`: the listener's, with the setting that names it; `spki`: its public key's SHA-256.
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
