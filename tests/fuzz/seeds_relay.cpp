// fuzz_seeds_relay FOLDER: what devices, brokers, supervisors and operators say when all is well, in the folders that
// tests/fuzz/run names.
#include <fstream>
#include <string>
#include <string_view>

#include "common/program.h"
#include "relayd/handover/channel.h"
#include "relayd/handover/connector_plan.h"
#include "relayd/handover/findings.h"
#include "relayd/handover/plan.h"
#include "tests/fuzz/require.h"

namespace {

using namespace std::literals;

std::string folder;

void write(const std::string& name, std::string_view bytes) {
  std::ofstream out(folder + "/" + name, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(out.flush());
}

// MQTT packets, as the standard's tables have them.
constexpr auto kConnect311 =
    "\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04"
    "dev1"sv;
constexpr auto kConnect31 =
    "\x10\x12\0\x06MQIsdp\x03\x02\0\x3c\0\x04"
    "dev1"sv;
constexpr auto kConnect5 =
    "\x10\x1f\0\x04MQTT\x05\xc6\0\x3c\x05\x11\0\0\0\x0a\0\x02"
    "d1\0\0\x01t\0\x01w\0\x01u\0\x01p"sv;
constexpr auto kSubscribe5 =
    "\x82\x09\0\x01\0\0\x03"
    "a/#\x01"sv;
constexpr auto kSubscribe3 =
    "\x82\x08\0\x01\0\x03"
    "a/#\x01"sv;
constexpr auto kPublish5 =
    "\x32\x0f\0\x03"
    "a/b\0\x02\x02\x01\x01hello"sv;
constexpr auto kPublish3 =
    "\x32\x0c\0\x03"
    "a/b\0\x02hello"sv;
constexpr auto kPing = "\xc0\0"sv, kDisconnect = "\xe0\0"sv, kPubrel = "\x62\x02\0\x02"sv;
constexpr auto kConnack5 = "\x20\x0a\0\0\x07\x13\0\x1e\x1f\0\x01r"sv;

// One piece, then pieces of one, two and three bytes (tests/fuzz/pieces.h).
void stream(const std::string& name, const std::string& bytes) {
  write("stream/" + name + "-whole", std::string(1, '\0') + bytes);
  write("stream/" + name + "-cut", "\x03\x01\x02\x03" + bytes);
}

void mqtt() {
  write("connect/v311", kConnect311);
  write("connect/v31", kConnect31);
  write("connect/v5", kConnect5);
  stream("v311", std::string(kConnect311) + std::string(kSubscribe3) + std::string(kPublish3) + std::string(kPing) +
                     std::string(kDisconnect));
  stream("v5", std::string(kConnect5) + std::string(kSubscribe5) + std::string(kPublish5) + std::string(kPubrel) +
                   std::string(kDisconnect));
  stream("connack", std::string(kConnack5) + std::string(kPublish5));
  for (const auto& [name, packet] :
       {std::pair{"subscribe5", kSubscribe5}, {"publish5", kPublish5}, {"pubrel", kPubrel}}) {
    std::string body(packet.substr(1));
    body[0] = packet[0];  // the flags, then the body
    write("packets/"s + name, body);
  }
}

void handed_over() {
  relayd::Plan plan;
  plan.config.brokers = {{{"broker.example", 8883}, "broker.example", "ca.pem"}};
  plan.config.listeners.emplace_back();
  plan.pem.listeners.push_back({{{"a.pem", "text"}}, {}, {}});
  plan.sockets = {{1}};
  const relayd::Revocations revocations{{{"n", {"a", "b"}, {"c", "d"}, {}}}};
  write("plan/plan", "\0"s + common::read_sealed(plan.to_memfd().get()));
  write("plan/revocations", "\1"s + common::read_sealed(revocations.to_memfd().get()));
  write("plan/disconnect", "\2"s + relayd::Order{relayd::Order::What::disconnect, "d-1", 7}.encode());
  const relayd::LogLevels levels{.level = common::log::Level::warning, .clients = {{"d-1", common::log::Level::debug}}};
  write("plan/log", "\2"s + relayd::Order{.what = relayd::Order::What::log, .log = levels}.encode());
  const trust::Concern concern{trust::Concern::Kind::expired, "f", "s", "p", "a", true};
  relayd::ConnectorPlan connector;
  connector.brokers = {{"broker.example", 8883}};
  connector.certs_dir = "/etc/mqtt-relay/certs";
  write("plan/connector", "\4"s + common::read_sealed(connector.to_memfd().get()));
  write("plan/names", "\5"s + relayd::NamesReport{"broker.example", {{"192.0.2.1:8883\n"}, ""}}.encode());
  const auto text = [](const auto& message) {
    const auto bytes = relayd::channel::encode(message);
    return std::string(bytes.begin(), bytes.end());
  };
  using namespace relayd::channel;
  write("plan/dial", "\6"s + text(Question{1, Dial{Target::remote, 10'000, 7, {2, 3}}}));
  write("plan/judge", "\6"s + text(Question{0, Judge{Target::local, 2, true}}));
  relayd::DialFailure failure;
  failure.add("192.0.2.1:8883", "Connection refused");
  write("plan/connected", "\7"s + text(Answer{1, Connected{2, 0, false, "192.0.2.2:8883", {3}, failure}}));
  write("plan/keyd", "\7"s + text(Answer{4, KeydAnswer{"Connection refused"}}));
  write("plan/certificate", "\6"s + text(Question{5, Certificate{"thermo-1"}}));
  using Found = CertificateAnswer::Found;
  write("plan/certificate-file",
        "\7"s + text(Answer{5, CertificateAnswer{Found::file, "", "-----BEGIN CERTIFICATE-----"}}));
  write("plan/certificate-missing", "\7"s + text(Answer{5, CertificateAnswer{Found::missing, "", ""}}));
  write("plan/certificate-unusable", "\7"s + text(Answer{5, CertificateAnswer{Found::unusable, "it is empty", ""}}));
  write("plan/findings", "\3"s + relayd::Findings{"a problem", {}, {concern}}.encode());
}

void words() {
  write("hello/http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  write("hello/ssh", "SSH-2.0-OpenSSH_9.2\r\n");
  write("hello/proxy", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
  write("proxy/version-1", "PROXY TCP6 2001:db8::1 2001:db8::2 12345 8883\r\n");
  write("proxy/unknown", "PROXY UNKNOWN\r\n");
  // TCP over IPv4, with a unique id (5), an authority (2) and a wrong checksum (3).
  write("proxy/version-2",
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x20"
        "\xc0\0\2\1\xc0\0\2\2\x30\x39\x22\xb3\5\0\3abc\2\0\4host\3\0\4\1\2\3\4"s);
  write("proxy/local", "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"s);
  write("hello/mqtt", kConnect311);
  write("hello/alert", "\x15\x03\x03\0\x02\x02\x28"sv);
  // legacy_version, random, no session id, two suites, no compression, supported_groups (RFC 8446 4.1.2, 4.2.7).
  std::string hello =
      "\x03\x03"s + std::string(32, 'r') + "\0\0\x04\xc0\x23\x13\x01\x01\0\0\x08\0\x0a\0\x04\0\x02\0\x16"s;
  hello = "\x01\0\0"s + static_cast<char>(hello.size()) + hello;
  write("hello/client-hello", "\x16\x03\x01\0"s + static_cast<char>(hello.size()) + hello);
  const auto upgrade =
      "GET /mqtt?x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"s;
  write("websocket_upgrade/mqtt", upgrade + "Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n\r\n\x82\x80");
  write("websocket_upgrade/none", upgrade + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n");
  // Two sizes of pieces, then frames: binary, ping, a message in fragments, close.
  write("websocket_frames/all",
        "\2\1\5\x82\x83\1\2\3\4\x54\x55\x56\x89\x81\0\0\0\0p\2\x81\0\0\0\0a\x80\x80\0\0\0\0"
        "\x82\xfe\0\x7e\0\0\0\0"s +
            std::string(126, 'x') + "\x88\x82\0\0\0\0\x03\xe8"s);
  write("control/status", "{\"command\":\"status\"}\n");
  write("control/log-level", "{\"command\":\"log-level\",\"level\":\"debug\",\"client_id\":\"d-1\",\"seconds\":600}\n");
  write("control/reload", "{\"command\":\"reload\"}\n");
  write("control/disconnect", "{\"command\":\"disconnect\",\"client_id\":\"d-1\"}\n");
  write("text/pem", "a word\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n-----BEGIN X509 CRL-----\n");
}

}  // namespace

int main(int, char** arguments) {
  folder = arguments[1];
  mqtt();
  handed_over();
  words();
}
