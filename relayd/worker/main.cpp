// mqtt-relayd-worker: one worker of relayd. Only the supervisor executes it.
#include "common/hardening.h"
#include "relayd/worker/worker.h"

int main() {
  common::keep_standard_numbers();
  return relayd::run_worker();
}
