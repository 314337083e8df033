// How to validate a chain of certificates. Plain settings, so that programs that validate none can hold them too.
#pragma once

#include <cstdint>
#include <string>

namespace trust {

enum class Purpose : uint8_t { device, remote };  // sslclient, sslserver (RFC 5280 4.2.1.12), along the whole chain
enum class Revocation : uint8_t { leaf, chain };  // which certificates are checked against the CRLs, if there are CRLs

struct Policy {
  Purpose purpose = Purpose::device;
  std::string name = {};  // remote: DNS name or IP address that the leaf must be for; empty: not checked
  // The most certificates between leaf and anchor. EMQX's name for the setting; as many as fit in kMaxChain. OpenSSL,
  // and so mosquitto, allows 100; EMQX allows 10.
  unsigned depth = 30;
  bool partial_chain = false;  // a chain may end at any CA of the trust file, not only a root (EMQX's partial_chain)
  Revocation revocation = Revocation::leaf;
  bool asked_time = false;  // the operator chose `now`; it is not this gateway's clock. Affects only refusals' words
  bool operator==(const Policy&) const = default;
};

}  // namespace trust
