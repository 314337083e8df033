// A device's certificate from its file: the connector reads it (relayd/connector/certificate_file.h), and this parses
// it. Nothing is cached, so a file counts from the moment at which it is there. One thread: the loop's.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/uv.h"
#include "relayd/handover/certificate_fault.h"
#include "relayd/session/connector_client.h"
#include "relayd/tls/certificate.h"

namespace relayd {

class FileCertificate final : private Asker {
 public:
  struct Result {
    std::optional<CertificateFault> fault;  // never mismatch, of which only keyd knows
    std::string problem;                    // of the fault, for the log, without the file's name
    tls::CertificateChain chain;            // without a fault
  };
  // Called once, from the loop and never from the constructor. May destroy this.
  using Done = void (*)(void* owner, Result result);

  // `client_id`: ipc::can_name_a_key(). The connector must outlive this; destruction takes the question back.
  FileCertificate(ConnectorClient& connector, std::string client_id, std::chrono::milliseconds patience, void* owner,
                  Done done);
  ~FileCertificate();
  FileCertificate(const FileCertificate&) = delete;
  FileCertificate& operator=(const FileCertificate&) = delete;

 private:
  channel::Question::Body question() const override { return channel::Certificate{client_id_}; }
  void answered(const channel::Answer::Body& answer, common::Fd attached) override;
  void too_late();

  ConnectorClient& connector_;
  const std::string client_id_;
  void* owner_;
  Done done_;
  common::Timer deadline_;
  std::optional<uint64_t> asked_;  // the question that is not answered
};

}  // namespace relayd
