// The names in a directory, one at a time and in its own order: a million take no more memory than one.
#pragma once

#include <dirent.h>

#include <memory>
#include <string>

namespace keyd::admin {

class FileNames {
 public:
  // `directory` stays the caller's, and O_PATH is enough; `path` is its name in errors. This and next() throw
  // std::runtime_error if it can't be listed.
  FileNames(int directory, std::string path);
  // Without "." and ".."; nullptr at the end. Valid until the next call.
  const char* next();

 private:
  struct Close {
    void operator()(DIR* listed) const { closedir(listed); }
  };
  [[noreturn]] void fail() const;
  std::string path_;
  std::unique_ptr<DIR, Close> listed_;
};

}  // namespace keyd::admin
