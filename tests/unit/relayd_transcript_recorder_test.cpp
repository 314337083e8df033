// The handshake that relayd records is what wolfSSL wants signed and what keyd's notary accepts.
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/hash.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "catch.h"
#include "common/tls/wolf_shim.h"
#include "keyd/notary/remote_verifier.h"
#include "keyd/vault/presence.h"
#include "keyd_handshakes.h"
#include "keyd_listened.h"
#include "keyd_support.h"
#include "relayd/tls/device_proof.h"
#include "relayd/tls/transcript_recorder.h"

using relayd::tls::TranscriptRecorder;

namespace {

using Bytes = std::vector<uint8_t>;

struct Freed {
  void operator()(WOLFSSL_CTX* context) const { wolfSSL_CTX_free(context); }
  void operator()(WOLFSSL* ssl) const { wolfSSL_free(ssl); }
};
using Context = std::unique_ptr<WOLFSSL_CTX, Freed>;
using Ssl = std::unique_ptr<WOLFSSL, Freed>;

// One end of a connection in memory.
struct End {
  std::deque<char> arrived;
  End* peer = nullptr;
  TranscriptRecorder* recorder = nullptr;
  // State at the signature: the recording, and what wolfSSL wants signed.
  Bytes recorded, transcript_hash, wolf_input;

  static int receive(WOLFSSL*, char* out, int size, void* self) {
    auto& from = static_cast<End*>(self)->arrived;
    if (from.empty()) return WOLFSSL_CBIO_ERR_WANT_READ;
    const auto count = std::min(static_cast<size_t>(size), from.size());
    std::copy_n(from.begin(), count, out);
    from.erase(from.begin(), from.begin() + static_cast<long>(count));
    return static_cast<int>(count);
  }
  static int send(WOLFSSL*, char* data, int size, void* self) {
    auto& to = static_cast<End*>(self)->peer->arrived;
    to.insert(to.end(), data, data + size);
    return size;
  }
};

// Keeps the state at the signature, and makes no signature.
int sign(WOLFSSL* ssl, const byte* in, word32 size, byte*, word32*, const byte*, word32, void*) {
  auto& end = *static_cast<End*>(wolfSSL_GetIOReadCtx(ssl));
  end.wolf_input.assign(in, in + size);
  if (end.recorder) end.recorded.assign(end.recorder->messages().begin(), end.recorder->messages().end());
  end.transcript_hash.resize(64);
  const int hash_size = wolf_shim_tls13_transcript_hash(ssl, end.transcript_hash.data());
  end.transcript_hash.resize(static_cast<size_t>(std::max(hash_size, 0)));
  return -1;
}

struct Options {
  bool tls13 = true, retry = false, record = true;
  std::string suite = {};
  size_t more_names = 0;  // in both certificates, to make them larger
};

struct World {
  witness::Certificate root = witness::authority("root"), device = witness::issue({.names = ""}, &root);

