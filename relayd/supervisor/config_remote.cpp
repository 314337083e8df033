#include "relayd/handover/socket_address.h"
#include "relayd/supervisor/config_parts.h"
#include "relayd/supervisor/config_sections.h"

namespace relayd {

using common::Section;

namespace {

using Strategy = Config::Strategy;

constexpr size_t kMostSources = 64;
constexpr uint16_t kSocksPort = 1080;  // IANA

Strategy parse_strategy(Section& section) {
  const auto name = section.one_of("strategy", "failover", {"failover", "round_robin", "hash_clientid"});
  return name == "failover"      ? Strategy::failover
         : name == "round_robin" ? Strategy::round_robin
                                 : Strategy::hash_clientid;
}

// An item of remote_hosts that is an object.
Config::Broker parse_broker(Section section, uint16_t remote_port, const Config::Remote& remote) {
  Config::Broker broker;
  broker.at.host = section.required_string("host", "the remote broker's name or address");
  broker.at.port = static_cast<uint16_t>(section.integer("port", remote_port, 1, kMaxPort));
  broker.server_name = section.string("server_name_indication", "");
  broker.cacertfile = section.string("cacertfile", remote.cacertfile);
  section.finish();
  return broker;
}

std::vector<Config::Broker> parse_remote_hosts(Section& root, uint16_t port, const Config::Remote& remote) {
  std::vector<Config::Broker> brokers;
  auto items = root.strings_or_sections("remote_hosts");
  if (root.has("remote_hosts") && (items.empty() || items.size() > Config::kMaxBrokers))
    root.fail("remote_hosts", "found " + std::to_string(items.size()) + " items; expected 1 to " +
                                  std::to_string(Config::kMaxBrokers) +
                                  " brokers, as \"HOST\", \"HOST:PORT\" or { \"host\": … }");
  for (auto& item : items) {
    if (auto* section = std::get_if<Section>(&item)) {
      brokers.push_back(parse_broker(std::move(*section), port, remote));
      continue;
    }
    const std::string& text = std::get<std::string>(item);
    const auto at = parse_endpoint(text, port);
    if (!at)
      root.fail(
          "remote_hosts[" + std::to_string(brokers.size()) + "]",
          "found \"" + text +
              "\"; expected \"HOST\" or \"HOST:PORT\", such as \"broker.example:8883\" or \"[2001:db8::1]:8883\"");
    brokers.push_back({*at, "", remote.cacertfile});
  }
  return brokers;
}

Config::Proxy parse_proxy(Section section) {
  Config::Proxy proxy;
  const auto type = section.one_of("type", "http", {"http", "socks5"});
  proxy.type = type == "http" ? Config::Proxy::Type::http : Config::Proxy::Type::socks5;
  proxy.at.host = section.required_string("host", "the proxy's name or address");
  proxy.at.port = static_cast<uint16_t>(section.integer("port", 3128, 1, kMaxPort));
  if (type == "socks5" && !section.has("port")) proxy.at.port = kSocksPort;
  proxy.credentials_file = section.string("credentials_file", "");
  proxy.connect_timeout = section.duration("connect_timeout", "5s");
  section.finish();
  return proxy;
}

// `certificate` and `certs_dir`, which belong together.
void parse_certificate(Section& section, Config::Remote& remote) {
  const bool file = section.one_of("certificate", "peer", {"peer", "file"}) == "file";
  remote.certificate = file ? Config::Remote::Certificate::file : Config::Remote::Certificate::peer;
  remote.certs_dir = section.string("certs_dir", "");
  while (remote.certs_dir.size() > 1 && remote.certs_dir.ends_with('/')) remote.certs_dir.pop_back();
  if (file && !remote.certs_dir.starts_with('/'))
    section.fail("certs_dir", (remote.certs_dir.empty() ? "missing" : "found \"" + remote.certs_dir + "\"") +
                                  "; expected, with certificate \"file\", the absolute path of the directory with "
                                  "each device's certificate chain as CLIENTID.crt");
  if (!file && !remote.certs_dir.empty())
    section.fail("certs_dir", "found \"" + remote.certs_dir +
                                  "\", but certificate is \"peer\": set certificate to \"file\", or remove certs_dir");
}

}  // namespace

std::vector<Config::Broker> parse_brokers(Section& root, const Overrides& overrides, const Config::Remote& remote) {
  const auto own_port = static_cast<uint16_t>(root.integer("remote_port", 8883, 1, kMaxPort));
  const auto port = static_cast<uint16_t>(overrides.remote_port.value_or(own_port));
  const std::string host = root.string("remote_host", "");
  auto brokers = parse_remote_hosts(root, port, remote);
  if (!host.empty() && !brokers.empty())
    root.fail("remote_hosts", "remote_host is set as well, to \"" + host +
                                  "\"; one of the two is allowed: make it the first item of remote_hosts");
  if (const std::string single = overrides.remote_host.value_or(host); !single.empty())
    brokers = {{{single, port}, "", remote.cacertfile}};
  for (Config::Broker& broker : brokers) {
    if (remote.proxy && !is_host(broker.at.host))
      root.fail("remote.proxy", "can't be asked for \"" + broker.at.host +
                                    "\", which is neither an address nor a name of letters, digits, '-', '.' and '_'");
    if (broker.server_name.empty()) broker.server_name = remote.server_name;
    if (broker.server_name.empty()) broker.server_name = broker.at.host;
    if (!remote.verify_peer) broker.cacertfile.clear();
  }
  for (size_t i = 0; i < brokers.size(); i++)
    for (size_t j = 0; j < i; j++)
      if (brokers[i].at == brokers[j].at)
        root.fail("remote_hosts", "found " + brokers[i].at.host + " with port " + std::to_string(brokers[i].at.port) +
                                      " twice; expected different brokers");
  return brokers;
}

Config::Remote parse_remote(Section section) {
  Config::Remote remote;
  remote.strategy = parse_strategy(section);
  remote.bind = section.strings("bind", {});
  if (remote.bind.size() > kMostSources)
    section.fail("bind", "found " + std::to_string(remote.bind.size()) + " addresses; expected at most " +
                             std::to_string(kMostSources));
  for (const std::string& address : remote.bind)
    if (!SocketAddress::parse(address, 0))
      section.fail("bind", "found \"" + address +
                               "\"; expected IPv4 and IPv6 addresses of this machine without a port, such as "
                               "\"192.0.2.1\" or \"2001:db8::1\"");
  if (auto proxy = section.section("proxy")) remote.proxy = parse_proxy(std::move(*proxy));
  remote.verify_peer = parse_verify(section);
  remote.cacertfile =
      parse_cacertfile(section, remote.verify_peer, "the PEM file of the CAs that issue the broker's certificate");
  remote.crlfile = section.string("crlfile", "");
  remote.policy = parse_policy(section);
  remote.versions = parse_versions(section);
  remote.server_name = section.string("server_name_indication", "");
  parse_certificate(section, remote);
  remote.alpn = parse_alpn(section);
  remote.groups = parse_groups(section);
  remote.ciphers = parse_ciphers(section, remote.versions);
  remote.proxy_protocol = section.boolean("proxy_protocol", false);
  remote.connect_timeout = section.duration("connect_timeout", "10s");
  remote.connack_timeout = section.duration("connack_timeout", "20s");
  section.finish();
  return remote;
}

}  // namespace relayd
