#include "relayd/supervisor/key_check.h"

namespace relayd {
namespace {

constexpr common::Milliseconds kPatience{2000};

OwnKeyCheck::Verdict wrong(const std::string& certfile, ipc::Role role, ipc::Status status) {
  const std::string setting = role == ipc::Role::local ? "local_keyfile" : "listener_keyfile";
  constexpr auto kWrong = OwnKeyCheck::Result::wrong;
  if (status == ipc::Status::mismatch)
    return {kWrong, certfile + ": this certificate does not match keyd's " + setting,
            "configure a certificate and key that belong together: `openssl x509 -pubkey -noout -in CERTIFICATE` and "
            "`openssl pkey -pubout -in KEY` must print the same; a second listener's key belongs in listener_keyfile "
            "too"};
  if (status == ipc::Status::not_found)
    return {kWrong, certfile + ": keyd has no private key for it",
            "set " + setting +
                " of keyd.json and put the key there: `install -o mqtt-keyd -m 600 LISTENER.key "
                "/etc/mqtt-relay/`; a key that comes later needs no restart of keyd, a setting does"};
  return {kWrong, certfile + ": keyd can't use its " + setting + " (" + ipc::name(status) + ")",
          "keyd's log names the cause, and `mqtt-relay check` the fix"};
}

}  // namespace

OwnKeyCheck::OwnKeyCheck(uv_loop_t* loop, std::vector<Certificate> certificates, const std::string& keyd_socket,
                         void* owner, Done done)
    : certificates_(std::move(certificates)),
      socket_(keyd_socket),
      owner_(owner),
      done_(done),
      keyd_(loop, {socket_, kSupervisor, kPatience}) {
  ask();
}

void OwnKeyCheck::ask() {
  const Certificate& certificate = certificates_.at(asked_);
  const ipc::Lookup lookup{certificate.role, certificate.spki, {}, ""};
  keyd_.lookup(lookup, [this](const ipc::Client::Answer& answer) { on_answer(answer); });
}

void OwnKeyCheck::on_answer(const ipc::Client::Answer& answer) {
  const auto& [file, spki, role] = certificates_[asked_];
  if (!answer.arrived)
    return done_(owner_, {Result::keyd_away,
                          "could not ask keyd whether it has the key of " + file + ": no answer on " + socket_,
                          "`mqtt-relay check` says why"});
  // Neither status says anything about the key: keyd has too many requests, or can't write its audit.
  if (answer.status == ipc::Status::busy || answer.status == ipc::Status::internal)
    return done_(owner_,
                 {Result::keyd_away,
                  "keyd could not say whether it has the key of " + file + " (" + ipc::name(answer.status) + ")",
                  "keyd's log says why: `journalctl -u mqtt-keyd`"});
  if (answer.status != ipc::Status::ok) return done_(owner_, wrong(file, role, answer.status));
  if (++asked_ == certificates_.size()) return done_(owner_, Verdict{});
  ask();
}

}  // namespace relayd
