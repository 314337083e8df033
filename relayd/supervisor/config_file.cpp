#include "relayd/supervisor/config_file.h"

#include <algorithm>
#include <charconv>
#include <thread>

#include "common/config.h"
#include "common/log_level.h"
#include "relayd/mqtt/types.h"

namespace relayd {
namespace {

using common::Section;

constexpr int64_t kMaxPort = 65535;
constexpr uint64_t kMaxConnections = 10'000'000;

// "ADDRESS:PORT" or "[V6]:PORT", as in EMQX and mosquitto.
Config::Endpoint parse_bind(Section& section, std::string_view key, std::string_view fallback) {
  const std::string text = section.string(key, fallback);
  const size_t colon = text.rfind(':');
  int port = 0;
  const char* end = text.data() + text.size();
  const bool number = colon != std::string::npos && std::from_chars(text.data() + colon + 1, end, port).ptr == end &&
                      colon + 1 < text.size();
  std::string host = text.substr(0, number ? colon : 0);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string::npos) host.clear();  // an IPv6 address needs brackets
  if (!number || host.empty() || port < 1 || port > kMaxPort)
    section.fail(key, "found \"" + text + "\"; expected \"ADDRESS:PORT\", such as \"0.0.0.0:8883\" or \"[::]:8883\"");
  return {host, static_cast<uint16_t>(port)};
}

tls::Versions parse_versions(Section& section) {
  const auto names = section.strings("versions", {"tlsv1.2", "tlsv1.3"});
  bool v12 = false, v13 = false;
  for (const auto& name : names) {
    if (name == "tlsv1.2") v12 = true;
    else if (name == "tlsv1.3") v13 = true;
    else section.fail("versions", "found \"" + name + "\"; allowed: tlsv1.2, tlsv1.3");
  }
  if (!v12 && !v13) section.fail("versions", "empty; allowed: tlsv1.2, tlsv1.3");
  return v12 && v13 ? tls::Versions::tls12_and_13 : v13 ? tls::Versions::tls13 : tls::Versions::tls12;
}

std::vector<uint16_t> parse_groups(Section& section) {
  const auto names = section.strings("groups", {"X25519MLKEM768", "X25519", "P-256", "P-384", "P-521"});
  std::vector<uint16_t> groups;
  for (const auto& name : names) {
    const uint16_t group = tls::group_named(name);
    if (group == 0) section.fail("groups", "found \"" + name + "\"; allowed: " + std::string(tls::kGroupNames));
    if (std::find(groups.begin(), groups.end(), group) != groups.end())
      section.fail("groups", "found \"" + name + "\" twice");
    groups.push_back(group);
  }
  if (groups.empty()) section.fail("groups", "empty; allowed: " + std::string(tls::kGroupNames));
  return groups;
}

bool parse_verify(Section& section) {
  return section.one_of("verify", "verify_peer", {"verify_peer", "verify_none"}) == "verify_peer";
}

// How chains are judged. The names are EMQX's; by default CRLs are checked for the leaf only, as in mosquitto.
trust::Policy parse_policy(Section& section) {
  trust::Policy policy;
  policy.depth = static_cast<unsigned>(section.integer("depth", policy.depth, 0, kMostDepth));
  policy.partial_chain = section.boolean("partial_chain", false);
  const bool all = section.one_of("crl_check", "leaf", {"leaf", "chain"}) == "chain";
  policy.revocation = all ? trust::Revocation::chain : trust::Revocation::leaf;
  return policy;
}

// "256MB" is the usual name of the protocol's own limit, which is a few bytes larger (MQTT 5.0 section 2.1.4).
uint32_t parse_packet_size(Section& section, std::string_view key, std::string_view fallback) {
  const uint64_t size = section.size(key, fallback);
  return size >= (uint64_t{256} << 20) ? mqtt::kMaxPacketSize : static_cast<uint32_t>(size);
}

Config::Flapping parse_flapping(Section section, bool& enabled) {
  Config::Flapping flapping;
  enabled = section.boolean("enable", true);
  flapping.max_count = static_cast<uint32_t>(section.integer("max_count", 15, 1, 65535));
  flapping.window_time = section.duration("window_time", "1m");
  flapping.ban_time = section.duration("ban_time", "5m");
  section.finish();
  return flapping;
}

Config::Listener parse_listener(Section section) {
  Config::Listener listener;
  listener.bind_given = section.has("bind");
  listener.bind = parse_bind(section, "bind", "0.0.0.0:8883");
  listener.certfile = section.required_string("certfile", "the PEM file of the certificate chain that devices get");
  listener.verify_peer = parse_verify(section);
  if (listener.verify_peer)
    listener.cacertfile =
        section.required_string("cacertfile", "the PEM file of the CAs that issue device certificates");
  else section.string("cacertfile", "");
  listener.crlfile = section.string("crlfile", "");
  listener.policy = parse_policy(section);
  listener.fail_if_no_peer_cert = section.boolean("fail_if_no_peer_cert", true);
  listener.versions = parse_versions(section);
  listener.backlog = static_cast<int>(section.integer("backlog", 1024, 1, 65535));
  listener.handshake_timeout = section.duration("handshake_timeout", "15s");
  listener.idle_timeout = section.duration("idle_timeout", "15s");
  listener.max_connect_size = parse_packet_size(section, "max_connect_size", "256KB");
  listener.max_packet_size = parse_packet_size(section, "max_packet_size", "256MB");
  listener.max_clientid_len = static_cast<size_t>(section.integer("max_clientid_len", 65535, 1, 65535));
  listener.max_record = static_cast<size_t>(section.size("max_record", "16KB"));
  if (listener.max_record < 512 || listener.max_record > tls::kRecord)
    section.fail("max_record", "found " + std::to_string(listener.max_record) + " bytes; expected 512 to \"16KB\"");
  listener.max_connections = section.count_or_infinity("max_connections", kMaxConnections);
  listener.max_conn_rate = section.rate("max_conn_rate", "1000/s");
  listener.messages_rate = section.rate("messages_rate", "infinity");
  listener.bytes_rate = section.byte_rate("bytes_rate", "infinity");
  listener.send_timeout = section.duration("send_timeout", "15s");
  listener.high_watermark = section.size("high_watermark", "1MB");
  if (listener.high_watermark < tls::kLeastWatermark)
    section.fail("high_watermark", "found less than one TLS record; expected at least \"17KB\"");
  listener.keepalive_multiplier = section.number("keepalive_multiplier", 1.5, 1.0, 10.0);
  listener.crl_disconnect = section.boolean("crl_disconnect", false);
  if (auto flapping = section.section("flapping_detect")) {
    bool enabled = false;
    const auto detect = parse_flapping(std::move(*flapping), enabled);
    if (enabled) listener.flapping_detect = detect;
  }
  section.finish();
  return listener;
}

Config::Remote parse_remote(Section section) {
  Config::Remote remote;
  remote.verify_peer = parse_verify(section);
  if (remote.verify_peer)
    remote.cacertfile =
        section.required_string("cacertfile", "the PEM file of the CAs that issue the broker's certificate");
  else section.string("cacertfile", "");
  remote.crlfile = section.string("crlfile", "");
  remote.policy = parse_policy(section);
  remote.versions = parse_versions(section);
  remote.server_name = section.string("server_name_indication", "");
  remote.alpn = section.strings("alpn", {});
  for (const auto& protocol : remote.alpn)
    if (protocol.empty() || protocol.size() > 255 || protocol.find(',') != std::string::npos)
      section.fail("alpn", "found \"" + protocol + "\"; expected protocol names of 1 to 255 bytes, such as \"mqtt\"");
  remote.groups = parse_groups(section);
  remote.connect_timeout = section.duration("connect_timeout", "10s");
  remote.connack_timeout = section.duration("connack_timeout", "20s");
  section.finish();
  return remote;
}

Config::Endpoint parse_endpoint(Section section) {
  Config::Endpoint endpoint;
  endpoint.host = section.required_string("host", "the local broker's name or address");
  endpoint.port = static_cast<uint16_t>(section.integer("port", 1883, 1, kMaxPort));
  section.finish();
  return endpoint;
}

Config::Endpoint parse_metrics(Section section) {
  auto endpoint = parse_bind(section, "bind", "127.0.0.1:9464");
  section.finish();
  return endpoint;
}

template <typename Parse>
auto parse_required(Section& root, std::string_view key, Parse parse) {
  auto section = root.section(key);
  if (!section) root.fail(key, "missing: add the object \"" + std::string(key) + "\": { … }");
  return parse(std::move(*section));
}

}  // namespace

