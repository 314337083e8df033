// wolfSSL's callbacks: signatures, and the peer's chain. Internal to relayd/tls.
#pragma once

struct WOLFSSL_CTX;

namespace relayd::tls {

// A connection's I/O and certificate callback context must be its HandshakeOwner.
void set_signature_callbacks(WOLFSSL_CTX* server_or_client);
void set_server_callbacks(WOLFSSL_CTX* server);
// The peer's chain is judged by the Handshake's validator. `flags` as for wolfSSL_CTX_set_verify: what else is
// required.
void judge_peers(WOLFSSL_CTX* server_or_client, int flags);

}  // namespace relayd::tls
