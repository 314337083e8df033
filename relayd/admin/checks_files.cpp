// The checks of the certificates that the configuration names, by relayd's own code.
#include <unistd.h>

#include <cerrno>

#include "relayd/admin/check.h"
#include "relayd/tls/inspect.h"

namespace relayd::admin {
namespace {

using common::ConfigError;
using common::day_of;
using common::quoted;

constexpr int64_t kSoon = 30 * 86'400;  // seconds
constexpr size_t kMostListed = 10;

// The command that makes an unreadable or missing file readable.
std::string install(const std::string& file) {
  if (access(file.c_str(), F_OK) == 0 && access(file.c_str(), R_OK) != 0)
    return "`chmod 644 " + quoted(file) + "`, and let relayd's user enter its folders";
  return "`install -m 644 CERTIFICATES.pem " + quoted(file) + "`";
}

std::string called(const tls::CertificateFacts& facts) {
  return facts.name.empty() ? "a certificate without a common name" : "\"" + facts.name + "\"";
}

enum class Age { good, soon, over };

// Adds a line to `details` if the certificate is not valid, or expires soon.
Age age_of(const tls::CertificateFacts& facts, int64_t now, std::vector<std::string>& details) {
  const bool early = facts.not_before > now, over = facts.not_after < now;
  if (!early && facts.not_after >= now + kSoon) return Age::good;
  if (details.size() < kMostListed)
    details.push_back(called(facts) +
                      (early  ? " is not valid before " + day_of(facts.not_before) + "; is the clock right?"
                       : over ? " has expired on " + day_of(facts.not_after)
                              : " expires on " + day_of(facts.not_after)));
  return early || over ? Age::over : Age::soon;
}

// Lists what makes relayd refuse peers now. Leaves out what is harmless.
bool list(const std::vector<trust::Concern>& concerns, std::vector<std::string>& details) {
  bool any = false;
  for (const auto& concern : concerns) {
    if (concern.harmless) continue;
    any = true;
    if (details.size() < kMostListed)
      details.push_back(concern.subject + " " + concern.problem + "; " + concern.advice);
  }
  return any;
}

// Checks trusted certificates. If relayd can't use one of them, it refuses only the peers for which that one issued
// certificates.
Check check_authorities(const CheckContext& context, const std::string& setting, const std::string& file,
                        const trust::Policy& policy, const std::string& whose) {
  try {
    const tls::Pem pem = read_pem(context.config_file, setting, file);
    const trust::Validator validator(pem, {}, policy);  // relayd's own verdict
    const auto all = tls::facts_of(pem);
    std::vector<std::string> details;
    bool good = !list(validator.concerns(context.now), details);
    for (const auto& facts : all)
      if (facts.not_before <= context.now && facts.not_after >= context.now)
        good = age_of(facts, context.now, details) == Age::good && good;
    const std::string found = file + ": " + common::counted(all.size(), "certificate");
    if (good) return {Result::ok, found};
    return {Result::warning, found + ", not all of them usable, or not for long",
            "install the current certificates of the CAs that issue " + whose + ", then `systemctl reload mqtt-relayd`",
            details};
  } catch (const ConfigError& error) {
    return {Result::error, error.what(),
            "install the certificates of the CAs that issue " + whose + ": " + install(file)};
  }
}

Check certificate_in(const CheckContext& context, const Config::Listener& listener, size_t number) {
  const std::string& file = listener.certfiles[number];
  const std::string renew =
      "`install -m 644 NEW-CHAIN.pem " + quoted(file) + "`, its key for keyd, and `systemctl reload mqtt-relayd`";
  try {
    const tls::Pem pem = read_pem(context.config_file, listener.setting_of_certfile(number), file);
    const tls::ServerContext usable({.certificates = {pem}, .verify_peer = false});  // relayd's own verdict
    const auto chain = tls::facts_of(pem);
    std::vector<std::string> details;
    Age worst = Age::good;
    for (const auto& facts : chain) worst = std::max(worst, age_of(facts, context.now, details));
    if (worst == Age::over) return {Result::error, file + ": devices will not accept it", renew, details};
    for (size_t i = 1; i < chain.size(); i++)
      if (!tls::has_issued(chain[i], chain[i - 1]))
        return {
            Result::error,
            file + ": it is not a chain: " + called(chain[i - 1]) + " was not issued by " + called(chain[i]) +
                ", which follows it",
            "the listener's certificate comes first, then its issuer's, and so on: `cat LISTENER.pem ISSUER.pem > " +
                quoted(file) + "`"};
    const std::string found = file + ": " + called(chain[0]) + ", valid until " + day_of(chain[0].not_after) +
                              (chain.size() > 1 ? ", with " + common::counted(chain.size() - 1, "issuer") : "");
    if (worst == Age::soon) return {Result::warning, found, renew, details};
    return {Result::ok, found};
  } catch (const ConfigError& error) {
    return {Result::error, error.what(),
            "install the chain that devices get, the listener's certificate first: " + install(file)};
  }
}

Check certificates_of(const CheckContext& context, const Config::Listener& listener) {
  std::vector<std::pair<std::string, Check>> each;  // by file
  for (size_t i = 0; i < listener.certfiles.size(); i++)
    each.emplace_back(listener.setting_of_certfile(i), certificate_in(context, listener, i));
  Check all = common::combined(each, "certificate");
  if (all.result == Result::error) return all;
  try {
    const tls::ServerContext together(
        {.certificates = read_certificates(context.config_file, listener), .verify_peer = false});
  } catch (const ConfigError& error) {
    return {Result::error, error.what(), "correct " + listener.setting_of("certfile") + " in " + context.config_file};
  }
  return all;
}

Check device_authorities_of(const CheckContext& context, const Config::Listener& listener) {
  if (!listener.verify_peer)
    return {Result::warning,
            listener.setting_of("verify") + " is verify_none: any certificate is accepted as a device's",
            "set " + listener.setting_of("verify") + " to \"verify_peer\", and " + listener.setting_of("cacertfile")};
  return check_authorities(context, listener.setting_of("cacertfile"), listener.cacertfile, listener.policy,
                           "device certificates");
}

Check revocation_lists_of(const CheckContext& context, const Config::Listener& listener) {
  if (listener.crlfile.empty()) return {Result::skipped, listener.setting_of("crlfile") + " is not set"};
  if (!listener.verify_peer) return {Result::skipped, listener.setting_of("verify") + " is verify_none"};
  tls::Pem trusted;
  try {
    trusted = read_pem(context.config_file, listener.setting_of("cacertfile"), listener.cacertfile);
    trust::Validator(trusted, {}, listener.policy);
  } catch (const ConfigError&) {
    return {Result::skipped, "needs the certificates of the CAs that issued them: see device-authorities"};
  }
  const std::string get = "get the current ones from the device CA: `openssl crl -noout -issuer -nextupdate -in " +
                          quoted(listener.crlfile) + "` shows who issued the first one and until when it is valid";
  try {
    const tls::Pem revoked = read_pem(context.config_file, listener.setting_of("crlfile"), listener.crlfile);
    const trust::Validator validator(trusted, revoked, listener.policy);
    std::vector<std::string> details;
    const std::string found = listener.crlfile + ": " + common::counted(validator.crls(), "CRL");
    auto concerns = validator.concerns(context.now);
    std::erase_if(concerns, [&](const trust::Concern& concern) { return concern.file != revoked.name(); });
    if (list(concerns, details)) return {Result::error, found + "; devices are refused because of them", get, details};
    return {Result::ok, found};
  } catch (const ConfigError& error) {
    return {Result::error, error.what(), get};
  }
}

}  // namespace

Check check_listener_certificate(const CheckContext& context) { return each_listener(context, certificates_of); }
Check check_device_authorities(const CheckContext& context) { return each_listener(context, device_authorities_of); }
Check check_revocation_lists(const CheckContext& context) { return each_listener(context, revocation_lists_of); }

Check check_remote_authorities(const CheckContext& context) {
  const auto& remote = context.config.remote;
  if (!remote.verify_peer)
    return {Result::warning, "remote.verify is verify_none: any server is accepted as the remote broker",
            "set remote.verify to \"verify_peer\", and remote.cacertfile"};
  std::vector<std::pair<std::string, Check>> each;  // of each file, by its setting
  const auto add = [&](const std::string& setting, const std::string& file) {
    each.emplace_back(setting,
                      check_authorities(context, setting, file, remote.policy, "the remote broker's certificate"));
  };
  const auto& brokers = context.config.brokers;
  const auto shared = [&](size_t broker) { return brokers[broker].cacertfile == remote.cacertfile; };
  bool any_shared = brokers.empty();
  for (size_t i = 0; i < brokers.size(); i++) any_shared |= shared(i);
  if (any_shared) add("remote.cacertfile", remote.cacertfile);
  for (size_t i = 0; i < brokers.size(); i++)
    if (!shared(i)) add(authorities_setting(context.config, i), brokers[i].cacertfile);
  return common::combined(each, "file");
}

}  // namespace relayd::admin
