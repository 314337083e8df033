// What a relayed device publishes is copied to the local broker (local.tap), from a successful CONNACK on: a device
// that the remote broker refuses reaches no local subscriber either.
#include "relayd/session/session.h"

namespace relayd {
namespace {

constexpr size_t kMostEarly = 64 * 1024;  // bytes of copies that wait for CONNACK

}  // namespace

void Session::begin_tap() { tapped_ = std::make_unique<Tapped>(Tapped{services_.tap->copier(connect_.version)}); }

// Precondition: tapped_.
void Session::copy_to_tap(std::span<const uint8_t> bytes) {
  auto& [copier, early, early_count] = *tapped_;
  if (is_up_ && early.empty()) return services_.tap->copy(copier, bytes);
  copier.feed(bytes, early);
  const auto counts = copier.take_counts();
  early_count += counts.copied;
  services_.tap->count_drops(counts);
  if (is_up_) services_.tap->publish(early, early_count);
  else if (early.size() > kMostEarly) services_.tap->drop(TapDrop::queue_full, early_count);
  else return;
  early = {};
  early_count = 0;
}

}  // namespace relayd
