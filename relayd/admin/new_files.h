// Files that a command writes: first all are checked, then each is written whole or not at all.
#pragma once

#include <string>
#include <vector>

namespace relayd::admin {

struct NewFile {
  std::string path, text;
  bool keep_old = true;  // the replaced file stays as PATH.old
};

// Whether that path holds something else now: other text, or a file that can't be read.
bool replaces(const NewFile& file);
// Writes a temporary file beside it, mode 0644, flushes it to the disk, and renames it. Does nothing if the file
// already has that text. Throws std::system_error naming the path. Returns whether an old file was kept.
bool write_new(const NewFile& file);

}  // namespace relayd::admin
