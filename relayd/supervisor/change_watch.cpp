#include "relayd/supervisor/change_watch.h"

#include <sys/stat.h>

#include <utility>

namespace relayd {

// st_ctime changes with each write, chmod(1), chown(1) and rename(1), and can't be set, as `cp -p` and tar(1) set
// st_mtime.
ChangeWatch::State ChangeWatch::state_of(const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) return {};
  return {info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size),
          info.st_ctim.tv_sec * int64_t{1'000'000'000} + info.st_ctim.tv_nsec};
}

void ChangeWatch::about_to_read() {
  for (auto& [file, state] : last_) state = state_of(file);
}

void ChangeWatch::have_read(const std::vector<std::string>& files) {
  States states;
  for (const std::string& file : files) {
    const auto before = last_.find(file);
    states[file] = before != last_.end() ? before->second : state_of(file);
  }
  read_ = last_ = std::move(states);
}

std::string ChangeWatch::changed(uint64_t now_ms) {
  for (auto& [file, state] : last_)
    if (const State now = state_of(file); now != state) {
      state = now;
      still_since_ms_ = now_ms;
    }
  if (last_ == read_ || now_ms - still_since_ms_ < static_cast<uint64_t>(kStill.count())) return "";
  std::string files;
  for (const auto& [file, state] : last_)
    if (state != read_[file]) files.append(files.empty() ? "" : ", ").append(file);
  read_ = last_;
  return files;
}

}  // namespace relayd
