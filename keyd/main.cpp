// keyd: the only process that reads private keys. It parses no network byte and signs TLS handshakes only.
#include "common/hardening.h"
#include "keyd/admin/commands.h"
#include "keyd/startup/serve.h"

int main(int argc, char** argv) {
  common::keep_standard_numbers();
  return keyd::admin::command_line(argc, argv, keyd::serve);
}
