#include "relayd/supervisor/control.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <utility>

#include "common/log.h"
#include "common/not_yet.h"
#include "common/unix_address.h"
#include "ipc/protocol.h"
#include "relayd/handover/session_text.h"

namespace relayd {
namespace {

using Json = nlohmann::ordered_json;
using common::ConfigError;

constexpr int kBacklog = 16;
constexpr size_t kMostRequest = 4096;  // JSON escapes a byte of a client id with six characters at most
constexpr common::Milliseconds kReloadAtMost{120'000};  // two of them, one after the other

[[noreturn]] void fail(const std::string& path, const std::string& cause) {
  throw ConfigError("control_socket: found \"" + path + "\": " + cause);
}

[[noreturn]] void fail_for_now(const std::string& path, const std::string& cause) {
  throw common::NotYet("control_socket: found \"" + path + "\": " + cause);
}

common::UnixAddress address_of(const std::string& path) {
  std::string problem;
  const auto address = common::UnixAddress::to_listen(path, problem);
  if (!address) fail(path, problem);
  return *address;
}

common::Fd new_socket() { return common::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

void remove_dead(const std::string& path, const common::UnixAddress& address) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return;  // bind(2) will say why
  if (!S_ISSOCK(info.st_mode)) fail(path, "there is a file that is not a socket; remove it or choose another path");
  const common::Fd probe = new_socket();
  if (connect(probe.get(), address.get(), address.kSize) == 0 || errno == EAGAIN)
    fail_for_now(path, "another relayd answers on it; stop that one, or choose another path");
  if (errno != ECONNREFUSED) fail(path, strerror(errno));
  unlink(path.c_str());
}

common::Fd listen_on(const std::string& path) {
  const common::UnixAddress address = address_of(path);
  remove_dead(path, address);
  common::Fd fd = new_socket();
  const mode_t before = umask(0117);  // the file never has a wider mode, not even for a moment
  const int bound = bind(fd.get(), address.get(), address.kSize);
  const int error = errno;
  umask(before);
  if (!fd) fail_for_now(path, strerror(error));
  // Its directory may appear later, or become relayd's user's later (RuntimeDirectory=, tmpfiles.d(5)).
  if (bound != 0 && (error == ENOENT || error == EACCES))
    fail_for_now(path,
                 std::string(strerror(error)) +
                     "; its directory must exist and be writable for relayd's user (RuntimeDirectory= in the unit)");
  if (bound != 0 && !common::passes(error)) fail(path, strerror(error));
  if (bound != 0 || ::listen(fd.get(), kBacklog) != 0) fail_for_now(path, strerror(bound != 0 ? error : errno));
  return fd;
}

// True also if it has died and is not reaped yet. The kernel knows, so no list can be out of date.
bool is_own_child(pid_t pid) {
  siginfo_t none{};
  return pid > 0 && waitid(P_PID, static_cast<id_t>(pid), &none, WEXITED | WNOHANG | WNOWAIT) == 0;
}

std::string line(const Json& object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }
std::string done(const std::string& message) { return line({{"ok", true}, {"message", message}}); }
std::string refused(const std::string& error) { return line({{"ok", false}, {"error", error}}); }

struct BadRequest : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The object in the first line of a request. A member of another type is none.
class Request {
 public:
  explicit Request(std::string_view text) : object_(Json::parse(text.substr(0, text.find('\n')), nullptr, false)) {}

  bool has(const char* key) const { return object_.is_object() && object_.contains(key); }
  std::optional<std::string> text(const char* key) const {
    if (!has(key) || !object_[key].is_string()) return std::nullopt;
    return object_[key].get<std::string>();
  }
  // A session keeps only the beginning of a longer one, for the log: it can't have a key.
  std::string client_id() const {
    std::string id = text("client_id").value_or("");
    if (id.size() > ipc::kMaxClientId)
      throw BadRequest("found a client id of " + std::to_string(id.size()) +
                       " bytes; sessions are found by one of at most " + std::to_string(ipc::kMaxClientId));
    return id;
  }
  std::string pattern() const {
    std::string pattern = text("client").value_or("");
    if (pattern.size() > ipc::kMaxClientId)
      throw BadRequest("found a pattern of " + std::to_string(pattern.size()) + " bytes; allowed: at most " +
                       std::to_string(ipc::kMaxClientId));
    return pattern;
  }
  uint64_t session() const {
    const std::string shown = text("session").value_or("");
    const auto session = session_of(shown);
    if (!session || *session == 0)
      throw BadRequest("found \"" + shown +
                       "\", which is no session: its id has 16 hexadecimal digits, as `mqtt-relay sessions` and "
                       "the log show it");
    return *session;
  }
  // What a change of the log's level asks for.
  LogChange log_change() const {
    LogChange change{.client_id = client_id()};
    if (has("client_id") && change.client_id.empty())
      throw BadRequest("found an empty client id; a log level is for one that has at least a byte");
    const std::string level = text("level").value_or("");
    const auto found = std::ranges::find(common::log::kLevelNames, level);
    if (found != std::end(common::log::kLevelNames))
      change.level = static_cast<common::log::Level>(found - std::begin(common::log::kLevelNames));
    else if (level != "default")
      throw BadRequest("found the level \"" + level + "\"; allowed: debug, info, warning, error, default");
    if (!has("seconds")) return change;
    if (!object_["seconds"].is_number_unsigned() || object_["seconds"] == 0 ||
        object_["seconds"] > LogChange::kMostSeconds)
      throw BadRequest("found " + object_["seconds"].dump() + " seconds; allowed: 1 to " +
                       std::to_string(LogChange::kMostSeconds));
    if (!change.level) throw BadRequest("found a time for the level \"default\", which needs none");
    change.seconds = object_["seconds"];
    return change;
  }
  bool flag(const char* key) const { return has(key) && object_[key] == true; }
  uint32_t limit() const {
    if (!has("limit")) return 0;
    if (!object_["limit"].is_number_unsigned() || object_["limit"] > UINT32_MAX)
      throw BadRequest("found a limit that is no number; allowed: 1 to 4294967295");
    return object_["limit"];
  }

 private:
  const Json object_;
};

std::string_view name(common::log::Level level) { return common::log::kLevelNames[static_cast<size_t>(level)]; }

// `log` of the answer to log-level.
Json described(const Control::Owner::LogState& state) {
  Json log, clients = Json::array();
  log["level"] = name(state.overrides.levels(state.configured).level);
  log["configured"] = name(state.configured);
  log["by_command"] = false;
  for (const auto& one : state.overrides.all()) {
    Json& to = one.client_id.empty() ? log : clients.emplace_back(Json{{"client_id", one.client_id}});
    to["level"] = name(one.level);
    if (one.client_id.empty()) log["by_command"] = true;
    if (one.until != 0) to["seconds_left"] = (std::max(one.until, state.now) - state.now + 999) / 1000;
  }
  log["clients"] = std::move(clients);
  return log;
}

}  // namespace

Control::Control(uv_loop_t* loop, const std::string& path, Owner& owner, uid_t user)
    : path_(path),
      owner_(owner),
      user_(user),
      responder_(loop, listen_on(path), {.request = kMostRequest, .answer = kReloadAtMost}, *this) {
  lstat(path_.c_str(), &file_);
}

// The file stays if another one has taken its place.
Control::~Control() {
  struct stat now {};
  if (lstat(path_.c_str(), &now) == 0 && now.st_dev == file_.st_dev && now.st_ino == file_.st_ino)
    unlink(path_.c_str());
}

// A worker has relayd's user, and must not command its supervisor.
std::string Control::refusal(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == user_)) {
    // A dead process may have been a child whose request still waits. A pid of 0 is outside this PID namespace, where
    // no child can be.
    const bool child = is_own_child(peer.pid), gone = peer.pid != 0 && ::kill(peer.pid, 0) != 0 && errno == ESRCH;
    if (!child && !gone) return "";
    if (const auto left_out = refusals_shown_.admit(uv_hrtime() / 1'000'000))
      common::log::error("control_refused",
                         "a process that relayd may have started asked on the control socket, and was refused",
                         {{"pid", peer.pid}, {"uid", peer.uid}, {"suppressed", *left_out}});
    return refused(child ? "relayd's own processes may not ask" : "the process that asked has ended");
  }
  return refused("uid " + std::to_string(peer.uid) + " may not ask; only root and relayd's user (uid " +
                 std::to_string(user_) + ") may");
}

