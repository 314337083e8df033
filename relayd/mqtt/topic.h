// Topic names and topic filters (MQTT section 4.7, 4.8.2). The text is already known to be MQTT UTF-8.
#pragma once

#include <string_view>

#include "relayd/mqtt/types.h"

namespace mqtt {

// A topic to publish to: at least one character, no `+` and no `#`.
bool is_topic_name(std::string_view topic);

// A filter to subscribe with: at least one character; `+` alone in its level; `#` alone in the last level. In 5.0,
// `$share/name/filter` must have a name without wildcards and a valid filter; in 3.x it is a filter like any other.
bool is_topic_filter(std::string_view filter, Version version);

// 5.0: the filter requests a shared subscription.
bool is_shared_filter(std::string_view filter);

}  // namespace mqtt
