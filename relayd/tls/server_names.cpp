#include "relayd/tls/server_names.h"

#include <algorithm>

namespace relayd::tls {
namespace {

std::string lower(std::string_view name) {
  std::string text(name);
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

// URIs are not for TLS servers (RFC 6125 section 1.8), and have a ':'.
bool is_dns_name(const std::string& name) { return !name.empty() && name.find(':') == name.npos; }

}  // namespace

bool ServerNames::add(const trust::Names& names) {
  const size_t number = certificates_++;
  bool any = false, own = false;
  const auto take = [&](const std::string& name) {
    any = true;
    own = numbers_.emplace(lower(name), number).second || own;
  };
  for (const auto& name : names.alternative)
    if (is_dns_name(name)) take(name);
  if (!any && is_dns_name(names.common_name)) take(names.common_name);
  return own;
}

size_t ServerNames::find(std::string_view asked) const {
  const std::string name = lower(asked);
  auto found = numbers_.find(name);
  const size_t dot = name.find('.');
  if (found == numbers_.end() && dot != name.npos) found = numbers_.find("*" + name.substr(dot));
  return found == numbers_.end() ? 0 : found->second;
}

}  // namespace relayd::tls
