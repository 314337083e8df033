// What keyd hands to its notary at the start: the program's name, two descriptors, and the settings of bind_remote and
// bind_device.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/log_settings.h"

namespace keyd {

inline constexpr char kNotaryProgram[] = "mqtt-keyd-notary";
inline constexpr int kNotarySocket = 3;    // to the vault (question.h)
inline constexpr int kNotarySettings = 4;  // NotarySettings, packed, in a sealed memfd (common::sealed())

// As trust::Pem.
struct Authorities {
  std::string path, text, setting = {};
};

struct BoundRemote {
  std::vector<std::string> hosts;  // names without a comma and without NUL; at least one
  std::vector<std::string> alpn;   // the same; may be empty
  Authorities authorities;
};

struct BoundDevice {
  enum class ClientIdFrom : uint8_t { cn, san };  // the common name, or a DNS or URI name
  ClientIdFrom client_id_from = ClientIdFrom::cn;
  bool partial_chain = false;  // trust::Policy
  Authorities authorities;
};

struct NotarySettings {
  std::optional<BoundRemote> remote{};
  std::optional<BoundDevice> device{};
  common::log::Settings log{};

  std::string packed() const;
  // Throws std::exception.
  static NotarySettings unpacked(const std::string& bytes);
};

}  // namespace keyd
