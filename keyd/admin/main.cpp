// mqtt-relay-keys: the half of the operator's command mqtt-relay that reads keys and keyd's audit. bin/mqtt-relay
// executes it, in the manner of git; operators do not start it themselves.
#include "common/hardening.h"
#include "keyd/admin/commands.h"

int main(int argc, char** argv) {
  common::keep_standard_numbers();
  return keyd::admin::command_line(argc, argv);
}
