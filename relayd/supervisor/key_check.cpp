#include "relayd/supervisor/key_check.h"

namespace relayd {
namespace {

constexpr common::Milliseconds kPatience{2000};
constexpr uint16_t kSupervisor = 0xffff;  // in keyd's audit, where workers have their number

std::string why_wrong(ipc::Status status) {
  if (status == ipc::Status::mismatch)
    return "this certificate does not match keyd's listener_keyfile; give both the files that belong together "
           "(compare \"openssl x509 -pubkey -noout -in CERT\" and \"openssl pkey -pubout -in KEY\")";
  if (status == ipc::Status::not_found)
    return "keyd has no private key for it: put its key where listener_keyfile of keyd.json says, as keyd's user "
           "(\"install -o mqtt-keyd -m 600 LISTENER.key /etc/mqtt-relay/listener.key\"); keyd needs no restart, then "
           "start or reload relayd";
  return std::string("keyd can't use its listener_keyfile (") + ipc::name(status) + "); its log names the cause";
}

}  // namespace

ListenerKeyCheck::ListenerKeyCheck(uv_loop_t* loop, const Loaded& loaded, void* owner, Done done)
    : certfile_(loaded.plan.listener_certificate.file),
      socket_(loaded.config.keyd_socket),
      owner_(owner),
      done_(done),
      keyd_(loop, {socket_, kSupervisor, kPatience}) {
  const ipc::Lookup lookup{ipc::Role::listener, loaded.certificate.spki, {}, ""};
  keyd_.lookup(lookup, [this](const ipc::Client::Answer& answer) { on_answer(answer); });
}

void ListenerKeyCheck::on_answer(const ipc::Client::Answer& answer) {
  if (!answer.arrived)
    return done_(owner_, Result::keyd_away,
                 "keyd could not be asked whether it has the key of " + certfile_ + ": no answer on " + socket_);
  if (answer.status == ipc::Status::ok) return done_(owner_, Result::fits, "");
  done_(owner_, Result::wrong, certfile_ + ": " + why_wrong(answer.status));
}

}  // namespace relayd
