#include "relayd/handover/username_template.h"
#include "relayd/supervisor/config_parts.h"
#include "relayd/supervisor/config_sections.h"

namespace relayd {

using common::Section;

namespace {

constexpr size_t kLongestPrefix = 1024;
constexpr size_t kLeastTapQueue = 64 * 1024, kMostTapQueue = 256 * 1024 * 1024;

Config::LocalTls parse_local_tls(Section section, const std::string& host) {
  Config::LocalTls tls;
  tls.verify_peer = parse_verify(section);
  tls.cacertfile =
      parse_cacertfile(section, tls.verify_peer, "the PEM file of the CAs that issue the local broker's certificate");
  tls.crlfile = section.string("crlfile", "");
  tls.certfile = section.string("certfile", "");
  tls.policy = parse_policy(section);
  tls.versions = parse_versions(section);
  tls.server_name = section.string("server_name_indication", host);
  tls.alpn = parse_alpn(section);
  tls.groups = parse_groups(section);
  section.finish();
  return tls;
}

std::string parse_username(Section& section) {
  std::string text = section.string("username", "");
  if (const auto flaw = flaw_in_username(text); !flaw.empty())
    section.fail("username", "found \"" + text + "\": " + std::string(flaw));
  return text;
}

void parse_tap(Section& section, Config::Local& local) {
  local.tap = section.boolean("tap", false);
  local.tap_prefix = section.string("tap_prefix", "");
  local.tap_queue = section.size("tap_queue", "1MB");
  if (local.tap_prefix.size() > kLongestPrefix || local.tap_prefix.find_first_of("+#") != std::string::npos)
    section.fail("tap_prefix", "found \"" + local.tap_prefix.substr(0, kLongestPrefix) +
                                   "\"; expected the beginning of a topic, at most " + std::to_string(kLongestPrefix) +
                                   " bytes without + and #, such as \"site7/\"");
  if (local.tap_queue < kLeastTapQueue || local.tap_queue > kMostTapQueue)
    section.fail("tap_queue", "found " + std::to_string(local.tap_queue) + " bytes; expected \"64KB\" to \"256MB\"");
}

}  // namespace

Config::Local parse_local(Section section) {
  Config::Local local;
  local.broker.host = section.required_string("host", "the local broker's name or address");
  local.broker.port = static_cast<uint16_t>(section.integer("port", 1883, 1, kMaxPort));
  if (auto tls = section.section("tls")) local.tls = parse_local_tls(std::move(*tls), local.broker.host);
  local.proxy_protocol = section.boolean("proxy_protocol", false);
  local.username = parse_username(section);
  parse_tap(section, local);
  section.finish();
  return local;
}

}  // namespace relayd
