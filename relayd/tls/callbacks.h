// wolfSSL's callbacks: signatures, and the peer's chain. Internal to relayd/tls.
#pragma once

struct WOLFSSL_CTX;

namespace relayd::tls {

// A connection's I/O and certificate callback context must be its HandshakeOwner.
void set_signature_callbacks(WOLFSSL_CTX* server_or_client);
void set_server_callbacks(WOLFSSL_CTX* server);
// `flags` as for wolfSSL_CTX_set_verify. The verified chain goes to Handshake::peer_chain().
void capture_verified_chain(WOLFSSL_CTX* server, int flags);
// The peer must have a verified certificate, and one for Handshake::peer_name().
void check_name_of_peer(WOLFSSL_CTX* client);

}  // namespace relayd::tls
