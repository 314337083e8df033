// One worker process's channel: takes its questions (relayd/handover/channel.h), dials for it, hands over what is
// connected, and reads its devices' certificate files.
//
// The worker may be hostile. It names targets, not addresses, and devices, not files. Its dials, its sockets, its
// connections to keyd and its questions for certificates are bounded. A worker that does not read its answers is read
// no further, and no file is read for it meanwhile. A worker that sends anything but a question, or a question that no
// real worker asks, loses its channel. Each turn of the loop takes one question from each worker. The kernel drops
// descriptors that a worker sends along. Loop thread only.
#pragma once

#include <uv.h>

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/fd.h"
#include "common/poll.h"
#include "relayd/connector/address_book.h"
#include "relayd/connector/certificate_reader.h"
#include "relayd/connector/dialer.h"
#include "relayd/handover/channel.h"
#include "relayd/handover/connector_plan.h"

namespace relayd::connector {

class WorkerChannel {
 public:
  // Connections to keyd within kKeydWindow, because each is a line in keyd's audit.
  static constexpr size_t kMostKeyd = 16;
  static constexpr uint64_t kKeydWindow = 10'000;  // milliseconds

  // The channel is over: destroy it, but not inside this call. `why`: "" if the worker has gone.
  using Ended = void (*)(void* owner, int worker, const std::string& why);

  // `most`: dials, sockets of dials, and questions for certificates, at the same time. `certificates`: the directory of
  // CertificateReader. Announces itself to the worker.
  WorkerChannel(uv_loop_t* loop, const ConnectorPlan& plan, int worker, common::Fd channel, size_t most,
                std::shared_ptr<const common::Fd> certificates, void* owner, Ended ended);
  ~WorkerChannel();
  WorkerChannel(const WorkerChannel&) = delete;
  WorkerChannel& operator=(const WorkerChannel&) = delete;

  // A broker's addresses from now on; `broker` is its place in the plan's list.
  void know_remote(size_t broker, const std::vector<SocketAddress>& addresses) { remote_.replace(broker, addresses); }
  void know_local(const std::vector<SocketAddress>& addresses) { local_.replace(0, addresses); }
  bool over() const { return over_; }

 private:
  struct Running;
  struct Waiting {
    uint64_t id = 0;
    std::vector<uint8_t> answer;
    common::Fd attached;
  };

  void on_ready(int events);
  void read_one();
  void take(const channel::Question& question);
  void dial(uint64_t id, const channel::Dial& dial);
  void dialed(uint64_t id, AddressBook& book, Dialer::Result result);
  void judge(const channel::Judge& judge);
  void read_certificate(uint64_t id, const std::string& client_id);
  void certificate_read(uint64_t id, channel::CertificateAnswer found);
  void cancel(uint64_t id);
  void connect_keyd(uint64_t id);
  std::string why_no_keyd(common::Fd& connected);
  void answer(const channel::Answer& answer, common::Fd attached = {});
  bool send(Waiting& waiting);
  void flush();
  void end(const std::string& why);
  Dialer::Means means_of(channel::Target target) {
    const bool remote = target == channel::Target::remote;
    return {book_of(target), quota_, remote ? remote_sources_ : any_source_, remote && plan_.proxy ? &plan_ : nullptr};
  }
  AddressBook& book_of(channel::Target target) { return target == channel::Target::remote ? remote_ : local_; }

  uv_loop_t* loop_;
  const ConnectorPlan& plan_;
  const int worker_;
  common::Fd channel_;
  void* owner_;
  Ended ended_;
  bool begun_ = false, over_ = false;
  AddressBook remote_, local_;
  SocketQuota quota_;
  SourceAddresses any_source_, remote_sources_;
  std::unordered_map<uint64_t, std::unique_ptr<Running>> dials_;  // by the question's id
  CertificateReader certificates_;
  std::deque<Waiting> waiting_;      // answers for which the channel had no room
  std::deque<uint64_t> keyd_times_;  // of the last kMostKeyd connections to keyd
  std::unique_ptr<common::Poll> poll_;
};

}  // namespace relayd::connector
