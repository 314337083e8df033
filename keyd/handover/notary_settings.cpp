#include "keyd/handover/notary_settings.h"

#include <stdexcept>

namespace keyd {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += name + ',';
  return list;
}

std::vector<std::string> names_in(const std::string& list) {
  std::vector<std::string> names;
  for (size_t begin = 0, end; (end = list.find(',', begin)) != list.npos; begin = end + 1)
    names.push_back(list.substr(begin, end - begin));
  return names;
}

}  // namespace

std::string NotarySettings::packed() const {
  return joined(remote_hosts) + '\0' + ca_path + '\0' + ca_setting + '\0' + joined(alpn) + '\0' +
         static_cast<char>('0' + static_cast<int>(log_level)) + ca_pem;
}

NotarySettings NotarySettings::unpacked(const std::string& bytes) {
  NotarySettings settings;
  std::string hosts, protocols;
  size_t at = 0;
  for (std::string* text : {&hosts, &settings.ca_path, &settings.ca_setting, &protocols}) {
    const size_t end = bytes.find('\0', at);
    if (end == bytes.npos || end + 1 == bytes.size()) throw std::runtime_error("these are not settings of the notary");
    *text = bytes.substr(at, end - at);
    at = end + 1;
  }
  settings.remote_hosts = names_in(hosts);
  settings.alpn = names_in(protocols);
  settings.log_level = static_cast<common::log::Level>(bytes[at] - '0');
  settings.ca_pem = bytes.substr(at + 1);
  return settings;
}

}  // namespace keyd
