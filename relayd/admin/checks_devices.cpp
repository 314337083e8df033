// Checks what the running relayd has seen: devices that stay local by mistake, devices that the remote broker refuses,
// peers that do not speak TLS. This machine's configuration is not at fault, so all are warnings.
#include "common/operator/terminal.h"
#include "relayd/admin/check.h"
#include "relayd/admin/client.h"
#include "relayd/handover/certificate_fault.h"
#include "relayd/mqtt/connack_codes.h"
#include "relayd/session/first_bytes.h"

namespace relayd::admin {
namespace {

using common::counted;
using common::grouped;

constexpr common::Milliseconds kPatience{3000};
constexpr char kLog[] = "relayd's log names each (`journalctl -u mqtt-relayd`)";

struct Findings {
  std::vector<std::string> details;
  std::string fix;
  void add(std::string detail, const std::string& remedy) {
    details.push_back(std::move(detail));
    if (fix.find(remedy) == fix.npos) fix += (fix.empty() ? "" : "; ") + remedy;
  }
};

uint64_t number(const Json& totals, const char* name, const char* value) {
  const Json family = totals.value(name, Json::object());
  return family.is_object() && family.contains(value) && family[value].is_number_unsigned()
             ? family[value].get<uint64_t>()
             : 0;
}

void add_local(const Json& totals, Findings& found) {
  if (const uint64_t times = number(totals, "suspicious_local", "impossible_file_name"))
    found.add(counted(times, "session") + " stayed local because no key file can be named after the client id",
              "give such a device another client id: at most 251 bytes, no / and no control characters");
  if (const uint64_t times = number(totals, "suspicious_local", "other_spelling"))
    found.add(counted(times, "session") +
                  " stayed local because the key file differs from the client id in case or "
                  "Unicode form",
              "`mqtt-relay keys CLIENT_ID` shows which file comes close: rename it, or change the client id");
  if (const uint64_t times = number(totals, "suspicious_local", "certificate_without_key"))
    found.add(
        counted(times, "session") + " stayed local because there is a certificate file for the device, but no key",
        "`mqtt-relay keys import` installs the key; or remove the file from remote.certs_dir");
}

void add_files(const Json& totals, Findings& found) {
  for (const char* reason : kCertificateFaults)
    if (const uint64_t times = number(totals, "certificate_file_refused", reason))
      found.add(counted(times, "CONNECT") + " refused because of the device's certificate file: " + reason,
                "see device-certificates, and install pairs of certificate and key");
}

void add_refused(const Json& totals, Findings& found) {
  for (const mqtt::ConnackCode& code : mqtt::kConnackCodes)
    if (const uint64_t times = number(totals, "remote_refused", code.code.data()))
      found.add("the remote broker has refused " + counted(times, "CONNECT") + ": " + std::string(code.code) + ", " +
                    std::string(code.name),
                "ask the remote broker's operator, or its log, why it refuses them");
}

void add_strangers(const Json& totals, Findings& found) {
  for (const char* protocol : kNotTls)
    if (const uint64_t times = number(totals, "not_tls", protocol))
      found.add(counted(times, "connection") + " to the TLS port did not speak TLS: " + protocol,
                std::string("the log says what each must change"));
}

}  // namespace

Check check_devices(const CheckContext& context) {
  if (!context.running) return {Result::skipped, "no relayd answers on control_socket"};
  Findings found;
  try {
    const Json answer = ask(context.config.control_socket, {{"command", "status"}}, kPatience);
    const Json totals = answer.at("status").at("total");
    add_local(totals, found);
    add_files(totals, found);
    add_refused(totals, found);
    add_strangers(totals, found);
  } catch (const std::exception& error) {
    return {Result::skipped, std::string("relayd did not answer: ") + error.what()};
  }
  if (found.details.empty())
    return {Result::ok, "since relayd's start, no device stayed local by mistake, and the remote broker refused none"};
  return {Result::warning, "since relayd's start, some devices did not get through, or not to the remote broker",
          found.fix + "; " + kLog, found.details};
}

}  // namespace relayd::admin
