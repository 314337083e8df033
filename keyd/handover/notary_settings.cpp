#include "keyd/handover/notary_settings.h"

#include <stdexcept>

namespace keyd {

std::string NotarySettings::packed() const {
  return remote_host + '\0' + ca_file + '\0' + static_cast<char>('0' + static_cast<int>(log_level)) + ca_pem;
}

NotarySettings NotarySettings::unpacked(const std::string& bytes) {
  const size_t host = bytes.find('\0'), file = host == bytes.npos ? host : bytes.find('\0', host + 1);
  if (file == bytes.npos || file + 1 == bytes.size()) throw std::runtime_error("these are not settings of the notary");
  return {bytes.substr(0, host), bytes.substr(host + 1, file - host - 1), bytes.substr(file + 2),
          static_cast<common::log::Level>(bytes[file + 1] - '0')};
}

}  // namespace keyd
