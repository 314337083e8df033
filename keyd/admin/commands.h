// The command line of mqtt-relay-keys: `keys` and its `import` and `remove`, `audit verify`, `audit show`, and keyd's
// half of `check`.
#pragma once

namespace keyd::admin {

// Runs what the command line says and returns the exit status.
int command_line(int argc, char** argv);

}  // namespace keyd::admin
