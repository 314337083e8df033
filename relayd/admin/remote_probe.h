// Connects once to the remote or the local broker, as a worker would, to verify the broker's certificate: without a
// certificate, or as a device.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/units.h"
#include "relayd/handover/connector_plan.h"
#include "relayd/handover/dial_failure.h"
#include "relayd/handover/socket_address.h"
#include "relayd/mqtt/connack.h"
#include "relayd/tls/inspect.h"
#include "relayd/tls/stream.h"

namespace relayd::admin {

class Loop;

struct ProbeResult {
  std::string address;                               // the one that was reached, or the way through a proxy; "": none
  std::optional<tls::CertificateFacts> certificate;  // the broker's, if it was verified
  bool tls = false;                                  // TLS came up
  bool wants_certificate = false;                    // and the broker asked for a certificate; TLS 1.3 may refuse later
  std::string problem;                               // why it did not, or why nothing was reached
  DialFailure::Causes causes;                        // why nothing was reached
  bool wants_small_hello = false;                    // the usual ClientHello was not answered (tls::Hello)

  // More about why TLS did not come up.
  tls::End::Cause cause = tls::End::Cause::closed;
  std::string advice;               // how to repair a chain that relayd refuses
  std::optional<tls::Alert> alert;  // the broker's, if it sent one
  std::string answered;             // what came back, in words, if it was not TLS
  bool mute = false;                // nothing came back; then also:
  bool silent = false;              // it did not even close the connection
  bool plain_mqtt = false;          // it speaks MQTT without TLS

  // As a device.
  std::optional<ipc::Status> not_signed;  // keyd's answer, if that is why TLS did not come up
  bool refused = false;                   // the broker refused the device's certificate; `problem` is how
  bool vanished = false;                  // it ended the connection without a word, before or after TLS was up
  mqtt::ConnackReader connack;            // what came back after CONNECT
};

// Whom to connect as.
struct AsDevice {
  Loop& loop;         // keyd's client runs on it
  ipc::Client& keyd;  // it has taken the device's proof of presence, if it wants one
  const tls::CertificateChain& chain;
  tls::SigningKey key;
  std::vector<uint8_t> connect{};  // the packets to send; none: TLS only
};

// How to connect to the broker.
struct ProbeWay {
  std::vector<SocketAddress> addresses;          // of the broker, or of its proxy
  std::vector<std::string> sources = {};         // Config::Remote::bind
  const ConnectorPlan* through_proxy = nullptr;  // as Dialer::Means
  std::vector<uint8_t> first = {};               // bytes that go ahead of TLS
};

// Connects to the first address that accepts. Takes at most `patience` to connect, and again for the handshake. A
// broker that refuses because it got no certificate has already shown its own: then `certificate` is set and `tls` is
// not. A port that answers nothing is tried again, unless it is behind a proxy: with plain MQTT, for 3 s at most, and
// with a small ClientHello.
// `context`: null tries TCP only. `as`: once TLS is up, waits for the broker to end the connection, or at most 3 s, as
// in TLS 1.3 a broker judges the device's certificate after the handshake; or for the answer to CONNECT, for
// `patience`.
ProbeResult probe(const ProbeWay& way, const tls::ClientContext* context, common::Milliseconds patience,
                  const AsDevice* as = nullptr);

// All addresses of a name; none, and the cause in `problem`, if it can't be resolved within `patience`.
std::vector<SocketAddress> resolve(const std::string& host, uint16_t port, common::Milliseconds patience,
                                   std::string& problem);

}  // namespace relayd::admin
