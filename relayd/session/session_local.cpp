// A device that has no key stays local, by rule 3. Where the operator may have meant a key, that is said and counted:
// its messages would be missed at the remote broker, and nothing else would tell.
#include <algorithm>

#include "common/log.h"
#include "common/spellings.h"
#include "relayd/session/session.h"

namespace relayd {
namespace {

constexpr size_t kShownId = 100;  // bytes of an id that may have 65,535

bool same_letter(uint8_t a, char b) {
  const auto lower = [](uint8_t c) { return c >= 'A' && c <= 'Z' ? c + 0x20 : c; };
  return lower(a) == lower(static_cast<uint8_t>(b));
}

// Any mixture of case can't be tried. The likely one can: a key is often named as its certificate is, whose common name
// lies in it as it is written. "": the certificate has the id in no other case.
std::string as_in_certificate(std::string_view id, std::span<const uint8_t> certificate) {
  for (auto from = certificate.begin();; ++from) {
    from = std::search(from, certificate.end(), id.begin(), id.end(), same_letter);
    if (from == certificate.end()) return "";
    if (!std::equal(id.begin(), id.end(), from, [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; }))
      return {from, from + static_cast<std::ptrdiff_t>(id.size())};
  }
}

}  // namespace

// As many as fit: an id of more than 150 bytes has them too long to be mistaken.
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

void Session::warn_of_impossible_id() {
  if (client_id_.empty()) return;  // it asks for a name of the broker's: no key can have been meant
  count(services_.counters.impossible_ids);
  const auto left_out = services_.impossible_ids.admit(now());
  if (!left_out) return;
  common::log::warning("the device stays local: no key file can have its client id as a name",
                       {{"worker", services_.worker},
                        {"session", id_},
                        {"device", address_.text()},
                        {"client_id", client_id_.substr(0, kShownId)},
                        {"why", common::why_no_file_name(client_id_)},
                        {"fix",
                         "to go to the remote broker it needs another client id: at most 251 bytes, without / "
                         "and control characters"},
                        {"suppressed", *left_out}});
}

void Session::warn_of_other_spelling(std::span<const uint8_t> key) {
  count(services_.counters.other_spellings);
  const auto left_out = services_.other_spellings.admit(now());
  if (!left_out) return;
  const std::string file = std::string(key.begin(), key.end()) + ".pem";
  const bool same_case = common::composed(client_id_) == common::composed({file.data(), key.size()});
  common::log::warning("the device stays local: there is a key for its client id in another spelling only",
                       {{"worker", services_.worker},
                        {"session", id_},
                        {"device", address_.text()},
                        {"client_id", client_id_},
                        {"key_file", file},
                        {"why", same_case ? "they differ in their Unicode form (NFC, NFD)" : "they differ in case"},
                        {"fix", "names are compared byte by byte: rename the file, or change the device's client id"},
                        {"suppressed", *left_out}});
}

}  // namespace relayd
