// Recognises the protocol that a peer speaks at the TLS port by its first bytes. A device without TLS, a browser, ssh
// and a load balancer that sends a PROXY header each need a different remedy from a device whose handshake fails.
//
// Pure. `first`: at most tls::Stream::kFirstBytes bytes, which a handshake keeps.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "relayd/handover/speaks.h"

namespace relayd {

// `nothing`: no byte came. The start of a TLS record counts as TLS.
Speaks what_speaks(std::span<const uint8_t> first);

// Names the protocol and says what the operator can do, in a whole sentence. "" for protocols that are not in kNotTls.
std::string named(Speaks speaks, std::span<const uint8_t> first);

// The same for a server's answer to a ClientHello. named_answer() returns "" for TLS and for silence.
Speaks what_answers(std::span<const uint8_t> first);
// `port_setting`: what the operator may have to correct, such as "remote_port".
std::string named_answer(std::span<const uint8_t> first, std::string_view port_setting);

}  // namespace relayd
