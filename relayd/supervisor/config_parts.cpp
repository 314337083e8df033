#include "relayd/supervisor/config_parts.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "relayd/handover/socket_address.h"
#include "relayd/supervisor/config_file.h"

namespace relayd {

using common::Section;

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

bool is_host(const std::string& text) {
  if (SocketAddress::parse(text, 1)) return true;
  const auto fits = [](char c) { return isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_'; };
  return !text.empty() && text.size() <= 253 && text.front() != '.' && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), fits);
}

std::optional<Config::Endpoint> parse_endpoint(const std::string& text, uint16_t fallback_port) {
  uint16_t port = fallback_port;
  if (SocketAddress::parse(text, port)) return Config::Endpoint{text, port};
  std::string host = text;
  const size_t colon = text.rfind(':');
  if (colon != std::string::npos && text.back() != ']') {
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + colon + 1, end, port);
    if (read.ptr != end || read.ec != std::errc() || port == 0) return std::nullopt;
    host = text.substr(0, colon);
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string::npos) return std::nullopt;  // an IPv6 address needs its brackets
  if (!is_host(host)) return std::nullopt;
  return Config::Endpoint{host, port};
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

std::vector<std::string> parse_alpn(Section& section) {
  auto names = section.strings("alpn", {});
  for (const auto& name : names)
    if (name.empty() || name.size() > 255 || name.find(',') != std::string::npos)
      section.fail("alpn", "found \"" + name + "\"; expected protocol names of 1 to 255 bytes, such as \"mqtt\"");
  return names;
}

std::vector<uint16_t> parse_ciphers(Section& section, tls::Versions versions) {
  std::vector<std::string> standard;
  std::string allowed;
  for (const auto& suite : tls::kCipherSuites) {
    if (suite.by_default) standard.emplace_back(suite.name);
    allowed.append(allowed.empty() ? "" : ", ").append(suite.name);
  }
  std::vector<uint16_t> ciphers;
  bool usable = false;
  for (const auto& name : section.strings("ciphers", standard)) {
    const tls::CipherSuite* suite = tls::suite_named(name);
    if (!suite) section.fail("ciphers", "found \"" + name + "\"; allowed, also by their OpenSSL names: " + allowed);
    if (std::ranges::find(ciphers, suite->number) != ciphers.end())
      section.fail("ciphers", "found \"" + name + "\" twice");
    ciphers.push_back(suite->number);
    usable |= tls::fits(*suite, versions);
  }
  if (ciphers.empty()) section.fail("ciphers", "empty; allowed, also by their OpenSSL names: " + allowed);
  if (!usable)
    section.fail("ciphers", std::string("none of them is for TLS ") +
                                (versions == tls::Versions::tls13 ? "1.3" : "1.2") +
                                ", the only one of `versions`; add such a suite, or the other version");
  return ciphers;
}

bool parse_verify(Section& section) {
  return section.one_of("verify", "verify_peer", {"verify_peer", "verify_none"}) == "verify_peer";
}

std::string parse_cacertfile(Section& section, bool verify_peer, std::string_view what) {
  if (!verify_peer) section.string("cacertfile", "");  // known, and of no use
  return verify_peer ? section.required_string("cacertfile", what) : "";
}

trust::Policy parse_policy(Section& section) {
  trust::Policy policy;
  policy.depth = static_cast<unsigned>(section.integer("depth", policy.depth, 0, kMostDepth));
  policy.partial_chain = section.boolean("partial_chain", false);
  const bool all = section.one_of("crl_check", "leaf", {"leaf", "chain"}) == "chain";
  policy.revocation = all ? trust::Revocation::chain : trust::Revocation::leaf;
  return policy;
}

}  // namespace relayd
