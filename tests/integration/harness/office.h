// A world with a control socket, and an operator's commands.
#pragma once

#include <string>
#include <vector>

#include "tests/integration/harness/world.h"

namespace harness {

struct Office {
  explicit Office(int workers, Json relayd = Json::object(), Json keyd = Json::object())
      : world({.keyd = std::move(keyd), .relayd = with_socket(workers, std::move(relayd))}) {}

  fs::path socket() const {
    fs::permissions(directory / "", fs::perms::all);  // relayd runs as another user
    return directory / "control.sock";
  }
  Finished ask(const std::vector<std::string>& words) { return world.relay().ask_relayd(words); }

  const TempDir directory;
  World world;

 private:
  Json with_socket(int workers, Json relayd) const {
    relayd["workers"] = workers;
    relayd["control_socket"] = socket();
    return relayd;
  }
};

}  // namespace harness
