// What a peer at the TLS port speaks, by the first bytes that it sent: a device without TLS, a browser, ssh or a load
// balancer with a PROXY header each needs another remedy than a device whose handshake fails.
//
// Pure; looks at no more than kFirstBytes bytes, which a handshake keeps (relayd/tls/stream.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "relayd/handover/speaks.h"

namespace relayd {

// `nothing`: no byte came. A start of a TLS record counts as TLS.
Speaks what_speaks(std::span<const uint8_t> first);

// What that is, and what the operator can do: a whole sentence, for those of kNotTls only.
std::string named(Speaks speaks, std::span<const uint8_t> first);

// What a server answers to a ClientHello, and in words what to do: "" for TLS, and for silence.
Speaks what_answers(std::span<const uint8_t> first);
std::string named_answer(std::span<const uint8_t> first);

}  // namespace relayd
