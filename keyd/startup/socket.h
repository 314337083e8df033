// The socket that workers connect to. Its file stays when keyd exits, because the sandbox does not let keyd remove
// files; the next keyd replaces it.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>

#include "common/fd.h"
#include "common/sd_listen.h"
#include "keyd/startup/settings.h"

namespace keyd {

// The process that listens on that path now, and its user (SO_PEERCRED); nullopt: none. Connects to find out, which a
// keyd that does not allow this user audits. Throws common::ConfigError if the path can't be a socket's, or something
// else is there.
std::optional<ucred> who_listens(const ConfiguredPath& path);

class ListeningSocket {
 public:
  // Takes the one socket that the service manager passed; if it passed none, binds and listens, and replaces a socket
  // file that a dead keyd left. Throws common::NotYet if another keyd listens there or the directory is missing, and
  // common::ConfigError if something other than a socket is there, or if what was passed is not a listening socket of
  // this kind. Sets the process's umask to 0077.
  explicit ListeningSocket(const ConfiguredPath& path, std::vector<common::PassedSocket> passed = {});
  int fd() const { return fd_.get(); }

 private:
  void make(const ConfiguredPath& path);
  common::Fd fd_;
};

}  // namespace keyd
