#include "keyd/vault/presence.h"

#include <sys/random.h>

#include <algorithm>

#include "common/tls/sha2.h"

namespace keyd {
namespace {

using Bytes = std::span<const uint8_t>;
using Id = RecentHandshakes::Id;
constexpr uint8_t kClientHello = 1, kServerHello = 2, kCertificate = 11, kServerKeyExchange = 12,
                  kCertificateVerify = 15;
constexpr uint64_t kMarksOfWindow = 16;
constexpr char kNoMemory[] = "out of memory", kTooMany[] = "too many signatures within presence_window";

void append(std::vector<uint8_t>& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

std::optional<Id> id_of(ipc::Role role, Bytes content, Bytes signature = {}) {
  std::vector<uint8_t> all{static_cast<uint8_t>(role), static_cast<uint8_t>(content.size() >> 8),
                           static_cast<uint8_t>(content.size())};
  append(all, content);
  append(all, signature);
  Id id;
  return common::tls::sha2(all, id) ? std::optional(id) : std::nullopt;
}

// A client id that has a key has no '/'.
std::string session_of(uint64_t lane, const ipc::Lookup& key) {
  return std::string(key.client_id) + "/" + std::to_string(lane) + "/" + std::to_string(key.origin.session) + "/" +
         std::string(key.spki.begin(), key.spki.end());
}
std::string device_of(const std::string& session) { return session.substr(0, session.find('/')); }

}  // namespace

const char* find_listener(const ipc::Proof& proof, Listener& found) {
  const bool tls13 = proof.presence != ipc::Presence::tls12;
  if (const char* problem = why_not_transcript(tls13, proof.messages)) return problem;
  Bytes rest = proof.messages, client_random, part;
  Message message;
  do {
    message = next_message(rest);
    if (message.type != kClientHello && message.type != kServerHello) continue;
    if (message.body.size() < 2 + 32) return "the proof has a malformed hello";
    (message.type == kClientHello ? client_random : found.server_random) = message.body.subspan(2, 32);
  } while (message.type != (tls13 ? kCertificate : kServerKeyExchange) && !rest.empty());
  if (found.server_random.empty()) return "the proof has no ServerHello";
  constexpr size_t kHead = 4;  // of the parameters: curve_type, named curve, length; of the signature: scheme, length
  if (tls13) {                 // Transcript-Hash(… Certificate), RFC 8446 section 4.4.3
    found.content.resize(proof.presence == ipc::Presence::tls13_sha384 ? 48 : 32);
    if (!common::tls::sha2(proof.messages.first(proof.messages.size() - rest.size()), found.content)) return kNoMemory;
    message = next_message(rest);
    if (message.type != kCertificateVerify) return "the proof has no server's CertificateVerify";
    part = message.body;
  } else {  // client_random ‖ server_random ‖ ServerECDHParams, RFC 8422 section 5.4
    const size_t params = message.body.size() < kHead ? kHead : kHead + message.body[kHead - 1];
    if (message.type != kServerKeyExchange || message.body.size() < params) return "the proof has no ServerKeyExchange";
    for (const Bytes covered : {client_random, found.server_random, message.body.first(params)})
      append(found.content, covered);
    part = message.body.subspan(params);
  }
  if (part.size() < kHead || part.size() - kHead != static_cast<size_t>(part[2] << 8 | part[3]))
    return "the proof has a malformed server's signature";
  found.signature = part.subspan(kHead);
  return nullptr;
}

ipc::Mark RecentHandshakes::mark() {
  const std::lock_guard guard(mutex_);
  Given given{{}, now_ns_() + window_ns_};
  while (!marks_.empty() && marks_.front().until_ns + window_ns_ <= given.until_ns) marks_.pop_front();
  if (!marks_.empty() && given.until_ns - marks_.back().until_ns < window_ns_ / kMarksOfWindow)
    return marks_.back().mark;
  if (getrandom(given.mark.data(), given.mark.size(), 0) == static_cast<ssize_t>(given.mark.size()))
    marks_.push_back(given);
  return given.mark;  // without randomness it proves nothing
}

std::optional<Id> RecentHandshakes::remember(uint64_t lane, ipc::Scheme scheme, Bytes content, Bytes signature) {
  const auto id = id_of(ipc::Role::listener, content, signature);
  const auto family = facts_of(scheme).family;
  const std::lock_guard guard(mutex_);
  const bool needs_mark = family != common::tls::Family::ecdsa && family != common::tls::Family::rsa_pss;
  return id && keep(lane, *id, needs_mark) ? id : std::nullopt;
}

// False: there are too many.
bool RecentHandshakes::keep(uint64_t lane, const Id& id, bool needs_mark) {
  const uint64_t now = now_ns_();
  if (!lanes_.empty()) {  // another worker's, which may be gone
    auto other = lanes_.upper_bound(lane);
    if (other == lanes_.end()) other = lanes_.begin();
    forget_old(other->second, now);
    if (other->second.empty()) lanes_.erase(other);
  }
  auto& own = lanes_[lane];
  forget_old(own, now);
  if (own.size() == kMostOfLane || entries_.size() == kMost) return false;
  const auto [entry, is_new] = entries_.emplace(id, Entry{lane, now + window_ns_, needs_mark});
  if (is_new) own.push_back(entry);  // the same signature again is not renewed, nor another worker's
  return true;
}

// A few at a time, because others wait meanwhile.
void RecentHandshakes::forget_old(Oldest& oldest, uint64_t now) {
  for (int i = 0; i < 8 && !oldest.empty() && oldest.front()->second.until_ns <= now; i++, oldest.pop_front()) {
    const auto entry = oldest.front();
    const std::string& session = entry->second.session;
    for (const std::string& name : {session, device_of(session)})
      if (const auto own = named_.find(name); own != named_.end() && own->second == entry) named_.erase(own);
    entries_.erase(entry);
  }
}

const char* RecentHandshakes::prove(uint64_t lane, const ipc::Lookup& lookup, PrivateKey* key, Signer& signer,
                                    std::optional<Id>& id) {
  Listener listener;
  if (const char* problem = find_listener(lookup.proof, listener)) return problem;
  id = id_of(ipc::Role::listener, listener.content, listener.signature);
  Bytes content = lookup.proof.messages, covered = content;  // RFC 5246 section 7.4.8, RFC 8446 section 4.4.3
  std::array<uint8_t, 48> buffer;
  std::optional<common::tls::CertificateVerifyContent> tls13;
  if (lookup.proof.presence != ipc::Presence::tls12) {
    const auto hash = std::span(buffer).first(listener.content.size());
    if (!common::tls::sha2(content, hash)) return kNoMemory;
    covered = tls13.emplace(common::tls::Side::client, content = hash).bytes();
  }
  const auto own = id_of(ipc::Role::device, content);
  if (!id || !own) return kNoMemory;
  const std::string session = session_of(lane, lookup);
  const auto bind = [&](bool really) -> const char* {
    const std::lock_guard guard(mutex_);
    const uint64_t now = now_ns_();
    const auto found = entries_.find(*id);
    if (found == entries_.end() || found->second.lane != lane || found->second.until_ns <= now)
      return "the proof holds no listener signature that keyd made for this worker within presence_window";
    Entry& entry = found->second;
    if (entry.needs_mark && std::ranges::none_of(marks_, [&](const Given& given) {
          return given.until_ns > now &&
                 std::ranges::equal(given.mark, listener.server_random.first(given.mark.size()));
        }))
      return "the proof holds no mark that keyd gave out within presence_window";
    if (entries_.contains(*own)) return "the device's signature is one that keyd made";
    if (!entry.session.empty()) return entry.session == session ? nullptr : "the proof is of another session";
    if (!really) return nullptr;
    entry.session = session;
    named_[session] = found;
    auto& newest = named_.emplace(device_of(session), found).first->second;
    if (newest->second.until_ns <= entry.until_ns) newest = found;
    return nullptr;
  };
  if (const char* problem = bind(false)) return problem;
  if (key && !signer.verifies(*key, lookup.proof.scheme, covered, lookup.proof.signature))
    return "the device's signature does not verify under this key";
  return bind(true);
}

Verdict RecentHandshakes::use(uint64_t lane, const ipc::Sign& sign, std::optional<Id>& id) {
  const auto own = id_of(ipc::Role::device, sign.content);
  const std::string session = session_of(lane, sign.key);
  const std::lock_guard guard(mutex_);
  const auto found = named_.find(session);
  if (found == named_.end() || found->second->second.until_ns <= now_ns_())
    return {ipc::Status::denied, "no proof of presence"};
  id = found->second->first;
  // The newest one is there: it is forgotten after the older ones have ended.
  if (named_.at(device_of(session)) != found->second)
    return {ipc::Status::superseded, "a newer connection of this device has been proved"};
  if (++found->second->second.tries > ipc::kMaxTries) return {ipc::Status::denied, "the proof is spent"};
  return own && keep(lane, *own, false) ? Verdict() : Verdict{ipc::Status::busy, kTooMany};
}

}  // namespace keyd
