// What is kept of a connection's end for `mqtt-relay explain`.
#include <chrono>

#include "relayd/session/session.h"

namespace relayd {

// `claimed`: the common name in a certificate that was refused.
void Session::remember_end(std::string_view why, std::string_view fix, const std::string& claimed) const {
  if (!services_.endings) return;
  std::string common_name = claimed;
  // Its name takes 42 µs to read: only for a device that got no session.
  if (common_name.empty() && !is_up_ && !chain_.empty()) common_name = tls::names_in(chain_).common_name;
  if (client_id_.empty() && common_name.empty()) return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  services_.endings->remember({.at = std::chrono::duration_cast<Milliseconds>(now).count(),
                               .session = id_,
                               .was_up = is_up_,
                               .proven = claimed.empty(),
                               .client_id = client_id_,
                               .common_name = std::move(common_name),
                               .device = address_.text(),
                               .listener = listener_.shown,
                               .why = std::string(why),
                               .fix = std::string(fix)});
}

}  // namespace relayd
