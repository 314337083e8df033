#include "tests/integration/harness/operator.h"

#include "test_paths.h"

namespace harness {

ProcessOptions mqtt_relay(std::vector<std::string> words, const fs::path& folder) {
  words.insert(words.begin(), (folder.empty() ? fs::path(MQTT_RELAY_PROGRAMS) : folder) / "mqtt-relay");
  return {.argv = std::move(words)};
}

Json check_named(const Finished& report, const std::string& name, const std::string& daemon) {
  const Json json = Json::parse(report.out);
  for (const auto& check : json.at("checks"))
    if (check.at("name") == name && check.at("daemon") == daemon) return check;
  throw Failure("there is no check " + name + " of " + daemon);
}

}  // namespace harness
