#include "relayd/connector/certificate_reader.h"

#include <utility>

#include "relayd/connector/certificate_file.h"

namespace relayd::connector {

// Outlives its reader: a read that hangs can't be cancelled.
struct CertificateReader::Reading {
  uv_work_t work{};
  CertificateReader* reader;
  const std::shared_ptr<const common::Fd> directory;
  const std::string client_id;
  channel::CertificateAnswer answer{};

  static Reading& of(uv_work_t* work) { return *static_cast<Reading*>(work->data); }
};

CertificateReader::CertificateReader(uv_loop_t* loop, std::shared_ptr<const common::Fd> directory, void* owner,
                                     Done done)
    : loop_(loop), directory_(std::move(directory)), owner_(owner), done_(done) {}

CertificateReader::~CertificateReader() {
  if (!reading_) return;
  reading_->reader = nullptr;
  uv_cancel(reinterpret_cast<uv_req_t*>(&reading_->work));
}

void CertificateReader::cancel(uint64_t id) {
  waiting_.erase(id);
  if (asked_ == id) is_asked_ = false;
}

void CertificateReader::clear() {
  waiting_.clear();
  is_asked_ = false;
}

void CertificateReader::next() {
  if (reading_ || waiting_.empty()) return;
  auto node = waiting_.extract(waiting_.begin());
  asked_ = node.key();
  is_asked_ = true;
  auto reading = std::make_unique<Reading>(Reading{{}, this, directory_, std::move(node.mapped())});
  reading->work.data = reading.get();
  const auto read = [](uv_work_t* work) {
    Reading& one = Reading::of(work);
    if (one.directory) one.answer = read_certificate(one.directory->get(), one.client_id);
    else one.answer = {channel::CertificateAnswer::Found::unusable, "remote.certs_dir is not set", {}};
  };
  const auto done = [](uv_work_t* work, int) {
    const std::unique_ptr<Reading> one(&Reading::of(work));
    if (one->reader) one->reader->finished(std::move(one->answer));
  };
  // Fails only without a callback (uv_queue_work in libuv's source).
  if (uv_queue_work(loop_, &reading->work, read, done) == 0) reading_ = reading.release();
}

void CertificateReader::finished(channel::CertificateAnswer answer) {
  reading_ = nullptr;
  if (std::exchange(is_asked_, false)) done_(owner_, asked_, std::move(answer));
  else next();
}

}  // namespace relayd::connector