std::string Control::too_long() const { return refused("the request is too long"); }

void Control::open_feeds(uint64_t connection, const FeedRequest& request) {
  OpenFeeds open = owner_.open_feeds(request);
  Json answer = {{"ok", true}, {"feeds", Json::array()}, {"missing", open.missing}};
  std::vector<common::Fd> readers;
  for (OpenFeed& feed : open.feeds) {
    answer["feeds"].push_back({{"worker", feed.worker}, {"generation", feed.generation}, {"pid", feed.pid}});
    readers.push_back(std::move(feed.reader));
  }
  responder_.answer(connection, line(answer), std::move(readers));
}

void Control::explain(uint64_t connection, const std::string& client_id) {
  const SlotEndings& endings = owner_.endings();
  Json answer = {{"ok", true}, {"devices", endings.slots() * EndingsTable::kDevices}};
  if (const auto last = endings.last(client_id))
    answer["ending"] = {{"at_ms", last->at},
                        {"session", session_text(last->session)},
                        {"was_up", last->was_up},
                        {"proven", last->proven},
                        {"client_id", last->client_id},
                        {"common_name", last->common_name},
                        {"device", last->device},
                        {"listener", last->listener},
                        {"why", last->why},
                        {"fix", last->fix}};
  responder_.answer(connection, line(answer));
}

