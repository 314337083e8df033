// The parts that several sections of relayd.json share: addresses, and what a TLS context is made of. config_file.h
// says how errors look.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config.h"
#include "relayd/handover/config.h"

namespace relayd {

inline constexpr int64_t kMaxPort = 65535;

// "ADDRESS:PORT" or "[V6]:PORT", as in EMQX and mosquitto.
Config::Endpoint parse_bind(common::Section& section, std::string_view key, std::string_view fallback);

// Whether it is an address, or may be a name: letters, digits, '-', '.' and '_', at most 253 bytes.
bool is_host(const std::string& text);
// "broker.example", "broker.example:8883", "192.0.2.1", "2001:db8::1", "[2001:db8::1]:8883". nullopt: none of these.
std::optional<Config::Endpoint> parse_endpoint(const std::string& text, uint16_t fallback_port);

// `versions`, `groups`, `ciphers` of these versions, `alpn`, `verify` (true: verify_peer), and `cacertfile`, which
// verify_peer requires; `what` says what is in it.
tls::Versions parse_versions(common::Section& section);
std::vector<uint16_t> parse_groups(common::Section& section);
std::vector<uint16_t> parse_ciphers(common::Section& section, tls::Versions versions);
std::vector<std::string> parse_alpn(common::Section& section);
bool parse_verify(common::Section& section);
std::string parse_cacertfile(common::Section& section, bool verify_peer, std::string_view what);

// How chains are judged: `depth`, `partial_chain`, `crl_check`. The names are EMQX's; by default CRLs are checked for
// the leaf only, as in mosquitto.
trust::Policy parse_policy(common::Section& section);

}  // namespace relayd
