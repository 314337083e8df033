#include "relayd/supervisor/config_parts.h"
#include "relayd/supervisor/config_sections.h"

namespace relayd {

using common::Section;

Config::Remote parse_remote(Section section) {
  Config::Remote remote;
  remote.verify_peer = parse_verify(section);
  remote.cacertfile =
      parse_cacertfile(section, remote.verify_peer, "the PEM file of the CAs that issue the broker's certificate");
  remote.crlfile = section.string("crlfile", "");
  remote.policy = parse_policy(section);
  remote.versions = parse_versions(section);
  remote.server_name = section.string("server_name_indication", "");
  remote.alpn = parse_alpn(section);
  remote.groups = parse_groups(section);
  remote.proxy_protocol = section.boolean("proxy_protocol", false);
  remote.connect_timeout = section.duration("connect_timeout", "10s");
  remote.connack_timeout = section.duration("connack_timeout", "20s");
  section.finish();
  return remote;
}

}  // namespace relayd
