#include "relayd/session/key_advice.h"

#include "common/json_line.h"

namespace relayd {
namespace {

constexpr size_t kShownSpki = 8;  // bytes: as many as a table of `mqtt-relay keys` shows

// As one word for a shell: the operator copies it from the log, and a device chose it.
std::string word(std::string_view text) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";
  if (!text.empty() && text.find_first_not_of(kPlain) == text.npos) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

KeyAdvice advice_on_key(ipc::Status status, std::string_view client_id, const ipc::Spki& spki) {
  const std::string id(client_id), file = id + ".pem";
  switch (status) {
    case ipc::Status::mismatch:
      return {"key " + file + " does not match the certificate that " + id + " presented (SPKI " +
                  common::hex(spki.data(), kShownSpki) + "…)",
              "install the device's key again: `mqtt-relay keys import --replace --as=" + word(id) + " KEYFILE`"};
    case ipc::Status::unusable:
      return {"key " + file + " can't be used",
              "`mqtt-relay keys " + std::string(id.starts_with('-') ? "-- " : "") + word(id) + "` says why"};
    case ipc::Status::denied:
      return {"it may not be used now",
              "`mqtt-relay audit show --denied --client=" + word(id) + "` says which rule forbids it"};
    case ipc::Status::busy:
      return {"keyd has too many requests, of this worker or for this key",
              "find out what asks so often (`mqtt-relay audit show --client=" + word(id) +
                  "`), or raise max_queue, worker_rate or key_rate in keyd.json"};
    case ipc::Status::internal:
      return {"keyd can't sign now: its audit can't be written, or its notary is away",
              "`mqtt-relay check keyd` and keyd's log say which"};
    case ipc::Status::superseded: return {"a newer connection of the same device is known", ""};
    default:
      return {std::string("keyd answered \"") + ipc::name(status) + "\"", "report it: this is a fault of mqtt-relay"};
  }
}

}  // namespace relayd
