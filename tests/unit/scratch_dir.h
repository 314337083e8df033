// A folder of a test's own, which goes away with it.
#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace unit {

class ScratchDir {
 public:
  ScratchDir() {
    char name[] = "/tmp/keyd-test.XXXXXX";
    if (!mkdtemp(name)) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~ScratchDir() { std::filesystem::remove_all(path_); }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

  // Replaces the file whole or not at all, as an operator should.
  std::string put(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::string temporary = *this / ".new", file = *this / name;
    std::ofstream(temporary, std::ios::binary) << text;
    chmod(temporary.c_str(), mode);
    std::filesystem::rename(temporary, file);
    return file;
  }

 private:
  std::string path_;
};

}  // namespace unit
