#include "keyd/notary/remote_verifier.h"

#include <arpa/inet.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>

#include "common/tls/handshake_signature.h"
#include "common/tls/sha2.h"
#include "common/tls/spki.h"
#include "keyd/notary/signature.h"

namespace keyd {
namespace {

using common::tls::sha2;
using common::tls::spki_in;

static_assert(kMaxChain == trust::Validator::kMaxChain);

std::string refusal_text(const trust::Refusal& refusal) {
  const bool other_name =
      refusal.code == X509_V_ERR_HOSTNAME_MISMATCH || refusal.code == X509_V_ERR_IP_ADDRESS_MISMATCH;
  return std::string("the remote broker's ") + (refusal.position < 0 ? "chain: " : "") + refusal.text() + "; " +
         (other_name ? "set bind_remote.remote_host to a name of the certificate" : refusal.advice);
}

// RFC 8446 section 4.4.3.
const char* check_tls13(const Transcript& parsed, Bytes server_key) {
  std::array<uint8_t, common::tls::CertificateVerifyContent::kMostHash> buffer;
  const auto hash = std::span(buffer).first(parsed.hash_size);
  if (!sha2(parsed.server_signed, hash)) return kUnchecked;
  const common::tls::CertificateVerifyContent content(common::tls::Side::server, hash);
  return check_signature(true, parsed.server_scheme, server_key, content.bytes(), parsed.server_signature);
}

// RFC 8422 section 5.4.
const char* check_tls12(const Transcript& parsed, Bytes server_key) {
  std::vector<uint8_t> content;
  for (const Bytes part : {parsed.client_random, parsed.server_random, parsed.server_signed})
    content.insert(content.end(), part.begin(), part.end());
  return check_signature(false, parsed.server_scheme, server_key, content, parsed.server_signature);
}

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string lower(std::string_view name) {
  std::string text(name);
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

bool is_address(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// "a, b", or "none".
std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kMostShown = 200;
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  if (text.size() > kMostShown) text.replace(kMostShown, std::string::npos, "…");
  return text.empty() ? "none" : text;
}

// Of a list that the parser has accepted: each after its length.
std::vector<std::string> names_in(Bytes list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    names.emplace_back(text_of(list.subspan(1, list[0])));
    list = list.subspan(size_t{1} + list[0]);
  }
  return names;
}

}  // namespace

RemoteVerifier::RemoteVerifier(const BoundRemote& settings) : protocols_(settings.alpn) {
  const auto& [path, text, setting] = settings.authorities;
  const trust::Pem pem{path, text, setting};
  for (const std::string& host : settings.hosts)
    brokers_.push_back({is_address(host) ? "" : lower(host),
                        trust::Validator(pem, {}, {.purpose = trust::Purpose::remote, .name = host})});
}

trust::Validator::Counts RemoteVerifier::counts() const {
  trust::Validator::Counts all{};
  for (const Broker& broker : brokers_) {
    const auto counts = broker.validator.counts();
    all.cached += counts.cached;
    all.computed += counts.computed;
    all.parsed += counts.parsed;
    all.signatures += counts.signatures;
  }
  return all;
}

NotaryAnswer RemoteVerifier::answer(const Question& question, Bytes transcript) {
  NotaryAnswer answer{.job = question.job};
  Transcript parsed;
  const std::string problem = judge(question, transcript, parsed);
  strncpy(answer.problem, problem.c_str(), sizeof answer.problem - 1);
  if (problem.empty()) answer.transcript_hash = static_cast<uint16_t>(parsed.hash_size);
  return answer;
}

std::string RemoteVerifier::judge(const Question& question, Bytes transcript, Transcript& parsed) {
  if (const char* problem = parse_transcript(question.kind, transcript, parsed)) return problem;
  if (common::tls::spki_hash(parsed.client.leaf()) != question.device)
    return "the client's certificate in the transcript is not the device's";
  if (std::string problem = judge_chain(parsed); !problem.empty()) return problem;
  if (std::string problem = judge_protocols(parsed); !problem.empty()) return problem;

  const Bytes server = spki_in(parsed.server.leaf());
  const char* problem =
      question.kind == ipc::Kind::tls13_client_bound ? check_tls13(parsed, server) : check_tls12(parsed, server);
  return problem ? std::string("the server's ") + problem : "";
}

// By the broker for which the ClientHello asks. A name in another case is the same name (RFC 6066 section 3). Several
// brokers may be addresses, which no ClientHello names: one of them must accept the chain.
std::string RemoteVerifier::judge_chain(const Transcript& parsed) {
  const std::string name = lower(text_of(parsed.server_name));
  std::string problem;
  std::vector<std::string> names;
  for (Broker& broker : brokers_) {
    names.push_back(broker.server_name.empty() ? "an address (none)" : broker.server_name);
    if (broker.server_name != name) continue;
    const auto verdict = broker.validator.validate(parsed.server.chain(), time(nullptr));
    if (!verdict.refusal) return "";
    problem = refusal_text(*verdict.refusal);
  }
  if (!problem.empty()) return problem;
  return "the ClientHello asks for the server name " + (name.empty() ? "none" : listed({name})) +
         ", and bind_remote.remote_host is " + listed(names);
}

// Protocols are compared byte by byte.
std::string RemoteVerifier::judge_protocols(const Transcript& parsed) const {
  const auto offered = names_in(parsed.protocols);
  if (offered != protocols_)
    return "the ClientHello offers the ALPN protocols " + listed(offered) + ", and bind_remote.alpn is " +
           listed(protocols_);
  const std::string chosen(text_of(parsed.protocol));
  if (!chosen.empty() && std::find(offered.begin(), offered.end(), chosen) == offered.end())
    return "the server chose the ALPN protocol " + listed({chosen}) + ", which was not offered";
  return "";
}

}  // namespace keyd
