// A stage whose remote broker is at the far end of a ShapedLink. The witness runs beside the broker, so the link does
// not affect it.
#pragma once

#include "tests/faults/shaped_link.h"
#include "tests/faults/stage.h"

namespace faults {

// The name that the name server resolves to the remote.
inline const std::string remote_name = "broker.faults.test";

// `scratch` holds the remote's certificate, which contains its address and remote_name.
inline void put_remote_at(harness::WorldOptions& world, const std::string& address, const harness::fs::path& scratch) {
  world.remote_at = {address, harness::ports::remote};
  world.remote_server = harness::server_identity("remote", "p256", "IP:" + address + ",DNS:" + remote_name, scratch);
}

inline void put_remote_far(harness::WorldOptions& world, const ShapedLink& link, const harness::fs::path& scratch) {
  put_remote_at(world, link.far_address(), scratch);
  world.remote_before_exec = link.at_far_end();
}

inline StageOptions with_far_remote(const ShapedLink& link, const harness::TempDir& scratch,
                                    StageOptions options = {}) {
  options.world = [&](harness::WorldOptions& world) { put_remote_far(world, link, scratch.path()); };
  options.near_remote = [&](const std::function<void()>& work) { link.run_at_far_end(work); };
  return options;
}

}  // namespace faults
