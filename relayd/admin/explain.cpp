#include "relayd/admin/explain.h"

#include <ctime>
#include <ostream>

#include "common/operator/terminal.h"
#include "relayd/admin/feed_reader.h"
#include "relayd/admin/keyd_half.h"
#include "relayd/admin/show_sessions.h"
#include "relayd/admin/texts.h"

namespace relayd::admin {
namespace {

constexpr common::Milliseconds kPatience{10'000};
constexpr size_t kMostAudit = 16 * 1024;  // bytes of one line of the audit

std::string text(const Json& object, const char* name) {
  return object.contains(name) && object[name].is_string() ? object[name].get<std::string>() : "";
}

// Parts of relayd's reasons, and what mends them; ID stands for the client id. The first one that is found counts.
struct Remedy {
  const char* why;
  const char* fix;
};
constexpr Remedy kRemedies[] = {
    {"keyd refused the device's key",
     "`mqtt-relay keys ID` says what is wrong with the key, `mqtt-relay check keyd` "
     "with keyd"},
    {"keyd did not", "`systemctl status mqtt-keyd`, then `mqtt-relay check keyd`"},
    {"no signature for the device", "`mqtt-relay check keyd`, and keyd's log: `journalctl -u mqtt-keyd`"},
    {"the device has no key on this gateway", "import its key: `mqtt-relay keys import ID.pem`"},
    {"the device showed no certificate", "give the device a certificate of an authority in listener.cacertfile"},
    {"flapping_detect", "it is let in again after ban_time; find out why it comes and goes so often"},
    {"client_id_from", "give the device the client id that its certificate names, or a certificate for its client id"},
    {"can't be reached", "`mqtt-relay check relayd` tries the broker and says what fails"},
    {"no CONNACK within connack_timeout", "the broker accepts connections but does not answer; look at its log"},
    {"refused the device's certificate", "the broker must trust the authority of the device's certificate"},
    {"'s certificate was refused", "`mqtt-relay check relayd` judges the broker's certificate"},
    {"no CONNECT within idle_timeout", "the device must send CONNECT as soon as TLS is up"},
    {"longer than its keep alive allows",
     "the device sent nothing in time: look at its network, or raise its keep alive"},
    {"took nothing for send_timeout", "a peer stopped reading: look at the network between it and this gateway"},
    {"max_packet_size", "raise listener.max_packet_size if the device may send so large a packet"},
    {"has been revoked", "the device needs a new certificate"},
    {"draining", "relayd was stopped or reloaded; the device may simply connect again"},
    {"closed by the operator", "the device may connect again; nothing has to be mended"},
    {"the device disconnected", "the device ended it in order; nothing has to be mended"},
    {"a newer connection of the same device",
     "two devices may use one client id; if it happens once, nothing has to be "
     "mended"},
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) text.replace(at, from.size(), to);
}

std::string when(const Json& ending) {
  const Json at = ending.value("at_ms", Json());
  return at.is_number_integer() ? time_text(at.get<int64_t>() / 1000) : "?";
}

std::string told_ending(const std::string& client_id, const Json& ending) {
  const bool refused = text(ending, "why").starts_with("refused: ");
  const bool by_name = text(ending, "client_id").empty();
  const bool was_up = ending.value("was_up", Json()) == true;
  std::string why = text(ending, "why");
  if (refused) why.erase(0, std::string_view("refused: ").size());
  std::string told =
      by_name ? "A device whose certificate has the common name " + client_id : "The device " + client_id;
  if (by_name && ending.value("proven", Json()) == false) told += " (which nothing proves)";
  told += refused  ? " was last refused"
          : was_up ? " had a session, which ended"
                   : " connected and left without a session";
  told += " at " + when(ending) + ": " + why + ". It came from " + text(ending, "device");
  if (const std::string listener = text(ending, "listener"); !listener.empty()) told += " to the listener " + listener;
  if (const std::string name = text(ending, "common_name"); !name.empty() && !by_name)
    told += " with a certificate for " + name;
  return told + " (session " + text(ending, "session") + ").";
}

// relayd's own words, if it had any.
std::string fix_of(const Json& ending, const std::string& client_id) {
  const std::string fix = text(ending, "fix");
  return fix.empty() ? remedy_for(text(ending, "why"), client_id) : fix;
}

std::string told_denial(const Json& denial) {
  std::string told = " keyd's audit has, at " + text(denial, "time") + ", " + text(denial, "event") + " answered " +
                     text(denial, "result");
  if (const std::string reason = text(denial, "reason"); !reason.empty()) told += ": " + reason;
  return told + ".";
}

std::string told_nothing(const std::string& client_id, const Known& known) {
  Json id = client_id;
  return "relayd remembers no end of a connection of " + client_id +
         ". Either the device has not got as far as its CONNECT since relayd's start, or more than " +
         std::to_string(known.devices) +
         " devices' connections have ended since: relayd remembers that many. The "
         "journal reaches further back: `journalctl -u mqtt-relayd -o cat | grep -F '\"client_id\":" +
         id.dump(-1, ' ', false, Json::error_handler_t::replace) + "'`.";
}

Json session_of_now(const std::string& control_socket, const std::string& client_id) {
  FeedReader reader(ask_for_feeds(control_socket, {{"command", "sessions"}, {"client", client_id}}, kPatience),
                    FeedReader::Kind::list);
  Json claimed, found;
  for (auto got = FeedReader::Got::nothing; got != FeedReader::Got::over;) {
    got = reader.next(claimed, kPatience);
    // The pattern may have stars.
    if (got == FeedReader::Got::line && text(claimed, "client_id") == client_id && text(claimed, "state") != "closing")
      found = checked_session(claimed, reader.from(), time(nullptr));
  }
  return found;
}

void read_audit(const ExplainLine& line, Known& known) try {
  const std::string answer = answer_of_keyd_half({"audit", "show", "--client=" + line.client_id, "--denied", "--limit",
                                                  "1", "--json", "--config", line.keyd_config});
  if (answer.size() > kMostAudit) throw std::runtime_error("a line of it is too long");
  known.denial = answer.empty() ? Json() : Json::parse(answer.substr(0, answer.find('\n')), nullptr, false);
  if (!known.denial.is_object()) known.denial = Json();
} catch (const std::exception& error) {
  known.audit_problem = error.what();
}

}  // namespace

std::string remedy_for(const std::string& why, const std::string& client_id) {
  for (const auto& [part, fix] : kRemedies) {
    if (why.find(part) == why.npos) continue;
    std::string text = fix;
    replace_all(text, "ID.pem", client_id + ".pem");
    replace_all(text, " ID", " " + client_id);
    return text;
  }
  return "";
}

std::string explanation(const std::string& client_id, const Known& known) {
  std::string told;
  if (!known.session.is_null())
    told = client_id + " is connected now: session " + text(known.session, "session") + " from " +
           text(known.session, "device") + ", " + text(known.session, "state") + ", since " +
           text(known.session, "since") + ". ";
  if (known.ending.is_object()) told += told_ending(client_id, known.ending);
  else told += told_nothing(client_id, known);
  if (known.denial.is_object()) told += told_denial(known.denial);
  if (!known.audit_problem.empty())
    told += " keyd's audit could not be read here; as root, look: `mqtt-relay audit show --denied --client " +
            client_id + "`.";
  if (const std::string fix = fix_of(known.ending, client_id); !fix.empty()) told += " Now: " + fix + ".";
  return told;
}

int explain(const std::string& control_socket, const ExplainLine& line, std::ostream& out, bool as_json) {
  const Json answer = ask(control_socket, {{"command", "explain"}, {"client_id", line.client_id}}, kPatience);
  Known known;
  known.ending = answer.value("ending", Json());
  const Json devices = answer.value("devices", Json());
  known.devices = devices.is_number_unsigned() ? devices.get<uint64_t>() : 0;
  known.session = session_of_now(control_socket, line.client_id);
  read_audit(line, known);
  const std::string told = explanation(line.client_id, known);
  if (!as_json) {
    out << common::visible(told) << "\n";
    return 0;
  }
  Json all = {{"client_id", line.client_id}, {"explanation", told}};
  if (known.ending.is_object()) {
    all["ending"] = known.ending;
    all["ending"]["at"] = when(known.ending);
    all["fix"] = fix_of(known.ending, line.client_id);
  }
  if (!known.session.is_null()) all["session"] = known.session;
  if (known.denial.is_object()) all["denial"] = known.denial;
  if (!known.audit_problem.empty()) all["audit_problem"] = known.audit_problem;
  all["remembered_devices"] = known.devices;
  out << all.dump(2, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) << "\n";
  return 0;
}

}  // namespace relayd::admin
