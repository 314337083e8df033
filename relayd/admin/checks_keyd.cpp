// The checks of keyd, as a worker sees it: does it answer, does it serve this user, does it have the listener's key?
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/fd.h"
#include "common/unix_address.h"
#include "ipc/codec.h"
#include "relayd/admin/check.h"
#include "relayd/admin/loop.h"
#include "relayd/supervisor/key_check.h"
#include "relayd/tls/context.h"

namespace relayd::admin {
namespace {

using common::quoted;

constexpr timeval kPatience{5, 0};  // a socket unit may be starting keyd

void no_keyd(CheckContext& context, const std::string& problem, const std::string& fix) {
  context.keyd_problem = context.config.keyd_socket + ": " + problem;
  context.keyd_fix = fix;
}

void say_hello(CheckContext& context) {
  const std::string& path = context.config.keyd_socket;
  const auto address = common::UnixAddress::of(path);
  if (!address)
    return no_keyd(context, "a socket's path has at most " + std::to_string(common::UnixAddress::kMostPath) + " bytes",
                   "set keyd_socket to the value of socket in keyd.json");
  const common::Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
    setsockopt(fd.get(), SOL_SOCKET, option, &kPatience, sizeof kPatience);
  if (!fd || connect(fd.get(), address->get(), address->kSize) != 0) {
    const int error = errno;
    if (error == EACCES)
      return no_keyd(context, strerror(error), "`chmod 755 " + quoted(common::parent_of(path)) + "`");
    return no_keyd(context, std::string(strerror(error)) + "; no keyd serves there",
                   "`systemctl start mqtt-keyd`; `mqtt-relay check keyd` says why it does not serve, and socket in "
                   "keyd.json where it does");
  }
  ipc::RequestBuffer request;
  ipc::ResponseBuffer answer;
  const size_t size = ipc::encode(ipc::Request{0, ipc::Hello{ipc::kVersion, kSupervisor}}, request);
  if (::send(fd.get(), request.data(), size, MSG_NOSIGNAL) < 0 && errno != EPIPE)
    return no_keyd(context, strerror(errno), "`systemctl restart mqtt-keyd`");
  const ssize_t got = ::recv(fd.get(), answer.data(), answer.size(), 0);
  if (got < 0 && errno == EAGAIN)
    return no_keyd(context, "keyd does not answer", "`systemctl restart mqtt-keyd`, and see its log");
  if (got <= 0) {
    const std::string user = common::user_name(context.self);
    return no_keyd(context, "keyd refuses " + user,
                   context.self == 0 ? "run this as relayd's user: root is refused unless allowed_users names it"
                                     : "name \"" + user + "\" in allowed_users of keyd.json, then `systemctl restart " +
                                           "mqtt-keyd`; its audit says why: `mqtt-relay audit show --denied`");
  }
  const auto response = ipc::decode_response({answer.data(), static_cast<size_t>(got)});
  const auto welcome = response ? ipc::decode_welcome(response->payload) : std::nullopt;
  if (!response || response->status != ipc::Status::ok || !welcome || welcome->version != ipc::kVersion)
    return no_keyd(context, "the program that answers there is not a keyd of this version",
                   "install both programs of one version");
  // What it says of itself, if it does: another check reports silence.
  const size_t asked = ipc::encode(ipc::Request{1, std::monostate{}}, request);
  if (::send(fd.get(), request.data(), asked, MSG_NOSIGNAL) < 0) return;
  const ssize_t size_of_answer = ::recv(fd.get(), answer.data(), answer.size(), 0);
  if (size_of_answer <= 0) return;
  const auto state = ipc::decode_response({answer.data(), static_cast<size_t>(size_of_answer)});
  const auto counters = state ? ipc::decode_counters(state->payload) : std::nullopt;
  if (counters && counters->degraded)
    no_keyd(context, "keyd can't write its audit, so it signs nothing",
            "make room for it, or start its reader; `systemctl status mqtt-keyd` and its log name the cause");
  else if (counters && counters->notary_away)
    no_keyd(context, "keyd's notary does not answer, so no device's key signs",
            "it is restarted within seconds; if it stays away, see `journalctl -u mqtt-keyd`");
}

}  // namespace

void ask_keyd(CheckContext& context) {
  say_hello(context);
  if (!context.keyd_problem.empty()) return;
  std::vector<OwnKeyCheck::Certificate> certificates;
  try {
    for (const auto& listener : context.config.listeners) {
      const auto pem = read_certificates(context.config_file, listener);
      const tls::ServerContext usable({.certificates = pem, .verify_peer = false});
      for (size_t i = 0; i < pem.size(); i++)
        certificates.push_back({pem[i].name(), usable.certificates()[i].spki, ipc::Role::listener});
    }
    if (const auto file = context.config.local_certfile(); !file.empty()) {
      const auto pem = read_pem(context.config_file, "local.tls.certfile", file);
      const tls::ClientContext usable(
          {.trusted = {}, .certificate = pem, .verify_peer = false, .name = "", .alpn = {}});
      certificates.push_back({pem.name(), usable.certificate().spki, ipc::Role::local});
    }
  } catch (const common::ConfigError&) {
    return;  // check_listener_certificate and check_local_certificate report it
  }
  struct Answer {
    Loop loop;
    CheckContext& context;
    void heard(const OwnKeyCheck::Verdict& verdict) {
      context.listener_key = verdict;
      loop.stop();
    }
  } answer{{}, context};
  const OwnKeyCheck asked(answer.loop.get(), std::move(certificates), context.config.keyd_socket, &answer,
                          common::call<&Answer::heard>);
  answer.loop.run();
}

Check check_keyd(const CheckContext& context) {
  if (!context.keyd_problem.empty()) return {Result::error, context.keyd_problem, context.keyd_fix};
  return {Result::ok, context.config.keyd_socket + ": keyd answers, and serves " + common::user_name(context.self)};
}

Check check_listener_key(const CheckContext& context) {
  if (!context.keyd_problem.empty()) return {Result::skipped, "keyd can't be asked: see keyd"};
  if (!context.listener_key) return {Result::skipped, "there is no certificate to ask for: see listener-certificate"};
  const auto& verdict = *context.listener_key;
  if (verdict.result != OwnKeyCheck::Result::fits) return {Result::error, verdict.problem, verdict.remedy};
  std::string files;
  for (const auto& listener : context.config.listeners)
    for (const auto& file : listener.certfiles) files.append(files.empty() ? "" : ", ").append(file);
  if (const auto file = context.config.local_certfile(); !file.empty()) files.append(", ").append(file);
  return {Result::ok, "keyd has the key of " + files};
}

}  // namespace relayd::admin
