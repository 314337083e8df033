// The socket that workers connect to. Its file stays when keyd ends, as its sandbox lets it remove none; the next keyd
// replaces it.
#pragma once

#include <string>

#include "common/fd.h"
#include "keyd/settings.h"

namespace keyd {

class ListeningSocket {
 public:
  // Binds and listens. Replaces a socket that a dead keyd left; throws std::runtime_error if a living one has it,
  // if something else than a socket is there, if the directory is missing. Sets the process's umask to 0077.
  explicit ListeningSocket(const ConfiguredPath& path);
  int fd() const { return fd_.get(); }

 private:
  common::Fd fd_;
};

}  // namespace keyd