Config parse_config(const std::string& text, const std::string& name, const Overrides& overrides) {
  Section root = Section::parse(text, name);
  Config config;
  config.remote_endpoint.host = root.string("remote_host", "");
  config.remote_endpoint.port = static_cast<uint16_t>(root.integer("remote_port", 8883, 1, kMaxPort));
  if (overrides.remote_host) config.remote_endpoint.host = *overrides.remote_host;
  if (overrides.remote_port) config.remote_endpoint.port = static_cast<uint16_t>(*overrides.remote_port);
  config.remote = parse_required(root, "remote", parse_remote);
  if (config.remote.server_name.empty()) config.remote.server_name = config.remote_endpoint.host;
  config.listener = parse_required(root, "listener", parse_listener);
  if (auto local = root.section("local")) config.local = parse_endpoint(std::move(*local));
  config.keyd_socket = root.string("keyd_socket", "/run/mqtt-keyd/sign.sock");
  config.sign_timeout = root.duration("sign_timeout", "5s");
  config.shutdown_timeout = root.duration("shutdown_timeout", "10s");
  config.retire_timeout = root.duration("retire_timeout", "24h");
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  config.workers =
      static_cast<int>(root.integer("workers", std::min(cores, Config::kMaxWorkers), 1, Config::kMaxWorkers));
  if (const auto most = config.listener.max_connections; most && *most < static_cast<uint64_t>(config.workers))
    root.fail("listener.max_connections", "found " + std::to_string(*most) + ", but there are " +
                                              std::to_string(config.workers) +
                                              " workers; expected at least one connection for each (or fewer workers)");
  config.max_restarts = static_cast<int>(root.integer("max_restarts", 10, 0, 1000));
  config.restart_window = root.duration("restart_window", "1m");
  config.worker_watchdog = root.duration("worker_watchdog", "10s");
  config.worker_max_memory = root.size("worker_max_memory", "1GB");
  config.require_sandbox = root.boolean("require_sandbox", false);
  config.resolve_interval = root.duration("resolve_interval", "30s");
  config.max_generations = static_cast<int>(root.integer("max_generations", 16, 2, 1000));
  config.control_socket = root.string("control_socket", "");
  if (auto metrics = root.section("metrics")) config.metrics = parse_metrics(std::move(*metrics));
  const auto level = root.one_of("log_level", "info", {"debug", "info", "warning", "error"});
  common::log::parse_level(overrides.log_level.value_or(level), config.log_level);
  root.finish();
  return config;
}

Config read_config(const std::string& file, const Overrides& overrides) {
  return parse_config(common::read_file(file, common::kMaxConfigFile), file, overrides);
}

}  // namespace relayd
