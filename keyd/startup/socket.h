// The socket that workers connect to. Its file stays when keyd ends, because the sandbox lets keyd remove no file; the
// next keyd replaces it.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>

#include "common/fd.h"
#include "common/sd_listen.h"
#include "keyd/startup/settings.h"

namespace keyd {

// Who listens on that path now: the process and its user (SO_PEERCRED). nullopt: nobody. It connects to find
// out; a keyd that does not allow this user audits that. Throws common::ConfigError if the path can't be a socket's, or
// something else is there.
std::optional<ucred> who_listens(const ConfiguredPath& path);

class ListeningSocket {
 public:
  // Takes the one socket that the service manager passed, or if it passed none binds and listens. Then it replaces a
  // socket that a dead keyd left. Throws common::NotYet if a living one has it or the directory is missing,
  // common::ConfigError if something else than a socket is there, or if what was passed is no listening socket of this
  // kind. Sets the process's umask to 0077.
  explicit ListeningSocket(const ConfiguredPath& path, std::vector<common::PassedSocket> passed = {});
  int fd() const { return fd_.get(); }

 private:
  void make(const ConfiguredPath& path);
  common::Fd fd_;
};

}  // namespace keyd
