#include "relayd/session/file_certificate.h"

#include <ctime>

#include "relayd/tls/file_chain.h"

namespace relayd {

using Fault = CertificateFault;

FileCertificate::FileCertificate(ConnectorClient& connector, std::string client_id, std::chrono::milliseconds patience,
                                 void* owner, Done done)
    : connector_(connector),
      client_id_(std::move(client_id)),
      owner_(owner),
      done_(done),
      deadline_(connector.loop(), this, common::call<&FileCertificate::too_late>),
      asked_(connector.ask(*this)) {
  deadline_.start(asked_ ? patience : common::Milliseconds(0));
}

FileCertificate::~FileCertificate() {
  if (asked_) connector_.cancel(*asked_);
}

void FileCertificate::too_late() {
  if (!asked_) return done_(owner_, {Fault::timeout, "too many others wait for the connector", {}});
  connector_.cancel(*asked_);
  asked_.reset();
  done_(owner_, {Fault::timeout, "it was not read within remote.connect_timeout", {}});
}

void FileCertificate::answered(const channel::Answer::Body& answer, common::Fd) {
  asked_.reset();
  deadline_.stop();
  const auto* read = std::get_if<channel::CertificateAnswer>(&answer);
  if (!read) return done_(owner_, {Fault::unusable, "the connector's answer is not about a file", {}});
  if (read->found == channel::CertificateAnswer::Found::missing)
    return done_(owner_, {Fault::missing, "there is no such file", {}});
  if (read->found == channel::CertificateAnswer::Found::unusable)
    return done_(owner_, {Fault::unusable, read->problem, {}});
  tls::FileChain file = tls::chain_in_file(read->pem, time(nullptr));
  if (file.problem.empty()) return done_(owner_, {std::nullopt, "", std::move(file.chain)});
  done_(owner_, {file.out_of_date ? Fault::not_valid : Fault::unusable, std::move(file.problem), {}});
}

}  // namespace relayd
