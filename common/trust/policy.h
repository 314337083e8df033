// How a chain of certificates is to be judged. Plain choices, for programs that judge none themselves too.
#pragma once

#include <cstdint>
#include <string>

namespace trust {

enum class Purpose : uint8_t { device, remote };  // sslclient, sslserver (RFC 5280 4.2.1.12), along the whole chain
enum class Revocation : uint8_t { leaf, chain };  // which certificates CRLs are asked about, if there are CRLs

struct Policy {
  Purpose purpose = Purpose::device;
  std::string name = {};  // remote: DNS name or IP address that the leaf must be for; empty: not checked
  // Certificates between leaf and anchor, at most: EMQX's name, and as many as are read (kMaxChain). OpenSSL, and so
  // mosquitto, would take 100, EMQX 10.
  unsigned depth = 30;
  bool partial_chain = false;  // any CA of the trust file may end a chain, not only a root (EMQX's partial_chain)
  Revocation revocation = Revocation::leaf;
  bool asked_time = false;  // `now` is a time that was asked about, not this gateway's clock: words of refusals only
  bool operator==(const Policy&) const = default;
};

}  // namespace trust
