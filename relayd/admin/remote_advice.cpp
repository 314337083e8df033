#include "relayd/admin/remote_advice.h"

#include "common/operator/checks.h"
#include "relayd/session/alert_advice.h"

namespace relayd::admin {
namespace {

using common::quoted;

// The command with which an operator can try the same connection.
std::string by_hand(const Config::Broker& broker, const std::string& more = "") {
  const auto& [host, port] = broker.at;
  const std::string where = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return "`openssl s_client -connect " + quoted(where + ":" + std::to_string(port)) + " -servername " +
         quoted(broker.server_name) + more + " </dev/null`";
}

std::string set(const char* setting, const std::string& config_file) {
  return std::string(setting) + " in " + config_file;
}

// No address accepted a connection. Each may have failed for another cause, with its own remedy.
std::string unreached(const ProbeResult& probe, const Config::Broker& broker) {
  const std::string port = std::to_string(broker.at.port);
  std::string fix;
  const auto add = [&](const std::string& remedy) { fix += (fix.empty() ? "" : "; ") + remedy; };
  if (probe.causes.refused)
    add("nothing listens on port " + port + " there: is the broker up, and is its port for MQTT over TLS another one?");
  if (probe.causes.silent)
    add("not even a refusal comes back: a firewall drops packets to port " + port +
        ", which you must open there and here, or no machine has that address");
  if (probe.causes.no_route) add("this machine has no route there: `ip route get ADDRESS` must show one");
  if (fix.empty()) add("is the broker up, and can this machine reach its port?");
  return fix + (fix.back() == '?' ? " " : "; ") + by_hand(broker) + " must connect";
}

// Advice on a port that sent not a single byte.
Advice mute(const ProbeResult& probe, const Config::Broker& broker, const std::string& config_file) {
  if (probe.plain_mqtt)
    return {"it speaks MQTT without TLS",
            set("remote_port", config_file) +
                " must be the broker's port for MQTT over TLS, usually 8883; relayd never " +
                "sends a device's session without TLS"};
  if (probe.silent)
    return {probe.problem, "it accepts TCP and says nothing: is " + set("remote_port", config_file) +
                               " the port for MQTT over TLS, and " + "is the broker behind that load balancer up? " +
                               by_hand(broker) + " must show a certificate"};
  return {"it ended the connection without an answer to the first TLS message (" + probe.problem + ")",
          "is " + set("remote_port", config_file) +
              " the port for MQTT over TLS? A load balancer whose brokers are down, " +
              "or that does not know the name " + broker.server_name +
              " (remote.server_name_indication), does so too: " + by_hand(broker) + " must show a certificate"};
}

}  // namespace

Advice advice_on(const ProbeResult& probe, const Config::Broker& broker, const std::string& config_file) {
  if (probe.address.empty()) return {"no connection: " + probe.problem, unreached(probe, broker)};
  const auto at = [&](Advice advice) {
    advice.found = probe.address + ": " + advice.found;
    return advice;
  };
  if (!probe.answered.empty()) return at({probe.answered, "correct remote_host and remote_port in " + config_file});
  if (probe.mute) return at(mute(probe, broker, config_file));
  if (!probe.advice.empty())
    return at(
        {probe.problem, probe.advice + "; " + by_hand(broker, " -showcerts -CAfile " + quoted(broker.cacertfile)) +
                            " shows the chain; `mqtt-relay verify CHAIN.pem --as remote` judges it as relayd does, by "
                            "remote.cacertfile and remote.server_name_indication"});
  if (const auto advice = probe.alert ? advice_on_remote_alert(*probe.alert) : ""; !advice.empty())
    return at({probe.problem, std::string(advice)});
  return at({probe.problem, by_hand(broker, " -showcerts -CAfile " + quoted(broker.cacertfile)) +
                                " shows its certificates: remote.cacertfile must hold the CA that issued them, and "
                                "remote_host or remote.server_name_indication must be a name in the first one"});
}

}  // namespace relayd::admin
