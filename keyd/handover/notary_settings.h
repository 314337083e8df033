// What keyd hands to its notary at the start: the program's name, two descriptors, and the settings of bind_remote.
#pragma once

#include <string>
#include <vector>

#include "common/log.h"

namespace keyd {

inline constexpr char kNotaryProgram[] = "mqtt-keyd-notary";
inline constexpr int kNotarySocket = 3;    // to the vault (question.h)
inline constexpr int kNotarySettings = 4;  // NotarySettings, packed, in a sealed memfd (common::sealed())

struct NotarySettings {
  std::vector<std::string> remote_hosts;    // names without a comma and without NUL
  std::string ca_path, ca_setting, ca_pem;  // as trust::Pem
  common::log::Level log_level = common::log::Level::info;
  std::vector<std::string> alpn{};  // the same
  std::string packed() const;
  // Throws std::runtime_error.
  static NotarySettings unpacked(const std::string& bytes);
};

}  // namespace keyd
