#include "relayd/admin/top_sampler.h"

#include <algorithm>
#include <ctime>

#include "relayd/admin/show_sessions.h"

namespace relayd::admin {

using common::Milliseconds;

void TopSampler::set_interval(Milliseconds interval) { interval_ = interval; }

bool TopSampler::begin_due() {
  const auto now = Clock::now();
  const bool gives_up = status_ && now - asked_ >= kPatience;
  if (gives_up) {
    status_.reset();
    fail("no answer in " + std::to_string(kPatience.count() / 1000) + " s");
  }
  if (question_ && now - asked_ >= kPatience) question_.reset();
  if (now - tick_ < interval_ || status_) return gives_up;
  tick_ = now;
  ask_for_status();
  const bool list_is_due = !listed_ || now - *listed_ >= list_interval();
  if (sight_.away.empty() && list_is_due && !question_ && !list_) ask_for_list();
  return gives_up || !status_;
}

Milliseconds TopSampler::until_due() const {
  const auto now = Clock::now();
  auto due = status_ ? asked_ + kPatience : tick_ + interval_;
  if (list_) due = std::min(due, now + Milliseconds(250));  // it looks for silence itself
  return std::max(std::chrono::ceil<Milliseconds>(due - now), Milliseconds(0));
}

void TopSampler::add_to(std::vector<pollfd>& all) const {
  for (const auto* question : {status_.get(), question_.get()})
    if (question) all.push_back({question->descriptor(), POLLIN, 0});
  if (list_) list_->add_to(all);
}

std::chrono::seconds TopSampler::list_interval() const {
  const uint64_t sessions = std::min<uint64_t>(rates_.all(), DeviceRates::kMost);
  const auto least = std::chrono::ceil<std::chrono::seconds>(interval_);
  return std::max(least, std::chrono::seconds((sessions + kSessionsASecond - 1) / kSessionsASecond));
}

void TopSampler::ask_for_status() try {
  asked_ = Clock::now();
  status_ = std::make_unique<Question>(control_socket_, Json{{"command", "status"}}, Milliseconds(1000));
} catch (const std::exception& error) {
  fail(error.what());
}

void TopSampler::ask_for_list() try {
  listed_ = Clock::now();
  const size_t workers = std::max<size_t>(sight_.model.workers.size(), 1);
  allow_descriptors();
  question_ = std::make_unique<Question>(
      control_socket_, Json{{"command", "sessions"}, {"limit", DeviceRates::kMost / workers + 1}}, Milliseconds(1000));
} catch (const std::exception& error) {
  sight_.list_problems = {error.what()};
}

bool TopSampler::advance() {
  const bool status = take_status(), feeds = take_feeds(), list = take_list();
  return status || feeds || list;
}

bool TopSampler::take_status() try {
  if (!status_ || !status_->receive(Question::Wait::no)) return false;
  const auto question = std::move(status_);
  take(question->answer());
  return true;
} catch (const std::exception& error) {
  status_.reset();
  fail(error.what());
  return true;
}

void TopSampler::take(const Json& answer) {
  Status status = answer.value("status", Json::object());
  const auto at = Clock::now();
  const bool same = now_.is_object() && now_.at("pid") == status.value("pid", Status());
  const double seconds = std::chrono::duration<double>(at - now_at_).count();
  try {
    sight_.model = top_model({status, same ? &now_ : nullptr, seconds, time(nullptr)});
  } catch (const nlohmann::json::exception&) {
    throw Unavailable(control_socket_ + ": the program that answers there is not a relayd of this version");
  }
  if (!same) {
    rates_.clear();
    listed_.reset();
  }
  now_ = std::move(status);
  now_at_ = at;
  sight_.away.clear();
  samples_++;
}

void TopSampler::fail(const std::string& what) {
  if (sight_.away.empty()) sight_.away_since = time(nullptr);
  sight_.away = what;
  question_.reset();
  list_.reset();
}

bool TopSampler::take_feeds() try {
  if (!question_ || !question_->receive(Question::Wait::no)) return false;
  const auto question = std::move(question_);
  list_ = std::make_unique<FeedReader>(question->feeds(), FeedReader::Kind::list);
  rates_.begin(Clock::now());
  return false;
} catch (const std::exception& error) {
  question_.reset();
  sight_.list_problems = {error.what()};
  return true;
}

bool TopSampler::take_list() {
  constexpr int kAtATime = 2'000;  // lines, so that keys are answered meanwhile
  Json claimed;
  for (int i = 0; list_ && i < kAtATime; i++) {
    const auto got = list_->next(claimed, Milliseconds(0));
    if (got == FeedReader::Got::nothing) return false;
    if (got == FeedReader::Got::line) rates_.add(checked_session(claimed, list_->from(), 0));
    if (got == FeedReader::Got::over || rates_.full()) return end_list(), true;
  }
  return false;
}

void TopSampler::end_list() {
  sight_.list_problems = list_->problems();
  rates_.end(rates_.full() ? std::max(list_->sessions(), sight_.model.connections) : list_->sessions());
  list_.reset();
}

TopSight TopSampler::sight(DeviceOrder order, size_t devices) const {
  TopSight sight = sight_;
  sight.devices = rates_.first(order, devices);
  sight.all_sessions = rates_.all();
  sight.listed = rates_.listed();
  sight.list_seconds = static_cast<uint64_t>(list_interval().count());
  return sight;
}

}  // namespace relayd::admin
