// Files that a command writes: checked together first, then each is there whole or not at all.
#pragma once

#include <string>
#include <vector>

namespace relayd::admin {

struct NewFile {
  std::string path, text;
  bool keep_old = true;  // what is replaced stays as PATH.old
};

// Whether there is something else on that path now: a file with another text, or one that can't be read.
bool replaces(const NewFile& file);
// By a temporary file beside it, mode 0644, flushed to the disk, and a rename. Nothing if the file is just that
// already. Throws std::system_error naming the path. Returns whether an old one was kept.
bool write_new(const NewFile& file);

}  // namespace relayd::admin
