#include "relayd/handover/username_template.h"
#include "relayd/supervisor/config_parts.h"
#include "relayd/supervisor/config_sections.h"

namespace relayd {

using common::Section;

namespace {

Config::LocalTls parse_local_tls(Section section, const std::string& host) {
  Config::LocalTls tls;
  tls.verify_peer = parse_verify(section);
  tls.cacertfile =
      parse_cacertfile(section, tls.verify_peer, "the PEM file of the CAs that issue the local broker's certificate");
  tls.crlfile = section.string("crlfile", "");
  tls.policy = parse_policy(section);
  tls.versions = parse_versions(section);
  tls.server_name = section.string("server_name_indication", host);
  tls.alpn = parse_alpn(section);
  tls.groups = parse_groups(section);
  section.finish();
  return tls;
}

std::string parse_username(Section& section) {
  const std::string text = section.string("username", "");
  if (const auto flaw = flaw_in_username(text); !flaw.empty())
    section.fail("username", "found \"" + text + "\": " + std::string(flaw));
  return text;
}

}  // namespace

Config::Local parse_local(Section section) {
  Config::Local local;
  local.broker.host = section.required_string("host", "the local broker's name or address");
  local.broker.port = static_cast<uint16_t>(section.integer("port", 1883, 1, kMaxPort));
  if (auto tls = section.section("tls")) local.tls = parse_local_tls(std::move(*tls), local.broker.host);
  local.proxy_protocol = section.boolean("proxy_protocol", false);
  local.username = parse_username(section);
  section.finish();
  return local;
}

}  // namespace relayd
