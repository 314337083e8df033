#include <algorithm>

#include "relayd/mqtt/types.h"
#include "relayd/supervisor/config_parts.h"
#include "relayd/supervisor/config_sections.h"

namespace relayd {
namespace {

using common::Section;

constexpr uint64_t kMaxConnections = 10'000'000;
constexpr size_t kMaxCertificates = 16;  // as many keys as keyd's listener_keyfile
constexpr size_t kMaxPath = 255;         // characters of websocket.mqtt_path
constexpr uint64_t kLeastFrame = 1024;

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

// RFC 3986 section 3.3. A client's library sends the path as it stands in the URL, so it is compared as it stands here.
bool is_path(const std::string& text) {
  return text.starts_with('/') && text.size() <= kMaxPath &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F && c != '?' && c != '#'; });
}

// As browsers send it (RFC 6454 section 6.2): in lower case, and without a path. Only such a text can ever be equal.
bool is_origin(const std::string& text) {
  const size_t mark = text.find("://");
  return mark != text.npos && mark > 0 && text.size() > mark + 3 && text.find('/', mark + 3) == text.npos &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F && (c < 'A' || c > 'Z'); });
}

Config::Websocket parse_websocket(Section section, bool& enabled) {
  Config::Websocket websocket;
  enabled = section.boolean("enable", true);
  websocket.mqtt_path = section.string("mqtt_path", "/mqtt");
  if (!is_path(websocket.mqtt_path))
    section.fail("mqtt_path", "found \"" + websocket.mqtt_path +
                                  "\"; expected the path of a URL, such as \"/mqtt\": at most " +
                                  std::to_string(kMaxPath) + " printable ASCII characters, without \"?\" and \"#\"");
  websocket.max_frame_size = parse_packet_size(section, "max_frame_size", "256MB");
  if (websocket.max_frame_size < kLeastFrame)
    section.fail("max_frame_size",
                 "found " + std::to_string(websocket.max_frame_size) + " bytes; expected at least \"1KB\"");
  websocket.allowed_origins = section.strings("allowed_origins", {});
  if (section.has("allowed_origins") && websocket.allowed_origins.empty())
    section.fail("allowed_origins", "found an empty list; expected at least one origin, or nothing for any");
  for (const auto& origin : websocket.allowed_origins)
    if (!is_origin(origin))
      section.fail("allowed_origins", "found \"" + origin +
                                          "\"; expected origins as browsers send them, such as "
                                          "\"https://app.example\": in lower case, without a path or a last \"/\"");
  section.finish();
  return websocket;
}

Config::ClientIdFrom parse_client_id_from(Section& section) {
  const auto from = section.one_of("client_id_from", "any", {"any", "cn", "san"});
  return from == "cn"    ? Config::ClientIdFrom::cn
         : from == "san" ? Config::ClientIdFrom::san
                         : Config::ClientIdFrom::any;
}

// Anyone whose PROXY header is believed can appear as any device's address, so who may send one is never a default.
std::vector<Network> parse_trusted_proxies(Section& section, bool proxy_protocol) {
  std::vector<Network> networks;
  for (const auto& text : section.strings("trusted_proxies", {})) {
    const auto network = Network::parse(text);
    if (!network)
      section.fail("trusted_proxies", "found \"" + text +
                                          "\"; expected an address or a network without host bits, such as "
                                          "\"192.0.2.10\", \"10.0.0.0/8\" or \"2001:db8::/32\"");
    networks.push_back(*network);
  }
  if (proxy_protocol && networks.empty())
    section.fail("trusted_proxies",
                 "missing or empty, but proxy_protocol is true; expected the addresses of your load balancers, such as "
                 "[ \"192.0.2.10\", \"10.0.0.0/8\" ]");
  if (!proxy_protocol && !networks.empty())
    section.fail("trusted_proxies", "set, but proxy_protocol is not true, so it would have no effect");
  return networks;
}

std::vector<std::string> parse_certfiles(Section& section) {
  auto files = section.string_or_strings("certfile");
  if (!section.has("certfile"))
    section.fail("certfile", "missing: set it to the PEM file of the certificate chain that devices get");
  if (files.empty() || files.size() > kMaxCertificates)
    section.fail("certfile", "found " + std::to_string(files.size()) + " files; expected 1 to " +
                                 std::to_string(kMaxCertificates) + ", the first for devices that ask for no name");
  if (std::ranges::find(files, "") != files.end())
    section.fail("certfile", "found \"\"; expected the PEM file of a certificate chain");
  return files;
}

}  // namespace

Config::Listener parse_listener(Section section, const std::string& name) {
  Config::Listener listener;
  listener.name = name;
  listener.setting = section.path();
  listener.route = section.one_of("route", "by_key", {"by_key", "local"}) == "local" ? Config::Listener::Route::local
                                                                                     : Config::Listener::Route::by_key;
  listener.bind_given = section.has("bind");
  listener.bind = parse_bind(section, "bind", "0.0.0.0:8883");
  listener.certfiles = parse_certfiles(section);
  listener.proxy_protocol = section.boolean("proxy_protocol", false);
  listener.proxy_protocol_timeout = section.duration("proxy_protocol_timeout", "3s");
  listener.trusted_proxies = parse_trusted_proxies(section, listener.proxy_protocol);
  listener.verify_peer = parse_verify(section);
  listener.cacertfile =
      parse_cacertfile(section, listener.verify_peer, "the PEM file of the CAs that issue device certificates");
  listener.crlfile = section.string("crlfile", "");
  listener.policy = parse_policy(section);
  listener.fail_if_no_peer_cert = section.boolean("fail_if_no_peer_cert", true);
  listener.versions = parse_versions(section);
  listener.groups = parse_groups(section);
  listener.ciphers = parse_ciphers(section, listener.versions);
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
  listener.max_conn_rate_per_address = section.rate("max_conn_rate_per_address", "infinity");
  listener.messages_rate = section.rate("messages_rate", "infinity");
  listener.bytes_rate = section.byte_rate("bytes_rate", "infinity");
  listener.send_timeout = section.duration("send_timeout", "15s");
  listener.high_watermark = section.size("high_watermark", "1MB");
  if (listener.high_watermark < tls::kLeastWatermark)
    section.fail("high_watermark", "found less than one TLS record; expected at least \"17KB\"");
  listener.keepalive_multiplier = section.number("keepalive_multiplier", 1.5, 1.0, 10.0);
  listener.client_id_from = parse_client_id_from(section);
  listener.local_without_key = section.one_of("no_key", "local", {"local", "refuse"}) == "local";
  if (listener.route == Config::Listener::Route::local && !listener.local_without_key)
    section.fail("no_key", "found \"refuse\", but `route` is \"local\", which looks up no key; remove one of the two");
  listener.crl_disconnect = section.boolean("crl_disconnect", false);
  if (auto flapping = section.section("flapping_detect")) {
    bool enabled = false;
    const auto detect = parse_flapping(std::move(*flapping), enabled);
    if (enabled) listener.flapping_detect = detect;
  }
  if (auto websocket = section.section("websocket")) {
    bool enabled = false;
    const auto settings = parse_websocket(std::move(*websocket), enabled);
    if (enabled) listener.websocket = settings;
  }
  section.finish();
  return listener;
}

}  // namespace relayd
