#include "relayd/admin/verify.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>

#include "common/operator/checks.h"
#include "common/operator/terminal.h"
#include "common/trust/validator.h"
#include "relayd/supervisor/load.h"

namespace relayd::admin {
namespace {

using common::ConfigError;
using trust::Purpose;
using Json = nlohmann::ordered_json;

constexpr size_t kMaxChainFile = 1024 * 1024;

const char* name(Purpose purpose) {
  switch (purpose) {
    case Purpose::device: return "device";
    case Purpose::remote: break;
  }
  return "remote";
}

// The anchors, CRLs and policy to judge by.
struct Judge {
  trust::Pem anchors, crls;
  trust::Policy policy;
};

trust::Pem given(const char* flag, const std::string& file) {
  return {file, common::read_file(file, kMaxChainFile * 16), flag};
}

// The broker that must have this name in its certificate, otherwise the first one.
size_t broker_named(const Config& config, const std::string& name) {
  const auto found = std::ranges::find(config.brokers, name, &Config::Broker::server_name);
  return found == config.brokers.end() ? 0 : static_cast<size_t>(found - config.brokers.begin());
}

const Config::Listener& listener_of(const VerifyOptions& options, const Config& config) {
  const auto& all = config.listeners;
  if (!options.listener && all.size() == 1) return all.front();
  const auto found = std::ranges::find(all, options.listener.value_or(""), &Config::Listener::name);
  if (found != all.end()) return *found;
  std::string names;
  for (const auto& listener : all) names.append(names.empty() ? "" : ", ").append(listener.name);
  throw ConfigError(options.config + ": " +
                    (options.listener ? "there is no listener \"" + *options.listener + "\"" : "several listeners") +
                    "; name the device's with --listener: " + names);
}

// The configuration's, as relayd judges.
Judge configured(const VerifyOptions& options, bool device) {
  const Config config = read_config(options.config, options.overrides);
  const auto judge = [&](const auto& side, const std::string& setting) -> Judge {
    if (!side.verify_peer)
      throw ConfigError(
          options.config + ": " + setting +
          ".verify is verify_none, which accepts any certificate; name the CAs to judge by with --cafile");
    return {read_pem(options.config, setting + ".cacertfile", side.cacertfile),
            read_pem(options.config, setting + ".crlfile", side.crlfile), side.policy};
  };
  if (device) {
    const Config::Listener& listener = listener_of(options, config);
    return judge(listener, listener.setting);
  }
  const size_t nth = broker_named(config, options.name.value_or(""));
  if (nth == config.brokers.size())
    throw ConfigError(options.config + ": remote_host is not set; `mqtt-relay init` asks for it");
  const Config::Broker& broker = config.brokers[nth];
  Judge remote = judge(config.remote, "remote");
  remote.anchors = read_pem(options.config, authorities_setting(config, nth), broker.cacertfile);
  remote.policy.name = broker.server_name;
  return remote;
}

Judge judge_of(const VerifyOptions& options) {
  const bool device = options.as == Purpose::device;
  Judge judge = options.cafile ? Judge{given("--cafile", *options.cafile), {}, {}} : configured(options, device);
  if (options.crlfile) judge.crls = given("--crlfile", *options.crlfile);
  judge.policy.purpose = options.as;
  if (options.name) judge.policy.name = *options.name;
  if (options.depth) judge.policy.depth = *options.depth;
  if (options.partial_chain) judge.policy.partial_chain = true;
  if (options.crl_check) judge.policy.revocation = *options.crl_check;
  judge.policy.asked_time = options.at.has_value();
  return judge;
}

std::string read_chain(const std::string& file, std::istream& in) {
  if (file != "-") return common::read_file(file, kMaxChainFile);
  std::string text(kMaxChainFile, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

trust::Verdict judged(trust::Validator& validator, const std::vector<trust::Der>& chain, int64_t now) {
  const std::vector<std::span<const uint8_t>> spans(chain.begin(), chain.end());
  return validator.validate(spans, now);
}

trust::Verdict unreadable(const std::string& why) {
  return {trust::Refusal{.problem = why, .advice = "give the chain as PEM, the leaf first"}, 0, 0};
}

std::string iso_time(int64_t unix_seconds) {
  const time_t seconds = unix_seconds;
  tm parts{};
  char text[64];
  if (!gmtime_r(&seconds, &parts) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) return "";
  return text;
}

Json as_json(const VerifyOptions& options, const trust::Policy& policy, int64_t now, const trust::Verdict& verdict) {
  Json json = {{"accepted", verdict.accepted()}, {"chain", options.chain}, {"as", name(options.as)}};
  if (!policy.name.empty()) json["name"] = policy.name;
  json["at"] = iso_time(now);
  if (verdict.accepted()) {
    json["until"] = iso_time(verdict.until);
    return json;
  }
  const trust::Refusal& refusal = *verdict.refusal;
  json["code"] = refusal.code;
  json["position"] = refusal.position;
  json["subject"] = refusal.subject;
  json["problem"] = refusal.problem;
  json["advice"] = refusal.advice;
  json["alert"] = number(refusal.alert);
  return json;
}

std::string as_text(const VerifyOptions& options, const trust::Policy& policy, const std::string& leaf,
                    const trust::Verdict& verdict) {
  const std::string role = options.as == Purpose::device ? "a device" : "the remote broker";
  if (!verdict.accepted())
    return "refused as " + role + ": " + verdict.refusal->text() + ". To fix it: " + verdict.refusal->advice + ".";
  const std::string name = !policy.name.empty()            ? ", for \"" + policy.name + "\""
                           : options.as == Purpose::remote ? " (its name was not checked; --name checks it)"
                                                           : "";
  return "accepted as " + role + name + ": \"" + leaf + "\". Valid until " + common::day_of(verdict.until) +
         ", as long as the anchors and CRLs stay the same.";
}

}  // namespace

int verify(const VerifyOptions& options, std::istream& in, std::ostream& out) {
  const Judge judge = judge_of(options);
  trust::Validator validator(judge.anchors, judge.crls, judge.policy);
  const int64_t now = options.at.value_or(time(nullptr));
  const trust::Pem pem{options.chain, read_chain(options.chain, in)};
  std::vector<trust::Der> chain;
  trust::Verdict verdict;
  try {
    chain = trust::certificates_in(pem);
    verdict = judged(validator, chain, now);
  } catch (const ConfigError& error) {
    verdict = unreadable(error.what());
  }
  if (options.json) {
    const Json json = as_json(options, judge.policy, now, verdict);
    out << json.dump(2, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) << "\n";
  } else {
    const std::string leaf = verdict.accepted() ? trust::subject_of(chain.front()) : "";
    out << common::visible(as_text(options, judge.policy, leaf, verdict)) << "\n";
  }
  return verdict.accepted() ? 0 : 1;
}

std::optional<int64_t> parse_time(const std::string& text) {
  int64_t seconds = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  // RFC 5280 section 4.1.2.5: a certificate's dates have years of four digits.
  constexpr int64_t kYear0 = -62'167'219'200, kYear10000 = 253'402'300'800;
  if (error == std::errc() && stop == end && text.find('-', 1) == std::string::npos)
    return seconds >= kYear0 && seconds < kYear10000 ? std::optional(seconds) : std::nullopt;
  tm broken{};
  broken.tm_mday = 1;
  const char* rest = strptime(text.c_str(), "%Y-%m-%d", &broken);
  if (!rest) return std::nullopt;
  tm day = broken;
  if (timegm(&day); day.tm_mday != broken.tm_mday) return std::nullopt;  // 30 February
  if (*rest == 'T' || *rest == ' ') {
    rest = strptime(rest + 1, "%H:%M", &broken);
    if (rest && *rest == ':') rest = strptime(rest, ":%S", &broken);
    if (!rest) return std::nullopt;
  }
  if (std::string_view(rest) == "Z") rest++;
  const std::string zone = rest;
  const int64_t utc = timegm(&broken);
  if (zone.empty()) return utc;
  tm offset{};
  const bool sign = zone[0] == '+' || zone[0] == '-';
  const char* zone_end = sign ? strptime(zone.c_str() + 1, "%H:%M", &offset) : nullptr;
  if (!zone_end || *zone_end != '\0') return std::nullopt;
  const int64_t east = offset.tm_hour * 3600 + offset.tm_min * 60;
  return zone[0] == '+' ? utc - east : utc + east;
}

}  // namespace relayd::admin
