#include "keyd/notary/judge.h"

#include <cstring>
#include <utility>

namespace keyd {

Judge::Judge(const NotarySettings& settings) {
  if (settings.remote) remote_.emplace(*settings.remote);
  if (settings.device) device_.emplace(*settings.device);
}

std::optional<NotaryAnswer> Judge::answer(Bytes datagram) {
  Question question;
  if (datagram.size() < sizeof question) return std::nullopt;
  memcpy(&question, datagram.data(), sizeof question);
  Bytes rest = datagram.subspan(sizeof question);
  const auto take = [&](size_t size) {
    const Bytes taken = rest.first(size);
    rest = rest.subspan(size);
    return taken;
  };
  if (rest.size() < size_t{question.client_id_size} + question.signature_size) return std::nullopt;
  const Bytes client_id = take(question.client_id_size), signature = take(question.signature_size);

  const bool about_remote = question.presence == ipc::Presence::none;
  if (about_remote && remote_) return remote_->answer(question, rest);
  NotaryAnswer answer{.job = question.job};
  std::string problem = about_remote ? "bind_remote is not set" : "bind_device is not set";
  if (!about_remote && device_)
    problem =
        device_->judge(question, {reinterpret_cast<const char*>(client_id.data()), client_id.size()}, signature, rest);
  strncpy(answer.problem, problem.c_str(), sizeof answer.problem - 1);
  return answer;
}

std::vector<trust::Concern> Judge::concerns(int64_t now) const {
  auto all = remote_ ? remote_->concerns(now) : std::vector<trust::Concern>();
  if (device_)
    for (trust::Concern& concern : device_->concerns(now)) all.push_back(std::move(concern));
  return all;
}

}  // namespace keyd
