// A device without a key stays local (rule 3). If the operator may have meant a key for it, a warning is logged and
// counted: otherwise nothing would explain why its messages never reach the remote broker.
#include <algorithm>

#include "common/log.h"
#include "common/spellings.h"
#include "common/tls/sha2.h"
#include "relayd/session/session.h"

namespace relayd {
namespace {

constexpr size_t kShownId = 100;  // bytes of the id that are logged; an id may have 65,535

bool same_letter(uint8_t a, char b) {
  const auto lower = [](uint8_t c) { return c >= 'A' && c <= 'Z' ? c + 0x20 : c; };
  return lower(a) == lower(static_cast<uint8_t>(b));
}

// Not every mixture of upper and lower case can be tried, but the likely one can: a key file is often named after its
// certificate's common name. Returns the id as the certificate spells it, or "" if it has the id in no other case.
std::string as_in_certificate(std::string_view id, std::span<const uint8_t> certificate) {
  for (auto from = certificate.begin();; ++from) {
    from = std::search(from, certificate.end(), id.begin(), id.end(), same_letter);
    if (from == certificate.end()) return "";
    if (!std::equal(id.begin(), id.end(), from, [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; }))
      return {from, from + static_cast<std::ptrdiff_t>(id.size())};
  }
}

}  // namespace

// As many as fit into kMaxSpellings. For an id of more than 150 bytes some don't fit; such an id is too long to be
// mistaken.
std::string Session::other_spellings() const {
  std::string all;
  auto spellings = common::other_spellings(client_id_);
  if (std::string spelling = as_in_certificate(client_id_, chain_.leaf());
      ipc::can_name_a_key(spelling) && std::ranges::find(spellings, spelling) == spellings.end())
    spellings.insert(spellings.begin(), std::move(spelling));
  for (const std::string& spelling : spellings)
    if (all.size() + spelling.size() + 1 <= ipc::kMaxSpellings) all.append(spelling) += '/';
  return all;
}

std::string digest_of(std::string_view client_id) {
  Taken digest;
  const std::span bytes(reinterpret_cast<const uint8_t*>(client_id.data()), client_id.size());
  return !client_id.empty() && common::tls::sha2(bytes, digest.device) ? key_of(digest) : "";
}

// MQTT-3.1.4-3: a client id has one connection. Brokers judge by the client id alone, and so does this one.
void Session::take_over() {
  if (empty_as_.empty()) return;
  Taken taken{{}, connect_time_};
  std::copy(empty_as_.begin(), empty_as_.end(), taken.device.begin());
  if (const auto older = services_.on_empty_broker.find(empty_as_); older != services_.on_empty_broker.end())
    older->second->end_taken_over(taken);
  services_.on_empty_broker[empty_as_] = this;
  services_.tell_taken(services_.owner, taken);
}

void Session::leave_empty_broker() {
  const auto own = services_.on_empty_broker.find(std::exchange(empty_as_, {}));
  if (own != services_.on_empty_broker.end() && own->second == this) services_.on_empty_broker.erase(own);
}

std::string Session::keyless() const {
  return listener().local_without_key ? "the device stays local: " : "the device is refused: ";
}

void Session::warn_of_impossible_id() {
  if (client_id_.empty()) return;  // the device wants the broker to assign an id, so no key was meant
  count(services_.counters.impossible_ids);
  const auto left_out = services_.log_limits.impossible_ids.admit(now());
  if (!left_out) return;
  using common::log::Field;
  write_log(common::log::Level::warning, "device_keyless", keyless() + "its client id can't be the name of a key file",
            Field{"client_id", client_id_.substr(0, kShownId)}, Field{"why", common::why_no_file_name(client_id_)},
            Field{"fix",
                  "to reach the remote broker the device needs another client id: at most 251 bytes, without / "
                  "and without control characters"},
            Field{"suppressed", *left_out});
}

void Session::warn_of_other_spelling(std::span<const uint8_t> key) {
  count(services_.counters.other_spellings);
  const auto left_out = services_.log_limits.other_spellings.admit(now());
  if (!left_out) return;
  const std::string file = std::string(key.begin(), key.end()) + ".pem";
  const bool same_case = common::composed(client_id_) == common::composed({file.data(), key.size()});
  using common::log::Field;
  write_log(common::log::Level::warning, "device_keyless",
            keyless() + "the only key for its client id is spelled differently", Field{"client_id", client_id_},
            Field{"key_file", file},
            Field{"why", same_case ? "they differ in their Unicode form (NFC, NFD)" : "they differ in case"},
            Field{"fix", "names are compared byte by byte: rename the file, or change the device's client id"},
            Field{"suppressed", *left_out});
}

}  // namespace relayd
