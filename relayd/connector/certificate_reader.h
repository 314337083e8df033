// Reads devices' certificate files for one worker, one after the other, in libuv's threads: a file system that hangs
// holds up this worker's certificates, and nothing else in the loop. If it holds up four workers, names wait for a
// thread, too, and keep their addresses meanwhile. Loop thread only.
#pragma once

#include <uv.h>

#include <map>
#include <memory>
#include <string>

#include "common/fd.h"
#include "relayd/handover/channel.h"

namespace relayd::connector {

class CertificateReader {
 public:
  // From the loop, never from next().
  using Done = void (*)(void* owner, uint64_t id, channel::CertificateAnswer answer);

  // `directory`: open_certificates(); null: remote.certs_dir is not set, and every answer says so.
  CertificateReader(uv_loop_t* loop, std::shared_ptr<const common::Fd> directory, void* owner, Done done);
  ~CertificateReader();
  CertificateReader(const CertificateReader&) = delete;
  CertificateReader& operator=(const CertificateReader&) = delete;

  // A question that waits for its turn. The caller bounds their number, and no two may have the same id.
  void add(uint64_t id, std::string client_id) { waiting_.emplace(id, std::move(client_id)); }
  void cancel(uint64_t id);
  void clear();
  bool has(uint64_t id) const { return waiting_.contains(id) || (is_asked_ && asked_ == id); }
  size_t size() const { return waiting_.size() + (is_asked_ ? 1 : 0); }  // unanswered
  // Begins to read the next file, unless one is being read. The worker's questions have rising ids.
  void next();

 private:
  struct Reading;
  void finished(channel::CertificateAnswer answer);

  uv_loop_t* loop_;
  std::shared_ptr<const common::Fd> directory_;
  void* owner_;
  Done done_;
  std::map<uint64_t, std::string> waiting_;
  Reading* reading_ = nullptr;  // frees itself in the loop
  uint64_t asked_ = 0;          // whose file is read
  bool is_asked_ = false;       // false: nobody wants it any more
};

}  // namespace relayd::connector
