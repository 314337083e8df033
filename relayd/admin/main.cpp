// mqtt-relay: the operator's one command, for both daemons.
#include "common/hardening.h"
#include "relayd/admin/commands.h"

int main(int argc, char** argv) {
  common::keep_standard_numbers();
  return relayd::admin::command_line({argv + 1, argv + argc});
}
