// Stream's handshake: prepares wolfSSL, lets Handshake run it, and says how it ended.
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

#include <algorithm>

#include "common/tls/spki.h"
#include "common/tls/wolf_shim.h"
#include "relayd/tls/stream.h"

namespace relayd::tls {
namespace {

constexpr unsigned kEd25519Oid[] = {0x06, 0x03, 0x2b, 0x65, 0x70};  // 1.3.101.112, RFC 8410 section 3

bool is_ed25519(std::span<const uint8_t> public_key_der) {
  return std::search(public_key_der.begin(), public_key_der.end(), std::begin(kEd25519Oid), std::end(kEd25519Oid)) !=
         public_key_der.end();
}

// The log is JSON, and escaped quotes are hard to grep.
std::string single_quoted(std::string text) {
  std::replace(text.begin(), text.end(), '"', '\'');
  return text;
}

}  // namespace

bool Stream::begin(WOLFSSL_CTX* context, SigningKey key, trust::Validator* validator) {
  ssl_.reset(wolfSSL_new(context));
  if (!ssl_) return false;
  auto* owner = static_cast<HandshakeOwner*>(this);
  wolfSSL_SetIOReadCtx(ssl_.get(), owner);
  wolfSSL_SetIOWriteCtx(ssl_.get(), owner);
  wolfSSL_SetCertCbCtx(ssl_.get(), owner);
  handshake_ = std::make_unique<Handshake>(runtime_, ssl_.get(), std::move(key), validator,
                                           [this](Handshake::Progress progress) { on_progress(progress); });
  return true;
}

bool Stream::server_handshake(const ServerContext& context, SigningKey key, std::span<const uint8_t> begun) {
  if (!begin(context.certificates().front().context.get(), std::move(key), context.validator())) return false;
  handshake_->choose_from(context);
  wolf_shim_bound_sent_records(ssl_.get(), context.max_record());
  state_ = State::handshake;
  poll_->set_patient(true);
  take_begun(begun);
  watch();
  return true;
}

void Stream::take_begun(std::span<const uint8_t> begun) {
  if (begun.empty()) return;
  keep_first(begun);
  handshake_->keep_hello(begun);
  window_ = begun;
  received_ = true;  // in this event
  on_progress(handshake_->advance());
}

bool Stream::client_handshake(const ClientContext& context, const CertificateChain& own, SigningKey key, Hello hello,
                              Handshake::OnVerified on_verified) {
  if (!begin(context.get(), std::move(key), context.validator())) return false;
  handshake_->on_verified(std::move(on_verified));
  WOLFSSL* ssl = ssl_.get();
  if (wolfSSL_use_certificate_chain_buffer_format(ssl, own.der.data(), static_cast<long>(own.der.size()),
                                                  WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS)
    return false;
  // Without any key, wolfSSL does not keep the messages that a TLS 1.2 Ed25519 signature covers. The public key, passed
  // as the key, makes it keep them. It signs nothing: the callback does.
  if (const auto public_key = common::tls::spki_in(own.leaf());
      (kNeedsPublicKey || is_ed25519(public_key)) &&
      wolfSSL_use_PrivateKey_buffer(ssl, public_key.data(), static_cast<long>(public_key.size()),
                                    WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS)
    return false;
  return begin_client(context, hello);
}

bool Stream::anonymous_handshake(const ClientContext& context, Hello hello, Handshake::OnVerified on_verified) {
  if (!begin(context.get(), {ipc::Role::listener, "", {}, {}}, context.validator())) return false;  // signs nothing
  handshake_->on_verified(std::move(on_verified));
  return begin_client(context, hello);
}

bool Stream::own_handshake(const ClientContext& context, const ipc::Origin& origin, Hello hello) {
  const CertificateChain& own = context.certificate();
  if (own.empty()) return anonymous_handshake(context, hello);
  return client_handshake(context, own, {ipc::Role::local, "", own.spki, origin}, hello);
}

bool Stream::was_asked_for_certificate() const { return wolf_shim_was_asked_for_certificate(ssl_.get()); }

bool Stream::begin_client(const ClientContext& context, Hello hello) {
  WOLFSSL* ssl = ssl_.get();
  const ClientOptions& options = context.options();
  if (!context.named_by_address() &&
      wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, options.name.data(),
                     static_cast<unsigned short>(options.name.size())) != WOLFSSL_SUCCESS)
    return false;
  if (!options.alpn.empty()) {
    std::string list;
    for (const auto& protocol : options.alpn) list.append(list.empty() ? "" : ",").append(protocol);
    if (wolfSSL_UseALPN(ssl, list.data(), static_cast<unsigned>(list.size()), WOLFSSL_ALPN_FAILED_ON_MISMATCH) !=
        WOLFSSL_SUCCESS)
      return false;
  }
  if (options.versions != Versions::tls12)
    for (const uint16_t group : key_shares(options.groups, hello))
      if (wolfSSL_UseKeyShare(ssl, group) != WOLFSSL_SUCCESS) return false;
  received_ = true;  // a client speaks first
  const auto progress = handshake_->advance();
  if (progress == Handshake::Progress::failed) return false;
  flush();
  watch();
  return true;
}

// A flight leaves whole: what precedes a signature waits for it, and a client's Finished waits for the CONNECT. Each
// part sent by itself would wake the peer once more, and be a packet of its own.
void Stream::on_progress(Handshake::Progress progress) {
  keep_leftover();  // the callbacks below may reuse the scratch buffer that holds it
  switch (progress) {
    case Handshake::Progress::parked: hold(); return watch();
    case Handshake::Progress::wants_io: flush(); return watch();
    case Handshake::Progress::failed: flush(); return fail_handshake();
    case Handshake::Progress::done: hold(); break;
  }
  proof_ = handshake_->take_proof();
  peer_chain_ = std::move(handshake_->peer_chain());
  handshake_.reset();
  wolfSSL_UnloadCertsKeys(ssl_.get());  // the device's chain, which wolfSSL would keep as long as the connection
  open();
  // A server without session tickets sends nothing after the client's Finished. By default the kernel delays the bare
  // ACK, and so a device without TCP_NODELAY delays its CONNECT, by 40 ms (tcp(7), measured).
  const int on = 1;
  if (wolf_shim_is_server(ssl_.get())) setsockopt(socket_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
  handler_.on_open(*this);
  if (state_ == State::open) pump();  // data may have come with the handshake's last message
}

void Stream::fail_handshake() {
  const bool our_fault = handshake_->not_signed() || handshake_->exhausted();
  say_why(our_fault ? number(Alert::internal_error) : wolf_shim_alert_for(handshake_->wolf_error()));
  if (const auto& not_signed = handshake_->not_signed()) {
    const char* what = not_signed->status ? ipc::name(*not_signed->status) : "no answer in time";
    const bool denied = not_signed->status == ipc::Status::denied;
    end(End::Cause::signature, std::string("keyd did not sign: ") + what +
                                   (denied ? "; its audit says why: `mqtt-relay audit show --denied`" : ""));
    if (end_) end_->status = not_signed->status;
  } else if (handshake_->exhausted()) {
    end(End::Cause::exhausted, "no memory for a TLS handshake");
  } else if (const auto& refusal = handshake_->refusal()) {
    end(End::Cause::peer_certificate, single_quoted("sent a certificate chain that was refused: " + refusal->text()));
    if (end_) {
      end_->advice = single_quoted(refusal->advice);
      end_->doubt = trust::doubt_of(refusal->code);
      end_->refused_name = handshake_->refused_name();
    }
  } else {
    end_tls(handshake_->wolf_error());
  }
  report_end();
}

}  // namespace relayd::tls