Requester Control::requester(uint64_t connection) const {
  ucred peer{};
  socklen_t size = sizeof peer;
  getsockopt(responder_.socket(connection), SOL_SOCKET, SO_PEERCRED, &peer, &size);  // refusal() has asked this, too
  return {peer.pid, peer.uid};
}

void Control::on_request(uint64_t connection, std::string_view text) try {
  const Request request(text);
  const std::string command = request.text("command").value_or("");
  if (command == "status")
    return responder_.answer(connection, "{\"ok\":true,\"status\":" + to_json(owner_.status()) + "}\n");
  if (command == "reload") {
    (owner_.reloading() ? reload_next_ : reloading_).push_back(connection);
    return owner_.reload();
  }
  if (command == "disconnect" && request.has("session"))
    return owner_.disconnect(connection, {.session = request.session()});
  if (command == "disconnect" && request.text("client_id"))
    return owner_.disconnect(connection, {.client_id = request.client_id()});
  if (command == "sessions")
    return open_feeds(connection,
                      {.what = FeedRequest::What::sessions, .client_id = request.pattern(), .limit = request.limit()});
  if (command == "session" && request.has("session"))
    return open_feeds(connection, {.what = FeedRequest::What::session, .session = request.session()});
  if (command == "trace" && request.text("client_id"))
    return open_feeds(
        connection,
        {.what = FeedRequest::What::trace, .client_id = request.client_id(), .topics = request.flag("topics")});
  if (command == "pause" || command == "resume")
    return responder_.answer(connection, done(owner_.pause(request.text("listener").value_or(""), command == "pause")));
  if (command == "log-level") {
    Json answer = {{"ok", true}};
    if (request.has("level")) answer["message"] = owner_.set_log_level(request.log_change(), requester(connection));
    answer["log"] = described(owner_.log_state());
    return responder_.answer(connection, line(answer));
  }
  if (command == "explain" && request.text("client_id")) return explain(connection, request.client_id());
  responder_.answer(connection, refused("expected {\"command\":\"status\"}, {\"command\":\"reload\"}, "
                                        "{\"command\":\"disconnect\",\"client_id\":\"…\"}, "
                                        "{\"command\":\"sessions\"} or {\"command\":\"session\",\"session\":\"…\"} in "
                                        "one line"));
} catch (const std::runtime_error& error) {  // BadRequest among them
  responder_.answer(connection, refused(error.what()));
}

void Control::reload_ended(bool ok, const std::string& message) {
  const auto waiting = std::exchange(reloading_, std::exchange(reload_next_, {}));
  for (const uint64_t connection : waiting) responder_.answer(connection, ok ? done(message) : refused(message));
}

void Control::disconnect_ended(uint64_t connection, bool ok, const std::string& message) {
  responder_.answer(connection, ok ? done(message) : refused(message));
}

}  // namespace relayd
