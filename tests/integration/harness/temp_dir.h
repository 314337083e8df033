// A directory that is deleted with its owner. Other users may enter it, since keyd and relayd have users of their own.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace harness {

namespace fs = std::filesystem;

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const fs::path& path() const { return path_; }
  fs::path operator/(std::string_view name) const { return path_ / name; }

 private:
  fs::path path_;
};

// Creates or replaces `file`.
void write_file(const fs::path& file, std::string_view content);
std::string read_file(const fs::path& file);

}  // namespace harness
