#include <nlohmann/json.hpp>

#include "tests/differential/judges.h"
#include "tests/integration/harness/operator.h"

namespace differential {

using harness::Finished;

CommandLines::CommandLines() = default;

void CommandLines::put(const Shape& shape) {
  const auto join = [](const auto& identities) {
    std::string text;
    for (const auto& identity : identities) text += identity.pem();
    return text;
  };
  harness::write_file(folder_ / "ca.pem", join(shape.anchors));
  harness::write_file(folder_ / "chain.pem", join(shape.chain));
  harness::write_file(folder_ / "leaf.pem", shape.chain.front().pem());
  harness::write_file(folder_ / "rest.pem", join(std::span(shape.chain).subspan(1)));
  std::string crls;
  for (const auto& crl : shape.crls) crls += pki::pem(crl);
  harness::write_file(folder_ / "crl.pem", crls);
  const auto side = [&](nlohmann::json also) {
    also["cacertfile"] = folder_ / "ca.pem";
    if (!shape.crls.empty()) also["crlfile"] = folder_ / "crl.pem";
    also["crl_check"] = shape.crl_check_chain ? "chain" : "leaf";
    also["depth"] = shape.depth;
    also["partial_chain"] = shape.partial_chain;
    return also;
  };
  const nlohmann::json config = {{"remote_host", "localhost"},
                                 {"remote_port", 8883},
                                 {"keyd_socket", "/none"},
                                 {"remote", side(nlohmann::json::object())},
                                 {"listener", side({{"certfile", "/none"}})}};
  harness::write_file(folder_ / "relayd.json", config.dump(2));
}

Opinion CommandLines::openssl(const Shape& shape, Role role) {
  std::vector<std::string> argv = {"openssl",       "verify",
                                   "-no-CApath",    "-no-CAstore",
                                   "-CAfile",       folder_ / "ca.pem",
                                   "-auth_level",   "2",
                                   "-purpose",      role == Role::device ? "sslclient" : "sslserver",
                                   "-verify_depth", std::to_string(shape.depth)};
  const auto more = [&](std::initializer_list<std::string> words) { argv.insert(argv.end(), words); };
  if (shape.chain.size() > 1) more({"-untrusted", folder_ / "rest.pem"});
  if (shape.partial_chain) more({"-partial_chain"});
  if (!shape.crls.empty()) more({"-CRLfile", folder_ / "crl.pem", "-crl_check", "-extended_crl", "-use_deltas"});
  if (!shape.crls.empty() && shape.crl_check_chain) more({"-crl_check_all"});
  if (role == Role::remote && !shape.host.empty()) {
    const bool address = shape.host.find_first_not_of("0123456789.:") == std::string::npos;
    more({address ? "-verify_ip" : "-verify_hostname", shape.host});
  }
  more({folder_ / "leaf.pem"});
  const Finished done = harness::run({.argv = argv, .environment = {"OPENSSL_CONF=/dev/null"}});
  const size_t at = done.err.find("error ");
  return {done.status.code == 0,
          at == std::string::npos ? done.err : done.err.substr(at, done.err.find('\n', at) - at)};
}

Opinion CommandLines::relayd(const Shape& shape, Role role) {
  const Finished done = harness::run(harness::mqtt_relay(
      {"verify", folder_ / "chain.pem", "--config", folder_ / "relayd.json", "--as",
       role == Role::device ? "device" : "remote", "--name", role == Role::remote ? shape.host : ""}));
  if (done.status.code != 0 && done.status.code != 1)
    return {false, "exit status " + std::to_string(done.status.code) + ": " + done.err};
  return {done.status.code == 0, done.out};
}

}  // namespace differential
