// Which chain the session shows the remote broker: the device's own, or the one in its certificate file
// (remote.certificate "file"). The file is read first, because keyd is asked for the key of its leaf.
//
// A file that is missing or can't be used never makes a device local: keyd is asked all the same, for the key of the
// device's own certificate, and only "not_found" does. Every other answer then refuses the device. The fault is the
// gateway's, so the device is told that the server is unavailable, and comes again.
#include <utility>

#include "common/log.h"
#include "relayd/session/session.h"

namespace relayd {

using Certificate = Config::Remote::Certificate;
using Fault = CertificateFault;

void Session::look_up() {
  if (!ipc::can_name_a_key(client_id_)) {
    warn_of_impossible_id();
    return stay_local();
  }
  move_to(State::looking_up);
  if (services_.config.remote.certificate == Certificate::peer) return ask_for_key(chain_.spki);
  from_file_ = std::make_unique<FromFile>();
  from_file_->asked =
      std::make_unique<FileCertificate>(services_.connector, client_id_, services_.config.remote.connect_timeout, this,
                                        common::call<&Session::on_certificate>);
}

void Session::on_certificate(FileCertificate::Result found) {
  from_file_->asked.reset();
  from_file_->found = std::move(found);
  if (from_file_->found.fault == Fault::timeout) return refuse_file(Fault::timeout, from_file_->found.problem);
  ask_for_key(shown_chain().empty() ? chain_.spki : shown_chain().spki);
}

// True: keyd's answer is other than "not_found", and the certificate file is why the device is refused.
bool Session::refused_for_file(ipc::Status status) {
  if (!from_file_) return false;
  const auto& [fault, problem, chain] = from_file_->found;
  if (fault == Fault::missing) {
    refuse_file(*fault, problem + "; the device has a key, so put the certificate chain of that key there");
    return true;
  }
  if (fault) {
    refuse_file(*fault, problem);
    return true;
  }
  if (status == ipc::Status::mismatch) {
    refuse_file(Fault::mismatch, "keyd's " + client_id_ +
                                     ".pem is of another key; replace both files by a pair, the device's certificate "
                                     "being the first in its file");
    return true;
  }
  if (status != ipc::Status::denied || !services_.keyd.require_presence() || chain.spki == chain_.spki) return false;
  refuse(mqtt::Refusal::server_unavailable, "keyd refused the device's key",
         "denied; the device proves another key than " + certificate_file() +
             " has, which keyd takes as proof of presence only with bind_device in its configuration; its audit says "
             "more: `mqtt-relay audit show --denied`");
  return true;
}

void Session::refuse_file(Fault fault, std::string_view problem) {
  count(services_.counters.certificate_faults[static_cast<size_t>(fault)]);
  refuse(mqtt::Refusal::server_unavailable, "the device's certificate file can't be used",
         certificate_file() + ": " + std::string(problem));
}

// Rule 3 makes the device local, but nobody installs a certificate without a key on purpose.
void Session::warn_of_certificate_without_key() {
  if (!from_file_ || from_file_->found.fault == Fault::missing) return;
  count(services_.counters.certificates_without_key);
  const auto left_out = services_.log_limits.certificates_without_key.admit(now());
  if (!left_out) return;
  using common::log::Field;
  write_log(common::log::Level::warning, "device_keyless",
            keyless() + "it has a certificate file, but keyd has no key for it", Field{"client_id", client_id_},
            Field{"certificate_file", certificate_file()},
            Field{"fix", "`mqtt-relay keys import` installs its key; or remove the certificate file"},
            Field{"suppressed", *left_out});
}

// For a line that says what the broker thinks of the certificate.
std::string Session::shown_from() const {
  return services_.config.remote.certificate == Certificate::peer ? "" : "; it was shown " + certificate_file();
}

std::string Session::certificate_file() const { return services_.config.remote.certs_dir + "/" + client_id_ + ".crt"; }

}  // namespace relayd
