// Reading a configuration file: JSON with comments, every key known, every error exact.
//
// A Section is one object of the document. A program reads the keys that it knows; finish() then refuses all other
// keys. Every error is a ConfigError whose text names the file or the environment variable, the line, the path, what
// was found and what is allowed: "/etc/x.json: line 7: listener.bind: found 70 (number); expected "ADDRESS:PORT"".
//
// The document may have layers (config_layers.h). A value from the environment is a text. Where a string, a duration, a
// size or a rate is asked for, the text is the value, as it stands; where a number, a boolean, a list or an object is
// asked for, the text must be JSON; where a string or a list may be, a text that is a JSON list is one.
// Start-up only: errors are exceptions, and nothing here is fast.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/config_error.h"
#include "common/units.h"

namespace common {

struct ConfigLayers;
struct ConfigSources;

// Text to append to the error for a missing file. "" unless the file is a credential, which the service manager passes
// (systemd.exec(5), LoadCredential=).
std::string about_missing_credential(const std::string& file);

class Section {
 public:
  // Parses `text` (UTF-8 JSON, // and /* */ comments allowed, repeated keys refused). Errors begin with `name`.
  static Section parse(std::string_view text, const std::string& name);
  // A file of at most 1 MiB, its drop-ins, and the environment's variables that begin with `prefix`.
  static Section load(const std::string& file, std::string_view prefix);

  ~Section();
  Section(Section&&) noexcept;

  std::optional<std::string> string(std::string_view key);
  std::string string(std::string_view key, std::string_view fallback);
  std::string required_string(std::string_view key, std::string_view what);
  int64_t integer(std::string_view key, int64_t fallback, int64_t least, int64_t most);
  std::optional<uint64_t> count_or_infinity(std::string_view key, uint64_t most);  // absent: infinity, which is nullopt
  double number(std::string_view key, double fallback, double least, double most);
  bool boolean(std::string_view key, bool fallback);
  Milliseconds duration(std::string_view key, std::string_view fallback);  // "500ms" "15s" "5m" "1h" "1d"
  uint64_t size(std::string_view key, std::string_view fallback);          // "64KB" "1MB" "1GB", powers of 1024
  Rate rate(std::string_view key, std::string_view fallback);              // "1000/s" "10/m" "infinity"
  Rate byte_rate(std::string_view key, std::string_view fallback);         // "100KB/s" "1MB/m" "infinity"
  std::string one_of(std::string_view key, std::string_view fallback, const std::vector<std::string_view>& allowed);
  std::vector<std::string> strings(std::string_view key, const std::vector<std::string>& fallback);
  // A string alone is a list of one; absent: an empty list.
  std::vector<std::string> string_or_strings(std::string_view key);
  // A list of strings and objects; absent: an empty list. The path of an item is "key[0]".
  std::vector<std::variant<std::string, Section>> strings_or_sections(std::string_view key);
  std::optional<Section> section(std::string_view key);  // absent: nullopt
  bool has(std::string_view key) const;
  std::vector<std::string> keys() const;  // all, sorted
  std::string path() const;               // of this section, such as "listener"; "" for the whole document
  // What sets `key`, and its path, for errors: "/etc/x.json: listener.bind".
  std::string origin(std::string_view key) const;
  const ConfigSources& sources() const;

  // Refuses keys that were never read; the error names the nearest key, and lists those that exist.
  void finish();

  // A ConfigError about `key` of this section, for checks that only the caller can make.
  [[noreturn]] void fail(std::string_view key, const std::string& problem) const;

 private:
  struct Node;
  explicit Section(std::unique_ptr<Node> node);
  static Section of(ConfigLayers layers);
  enum class As { text, list, value };  // what an environment's text may be, besides a text
  nlohmann::json* find(std::string_view key, As as);
  Section inside(nlohmann::json& object, std::string path) const;
  [[noreturn]] void fail_type(std::string_view key, const nlohmann::json& found, std::string_view expected) const;
  std::unique_ptr<Node> node_;
};

// The variables of each daemon begin with these.
inline constexpr std::string_view kKeydVariables = "MQTT_KEYD_", kRelaydVariables = "MQTT_RELAYD_";

inline constexpr size_t kMaxConfigFile = 1024 * 1024;  // bytes

// Reads a whole regular file of at most `limit` bytes; a ConfigError names `file` and the cause.
std::string read_file(const std::string& file, size_t limit);

// "15s" → 15 s and "1MB" → 1048576; nullopt if the text is malformed or out of range.
std::optional<Milliseconds> parse_duration(std::string_view text);
std::optional<uint64_t> parse_size(std::string_view text);
std::optional<Rate> parse_rate(std::string_view text);
std::optional<Rate> parse_byte_rate(std::string_view text);

}  // namespace common
