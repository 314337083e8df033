#include "keyd/vault/reload.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace keyd {
namespace {

constexpr char kGone[] =
    "the process that reads the configuration has ended; restart keyd: `systemctl restart mqtt-keyd`";

}  // namespace

Reload::Reload(uv_loop_t& loop, common::Fd reader, std::function<void(const Changeable&)> apply, void (*ended)())
    : reader_(std::move(reader)), apply_(std::move(apply)), ended_(ended) {
  uv_poll_init(&loop, &poll_, reader_.get());
  poll_.data = this;
  uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* poll, int, int) { static_cast<Reload*>(poll->data)->receive(); });
}

void Reload::stop() { uv_close(reinterpret_cast<uv_handle_t*>(&poll_), nullptr); }

// If its queue is full, questions wait there that will find the same files.
void Reload::ask() {
  if (send(reader_.get(), "r", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN) refuse(kGone);
}

void Reload::receive() {
  ReloadAnswer answer;
  const ssize_t got = recv(reader_.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got != static_cast<ssize_t>(sizeof answer)) {
    uv_poll_stop(&poll_);
    return common::log::warning("reader_ended", kGone);
  }
  answer.text[sizeof answer.text - 1] = '\0';
  if (!answer.ok) return refuse(answer.text);
  refusal_.clear();
  apply_(answer.now);
  common::log::open("mqtt-keyd", answer.now.log_level, answer.now.log_format);
  common::log::info("reloaded", "keyd reloaded its configuration",
                    {{"changed", *answer.text ? answer.text : "nothing"}});
  ended_();
}

void Reload::refuse(std::string why) {
  refusal_ = std::move(why);
  common::log::error("reload_failed", "reload failed; nothing has changed", {{"cause", refusal_}});
  ended_();
}

}  // namespace keyd
