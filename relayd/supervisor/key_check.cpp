#include "relayd/supervisor/key_check.h"

namespace relayd {
namespace {

constexpr common::Milliseconds kPatience{2000};

ListenerKeyCheck::Verdict wrong(const std::string& certfile, ipc::Status status) {
  constexpr auto kWrong = ListenerKeyCheck::Result::wrong;
  if (status == ipc::Status::mismatch)
    return {kWrong, certfile + ": this certificate does not match keyd's listener_keyfile",
            "configure a certificate and key that belong together: `openssl x509 -pubkey -noout -in CERTIFICATE` and "
            "`openssl pkey -pubout -in KEY` must print the same; a certificate with a key of its own needs that key in "
            "listener_keyfile too"};
  if (status == ipc::Status::not_found)
    return {kWrong, certfile + ": keyd has no private key for it",
            "put its key where listener_keyfile of keyd.json says: `install -o mqtt-keyd -m 600 LISTENER.key "
            "/etc/mqtt-relay/listener.key`; keyd needs no restart"};
  return {kWrong, certfile + ": keyd can't use its listener_keyfile (" + ipc::name(status) + ")",
          "keyd's log names the cause, and `mqtt-relay check` the fix"};
}

}  // namespace

ListenerKeyCheck::ListenerKeyCheck(uv_loop_t* loop, std::vector<Certificate> certificates,
                                   const std::string& keyd_socket, void* owner, Done done)
    : certificates_(std::move(certificates)),
      socket_(keyd_socket),
      owner_(owner),
      done_(done),
      keyd_(loop, {socket_, kSupervisor, kPatience}) {
  ask();
}

void ListenerKeyCheck::ask() {
  const ipc::Lookup lookup{ipc::Role::listener, certificates_.at(asked_).spki, {}, ""};
  keyd_.lookup(lookup, [this](const ipc::Client::Answer& answer) { on_answer(answer); });
}

void ListenerKeyCheck::on_answer(const ipc::Client::Answer& answer) {
  const std::string& file = certificates_[asked_].file;
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
  if (answer.status != ipc::Status::ok) return done_(owner_, wrong(file, answer.status));
  if (++asked_ == certificates_.size()) return done_(owner_, Verdict{});
  ask();
}

}  // namespace relayd
