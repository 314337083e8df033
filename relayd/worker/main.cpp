// mqtt-relayd-worker: one worker of relayd. The supervisor executes it; it serves no other purpose.
#include "common/hardening.h"
#include "relayd/worker/worker.h"

int main() {
  common::keep_standard_numbers();
  return relayd::run_worker();
}
