// The operator's socket. AF_UNIX, one JSON object in one line, answered by one, and closed.
//
//   {"command":"status"}                         → {"ok":true,"status":{…}}            (status.h)
//   {"command":"reload"}                         → {"ok":true,"message":"reloaded generation 2"}, once it is over
//   {"command":"disconnect","client_id":"d-1"}   → {"ok":true,"message":"…"}, once the workers have said how many
//   {"command":"disconnect","session":"…"}       → the same, for the session with this number
//   {"command":"sessions","client":"d-*","limit":10}, {"command":"session","session":"…"},
//   {"command":"trace","client_id":"d-1","topics":false}
//                                                → {"ok":true,"feeds":[{"worker":0,"generation":1,"pid":71}],
//                                                   "missing":0}, with a descriptor for each feed (handover/feed.h)
//   {"command":"pause"}, {"command":"resume"}, each for all listeners or with "listener":"NAME"
//                                                → {"ok":true,"message":"…"}
//   {"command":"log-level"}, or to change one, "level":"debug" ("default": take back what was set), with
//   "client_id":"d-1" only of this device's sessions, with "seconds":600 for so long
//                                                → {"ok":true,"message":"…","log":{"level":"debug","configured":"info",
//                                                   "by_command":true,"seconds_left":9,
//                                                   "clients":[{"client_id":"d-1","level":"debug"}]}}; "message": what
//                                                   has changed
//   {"command":"explain","client_id":"d-1"}      → {"ok":true,"devices":512,"ending":{…}}, without "ending" if none is
//                                                   remembered (handover/endings.h); devices: of so many at most
//   a command that fails                         → {"ok":false,"error":"…"}
//
// Only relayd's own user and root may ask (SO_PEERCRED; the file's mode is 0660, too), but no process that the
// supervisor has started. A socket file on which no process answers is replaced; one on which a process answers is an
// error.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <vector>

#include "common/log_limit.h"
#include "relayd/supervisor/log_overrides.h"
#include "relayd/supervisor/open_feeds.h"
#include "relayd/supervisor/responder.h"
#include "relayd/supervisor/slot_endings.h"
#include "relayd/supervisor/status.h"

namespace relayd {

class Control final : private Responder::Owner {
 public:
  struct Owner {
    virtual Status status() = 0;
    virtual bool reloading() const = 0;
    // Begins a reload; if one is under way, another follows it. Calls reload_ended() at the end of each.
    virtual void reload() = 0;
    // Calls disconnect_ended() at its end. A client id may be any text.
    virtual void disconnect(uint64_t connection, const Whom& whom) = 0;
    // Pauses or resumes the listener with this name; "": all. Returns what to tell the operator. Throws
    // std::runtime_error.
    virtual std::string pause(const std::string& listener, bool pause) = 0;
    // Returns what to tell the operator. Throws std::runtime_error.
    virtual std::string set_log_level(const LogChange& change, const Requester& requester) = 0;
    struct LogState {
      const LogOverrides& overrides;
      common::log::Level configured;
      uint64_t now;  // as LogOverrides::Override::until
    };
    virtual LogState log_state() const = 0;
    virtual OpenFeeds open_feeds(const FeedRequest& request) = 0;
    virtual const SlotEndings& endings() const = 0;

   protected:
    ~Owner() = default;
  };

  // Throws common::NotYet if the path is not available now, common::ConfigError if it never can be. `user` may ask,
  // besides root.
  Control(uv_loop_t* loop, const std::string& path, Owner& owner, uid_t user);
  ~Control();

  void reload_ended(bool ok, const std::string& message);
  void disconnect_ended(uint64_t connection, bool ok, const std::string& message);

 private:
  std::string refusal(int fd) override;
  bool is_whole(std::string_view request) const override { return request.find('\n') != request.npos; }
  void on_request(uint64_t connection, std::string_view request) override;
  std::string too_long() const override;
  void open_feeds(uint64_t connection, const FeedRequest& request);
  void explain(uint64_t connection, const std::string& client_id);
  Requester requester(uint64_t connection) const;

  const std::string path_;
  Owner& owner_;
  const uid_t user_;
  struct stat file_ {};
  common::LogLimit refusals_shown_;
  Responder responder_;
  std::vector<uint64_t> reloading_, reload_next_;  // connections that wait for this reload; for the one after it
};

}  // namespace relayd