  Context context(const witness::Certificate& certificate, WOLFSSL_METHOD* method, const Options& options) {
    Context made(wolfSSL_CTX_new(method));
    const std::string pem = certificate.pem(), key = certificate.key_pem(), ca = root.pem();
    const auto* bytes = reinterpret_cast<const byte*>(pem.data());
    REQUIRE(wolfSSL_CTX_use_certificate_buffer(made.get(), bytes, static_cast<long>(pem.size()), 1) == WOLFSSL_SUCCESS);
    REQUIRE(wolfSSL_CTX_use_PrivateKey_buffer(made.get(), reinterpret_cast<const byte*>(key.data()),
                                              static_cast<long>(key.size()), WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS);
    REQUIRE(wolfSSL_CTX_load_verify_buffer(made.get(), reinterpret_cast<const byte*>(ca.data()),
                                           static_cast<long>(ca.size()), WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS);
    wolfSSL_CTX_set_verify(made.get(), WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    if (!options.suite.empty())
      REQUIRE(wolfSSL_CTX_set_cipher_list(made.get(), options.suite.c_str()) == WOLFSSL_SUCCESS);
    wolfSSL_CTX_SetIORecv(made.get(), End::receive);
    wolfSSL_CTX_SetIOSend(made.get(), End::send);
    return made;
  }

  // Returns the client as it was when it had to sign.
  End shake(const Options& options, bool& overflowed) {
    std::string names = "DNS:broker.example";
    for (size_t i = 0; i < options.more_names; i++)
      names += ",DNS:" + std::to_string(i) + std::string(60, 'x') + ".example";
    const auto certificate = witness::issue({.names = names}, &root);
    const auto client_context =
        context(options.more_names ? certificate : device,
                options.tls13 ? wolfTLSv1_3_client_method() : wolfTLSv1_2_client_method(), options);
    const auto server_context =
        context(certificate, options.tls13 ? wolfTLSv1_3_server_method() : wolfTLSv1_2_server_method(), options);
    wolfSSL_CTX_SetEccSignCb(client_context.get(), sign);
    int p256[] = {WOLFSSL_ECC_SECP256R1};
    if (options.retry) wolfSSL_CTX_set_groups(server_context.get(), p256, 1);
    const Ssl client(wolfSSL_new(client_context.get())), server(wolfSSL_new(server_context.get()));
    if (options.tls13) wolfSSL_UseKeyShare(client.get(), WOLFSSL_ECC_X25519);
    constexpr std::string_view kName = "broker.example";
    REQUIRE(wolfSSL_UseSNI(client.get(), WOLFSSL_SNI_HOST_NAME, kName.data(), kName.size()) == WOLFSSL_SUCCESS);
    End at_client, at_server;
    at_client.peer = &at_server, at_server.peer = &at_client;
    TranscriptRecorder recorder(client.get());
    at_client.recorder = options.record ? &recorder : nullptr;
    wolfSSL_SetIOReadCtx(client.get(), &at_client), wolfSSL_SetIOWriteCtx(client.get(), &at_client);
    wolfSSL_SetIOReadCtx(server.get(), &at_server), wolfSSL_SetIOWriteCtx(server.get(), &at_server);
    for (int i = 0; i < 8 && at_client.wolf_input.empty(); i++) {
      {
        const TranscriptRecorder::Scope recording(at_client.recorder);
        wolfSSL_connect(client.get());
      }
      const TranscriptRecorder::Scope not_recording(nullptr);
      wolfSSL_accept(server.get());
    }
    overflowed = recorder.overflowed();
    return at_client;
  }
  // A whole handshake of the device; returns what its server records.
  Bytes serve(const Options& options, const ipc::Mark& mark) {
    const auto certificate = witness::issue({}, &root);
    const auto client_context =
        context(device, options.tls13 ? wolfTLSv1_3_client_method() : wolfTLSv1_2_client_method(), options);
    const auto server_context =
        context(certificate, options.tls13 ? wolfTLSv1_3_server_method() : wolfTLSv1_2_server_method(), options);
    int p256[] = {WOLFSSL_ECC_SECP256R1};
    if (options.retry) wolfSSL_CTX_set_groups(server_context.get(), p256, 1);
    const Ssl client(wolfSSL_new(client_context.get())), server(wolfSSL_new(server_context.get()));
    if (options.tls13) wolfSSL_UseKeyShare(client.get(), WOLFSSL_ECC_X25519);
    End at_client, at_server;
    at_client.peer = &at_server, at_server.peer = &at_client;
    TranscriptRecorder recorder(server.get(), &mark);
    wolfSSL_SetIOReadCtx(client.get(), &at_client), wolfSSL_SetIOWriteCtx(client.get(), &at_client);
    wolfSSL_SetIOReadCtx(server.get(), &at_server), wolfSSL_SetIOWriteCtx(server.get(), &at_server);
    bool done = false;
    for (int i = 0; i < 8 && !done; i++) {
      wolfSSL_connect(client.get());
      const TranscriptRecorder::Scope recording(&recorder);
      done = wolfSSL_accept(server.get()) == WOLFSSL_SUCCESS;
    }
    REQUIRE(done);
    REQUIRE_FALSE(recorder.overflowed());
    return recorder.take();
  }
  End shake(const Options& options) {
    bool overflowed = false;
    return shake(options, overflowed);
  }
  std::string notary_s_problem(ipc::Kind kind, const Bytes& transcript) {
    keyd::RemoteVerifier verifier({{"broker.example"}, {}, {"ca.pem", root.pem()}});
    return verifier.answer({.job = 1, .kind = kind, .device = device.spki()}, transcript).problem;
  }
};

// The frames of a device's whole handshake; they must add up.
std::vector<Bytes> messages_in(std::span<const uint8_t> all) {
  std::vector<Bytes> messages;
  while (!all.empty()) {
    REQUIRE(all.size() >= 4);
    const size_t size = 4 + (size_t{all[1]} << 16 | size_t{all[2]} << 8 | all[3]);
    REQUIRE(all.size() >= size);
    messages.emplace_back(all.begin(), all.begin() + static_cast<long>(size));
    all = all.subspan(size);
  }
  return messages;
}

Bytes hash_of(const Bytes& bytes, size_t size) {
  Bytes hash(size);
  REQUIRE(wc_Hash(size == 48 ? WC_HASH_TYPE_SHA384 : WC_HASH_TYPE_SHA256, bytes.data(),
                  static_cast<word32>(bytes.size()), hash.data(), static_cast<word32>(size)) == 0);
  return hash;
}

}  // namespace

TEST_CASE("recorded messages of TLS 1.3 are the input of the transcript hash") {
  World world;
  for (const std::string suite : {"TLS13-AES128-GCM-SHA256", "TLS13-AES256-GCM-SHA384"})
    for (const bool retry : {false, true}) {
      CAPTURE(suite, retry);
      const End client = world.shake({.retry = retry, .suite = suite});
      REQUIRE_FALSE(client.wolf_input.empty());
      REQUIRE_FALSE(client.recorded.empty());
      CHECK(client.recorded[0] == (retry ? 254 : 1));
      CHECK(hash_of(client.recorded, client.transcript_hash.size()) == client.transcript_hash);
      CHECK(world.notary_s_problem(ipc::Kind::tls13_client_bound, client.recorded) == "");
    }
}

TEST_CASE("recorded messages of TLS 1.2 are what the client signs") {
  World world;
  const End client = world.shake({.tls13 = false});
  REQUIRE(client.wolf_input.size() == 32);
  CHECK(hash_of(client.recorded, 32) == client.wolf_input);
  CHECK(world.notary_s_problem(ipc::Kind::tls12_client, client.recorded) == "");
}

TEST_CASE("without a recorder nothing is recorded") {
  World world;
  const End client = world.shake({.record = false});
  CHECK_FALSE(client.wolf_input.empty());
  CHECK(client.recorded.empty());
}

TEST_CASE("more messages than keyd takes are not recorded") {
  World world;
  bool overflowed = true;
  CHECK_FALSE(world.shake({.more_names = 150}, overflowed).wolf_input.empty());
  CHECK_FALSE(overflowed);
  const End client = world.shake({.more_names = 230}, overflowed);  // a certificate message may have 18 KiB
  CHECK_FALSE(client.wolf_input.empty());
  CHECK(overflowed);
  CHECK(client.recorded.size() < ipc::kMaxTranscript);
}

TEST_CASE("what relayd records of a device's handshake proves the device's presence to keyd") {
  for (const std::string type : {"P-256", "P-384", "RSA:2048", "ED25519"}) {
    World world;
    world.device = witness::issue({.names = "", .key = type}, &world.root);
    for (const bool tls13 : {true, false})
      for (const std::string suite : {tls13 ? "TLS13-AES128-GCM-SHA256" : "", "TLS13-AES256-GCM-SHA384"})
        for (const bool retry : {false, true}) {
          if (!tls13 && (retry || !suite.empty())) continue;
          CAPTURE(type, tls13, suite, retry);
          keyd::RecentHandshakes handshakes(std::chrono::seconds(60));
          const ipc::Mark mark = handshakes.mark();
          const auto presence = !tls13                               ? ipc::Presence::tls12
                                : suite == "TLS13-AES256-GCM-SHA384" ? ipc::Presence::tls13_sha384
                                                                     : ipc::Presence::tls13_sha256;
          const relayd::tls::DeviceProof proof(presence,
                                               world.serve({.tls13 = tls13, .retry = retry, .suite = suite}, mark));
          REQUIRE_FALSE(proof.empty());
          witness::Recorded recorded;
          recorded.hash_size = tls13 ? presence == ipc::Presence::tls13_sha384 ? 48 : 32 : 0;
          recorded.messages = messages_in(proof.view().messages);
          CHECK(recorded.messages[0][0] == (retry ? 254 : 1));
          const keyd_test::Listened listened(recorded);
          REQUIRE(handshakes.remember(1, listened.scheme, listened.content, listened.signature));

          keyd_test::Vault vault;
          std::string problem;
          const auto key = keyd_test::parse(world.device.key_pem(), vault, problem);
          REQUIRE(key);
          keyd::Signer signer;
          ipc::Lookup lookup;
          lookup.proof = proof.view();
          std::optional<keyd::RecentHandshakes::Id> id;
          const char* refusal = handshakes.prove(1, lookup, key.get(), signer, id);
          CHECK(std::string(refusal ? refusal : "") == "");
        }
  }
}

TEST_CASE("a handshake without a device's signature, or cut anywhere, is no proof") {
  World world;
  const Bytes whole = world.serve({}, {});
  using relayd::tls::DeviceProof;
  const auto size = DeviceProof(ipc::Presence::tls13_sha256, whole).view().messages.size();
  for (size_t cut = 0; cut < whole.size(); cut++) {
    const DeviceProof proof(ipc::Presence::tls13_sha256, {whole.begin(), whole.begin() + static_cast<long>(cut)});
    CHECK(proof.view().messages.size() <= size);
  }
  CHECK(DeviceProof(ipc::Presence::tls13_sha256, {}).empty());
  CHECK(DeviceProof(ipc::Presence::tls13_sha256, {15, 0, 0, 3, 1, 2, 3}).empty());
  CHECK(DeviceProof().why_empty().find("next connection has one") != std::string::npos);
  CHECK(DeviceProof::too_long().empty());
  CHECK(DeviceProof::too_long().why_empty().find("at most 32 KiB") != std::string::npos);
  // RSASSA-PSS keys sign with rsa_pss_pss_sha256, which keyd does not know and would take for no message at all.
  const DeviceProof foreign(ipc::Presence::tls13_sha256, {15, 0, 0, 5, 8, 9, 0, 1, 7});
  CHECK(foreign.empty());
  CHECK(foreign.view().messages.empty());
  CHECK(foreign.why_empty().find("scheme 0x0809") != std::string::npos);
}
