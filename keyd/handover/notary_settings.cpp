#include "keyd/handover/notary_settings.h"

#include <stdexcept>

namespace keyd {

std::string NotarySettings::packed() const {
  std::string protocols;
  for (const std::string& protocol : alpn) protocols += protocol + ',';
  return remote_host + '\0' + ca_path + '\0' + ca_setting + '\0' + protocols + '\0' +
         static_cast<char>('0' + static_cast<int>(log_level)) + ca_pem;
}

NotarySettings NotarySettings::unpacked(const std::string& bytes) {
  NotarySettings settings;
  std::string protocols;
  size_t at = 0;
  for (std::string* text : {&settings.remote_host, &settings.ca_path, &settings.ca_setting, &protocols}) {
    const size_t end = bytes.find('\0', at);
    if (end == bytes.npos || end + 1 == bytes.size()) throw std::runtime_error("these are not settings of the notary");
    *text = bytes.substr(at, end - at);
    at = end + 1;
  }
  for (size_t begin = 0, end; (end = protocols.find(',', begin)) != protocols.npos; begin = end + 1)
    settings.alpn.push_back(protocols.substr(begin, end - begin));
  settings.log_level = static_cast<common::log::Level>(bytes[at] - '0');
  settings.ca_pem = bytes.substr(at + 1);
  return settings;
}

}  // namespace keyd
