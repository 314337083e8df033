// wolfSSL's callbacks for signatures and for the peer's chain. Internal to relayd/tls.
#pragma once

struct WOLFSSL_CTX;

namespace relayd::tls {

// Every connection's I/O context and certificate callback context must be its HandshakeOwner.
void set_signature_callbacks(WOLFSSL_CTX* server_or_client);
// `by_name`: devices are shown a certificate by the name that they ask for.
void set_server_callbacks(WOLFSSL_CTX* server, bool by_name);
// Lets the Handshake's validator judge the peer's chain. `flags` are wolfSSL_CTX_set_verify's, for further
// requirements.
void judge_peers(WOLFSSL_CTX* server_or_client, int flags);

}  // namespace relayd::tls
