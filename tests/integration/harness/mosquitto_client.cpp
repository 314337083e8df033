#include "tests/integration/harness/mosquitto_client.h"

namespace harness {

std::vector<std::string> mosquitto_client(const std::string& program, const Endpoint& door, const Identity& identity,
                                          const std::string& client_id, const std::vector<std::string>& more) {
  std::vector<std::string> argv = {program};
  const auto add = [&](const char* flag, const std::string& value) { argv.insert(argv.end(), {flag, value}); };
  add("-h", door.host);
  add("-p", std::to_string(door.port));
  add("--cafile", authorities().root);
  add("--cert", identity.certificate);
  add("--key", identity.key);
  add("-i", client_id);
  argv.insert(argv.end(), more.begin(), more.end());
  return argv;
}

}  // namespace harness
