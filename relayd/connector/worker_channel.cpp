#include "relayd/connector/worker_channel.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/datagram.h"
#include "common/unix_address.h"
#include "ipc/codec.h"

namespace relayd::connector {

using std::chrono::milliseconds;

struct WorkerChannel::Running {
  WorkerChannel& channel;
  const uint64_t id;
  AddressBook& book;
  Dialer dialer;

  Running(WorkerChannel& of, uint64_t number, const Dialer::Means& means, std::vector<Route> to_try,
          milliseconds budget)
      : channel(of),
        id(number),
        book(means.book),
        dialer(of.loop_, means, std::move(to_try), budget, this, common::call<&Running::done>) {}
  void done(Dialer::Result result) { channel.dialed(id, book, std::move(result)); }  // destroys this
};

WorkerChannel::WorkerChannel(uv_loop_t* loop, const ConnectorPlan& plan, int worker, common::Fd channel, size_t most,
                             std::shared_ptr<const common::Fd> certificates, void* owner, Ended ended)
    : loop_(loop),
      plan_(plan),
      worker_(worker),
      channel_(std::move(channel)),
      owner_(owner),
      ended_(ended),
      remote_(plan.brokers.size(), BrokerOrder(plan.strategy, plan.brokers)),
      quota_{most},
      remote_sources_(plan.sources),
      certificates_(loop, std::move(certificates), this, common::call<&WorkerChannel::certificate_read>),
      poll_(std::make_unique<common::Poll>(loop, channel_.get(), this, common::call<&WorkerChannel::on_ready>)) {
  answer({0, channel::Began{}});
}

WorkerChannel::~WorkerChannel() {
  dials_.clear();
  poll_.reset();
}

void WorkerChannel::on_ready(int events) {
  if (events & UV_WRITABLE) flush();
  else if (events & UV_READABLE) read_one();
}

void WorkerChannel::read_one() {
  uint8_t bytes[channel::kMaxQuestion];
  const ssize_t got = ::recv(channel_.get(), bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return end("");
  const auto question = static_cast<size_t>(got) <= sizeof bytes
                            ? channel::decode_question({bytes, static_cast<size_t>(got)})
                            : std::nullopt;
  if (!question) return end("it sent something that is not a question");
  take(*question);
}

void WorkerChannel::take(const channel::Question& question) {
  const auto& body = question.body;
  if (std::holds_alternative<channel::Begin>(body)) {
    dials_.clear();  // a BEGIN for the predecessor, which did not read it, may have come first
    certificates_.clear();
    begun_ = true;
    return;
  }
  if (!begun_) return;  // asked of this connector's predecessor; the worker asks again
  if (const auto* asked = std::get_if<channel::Dial>(&body)) dial(question.id, *asked);
  else if (const auto* verdict = std::get_if<channel::Judge>(&body)) judge(*verdict);
  else if (std::holds_alternative<channel::Keyd>(body)) connect_keyd(question.id);
  else if (const auto* device = std::get_if<channel::Certificate>(&body))
    read_certificate(question.id, device->client_id);
  else cancel(question.id);
}

void WorkerChannel::cancel(uint64_t id) {
  dials_.erase(id);
  certificates_.cancel(id);
}

void WorkerChannel::dial(uint64_t id, const channel::Dial& dial) {
  if (dials_.contains(id)) return end("it asked for two dials with one id");
  if (dials_.size() >= quota_.most) {
    DialFailure failure;
    failure.add("connector", "this worker has too many dials on the way", DialFailure::Fault::machine);
    return answer({id, channel::Failed{std::move(failure)}});
  }
  const Dialer::Means means = means_of(dial.target);
  AddressBook& book = means.book;
  auto to_try = book.named(dial.addresses);
  if (to_try.empty()) to_try = book.order(uv_now(loop_), dial.device);
  const auto budget = std::min(milliseconds(dial.budget_ms), plan_.connect_timeout);
  dials_.emplace(id, std::make_unique<Running>(*this, id, means, std::move(to_try), budget));
}

void WorkerChannel::dialed(uint64_t id, AddressBook& book, Dialer::Result result) {
  const auto running = dials_.extract(id);  // ends with this function
  if (!result.socket) return answer({id, channel::Failed{std::move(result.failure)}});
  channel::Connected connected{.address = AddressBook::number_of(result.route),
                               .broker = result.route.broker,
                               .doubtful = book.is_doubtful(result.route),
                               .text = result.text,
                               .failure = std::move(result.failure)};
  for (const Route& route : result.left) connected.left.push_back(AddressBook::number_of(route));
  answer({id, std::move(connected)}, std::move(result.socket));
}

void WorkerChannel::judge(const channel::Judge& judge) {
  AddressBook& book = book_of(judge.target);
  for (const Route& route : book.named({&judge.address, 1})) {
    if (judge.good) book.promote(route);
    else book.demote(route, uv_now(loop_));
  }
}

void WorkerChannel::read_certificate(uint64_t id, const std::string& client_id) {
  if (certificates_.has(id)) return end("it asked for two certificates with one id");
  if (certificates_.size() >= quota_.most) {
    using Found = channel::CertificateAnswer::Found;
    return answer({id, channel::CertificateAnswer{Found::unusable, "too many others wait to be read", {}}});
  }
  certificates_.add(id, client_id);
  certificates_.next();
}

void WorkerChannel::certificate_read(uint64_t id, channel::CertificateAnswer found) { answer({id, std::move(found)}); }

void WorkerChannel::connect_keyd(uint64_t id) {
  common::Fd connected;
  const std::string problem = why_no_keyd(connected);
  answer({id, channel::KeydAnswer{problem}}, problem.empty() ? std::move(connected) : common::Fd());
}

// "": `connected` is a connection to keyd, which has this worker's HELLO.
std::string WorkerChannel::why_no_keyd(common::Fd& connected) {
  const uint64_t now = uv_now(loop_);
  while (!keyd_times_.empty() && now - keyd_times_.front() >= kKeydWindow) keyd_times_.pop_front();
  if (keyd_times_.size() >= kMostKeyd) return "this worker has asked for it too often";
  const auto address = common::UnixAddress::of(plan_.keyd_socket);
  if (!address) return "the path is too long for a socket";
  connected.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Never in progress: a Unix socket connects at once, or says EAGAIN when keyd's backlog is full (connect(2)).
  if (!connected || ::connect(connected.get(), address->get(), address->kSize) != 0) return strerror(errno);
  keyd_times_.push_back(now);
  const ipc::Hello hello{ipc::kVersion, static_cast<uint16_t>(worker_),
                         static_cast<uint32_t>(plan_.sign_timeout.count()), plan_.series};
  ipc::RequestBuffer buffer;
  const size_t size = ipc::encode(ipc::Request{0, hello}, buffer);
  if (::send(connected.get(), buffer.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return strerror(errno);
  return "";
}

void WorkerChannel::answer(const channel::Answer& answer, common::Fd attached) {
  if (over_) return;
  waiting_.push_back({answer.id, channel::encode(answer), std::move(attached)});
  flush();
}

void WorkerChannel::flush() {
  while (!over_ && !waiting_.empty() && send(waiting_.front())) waiting_.pop_front();
  if (over_) return;
  poll_->watch(waiting_.empty() ? UV_READABLE : UV_WRITABLE);
  if (waiting_.empty()) certificates_.next();
}

// False: not now, or never.
bool WorkerChannel::send(Waiting& waiting) {
  const auto try_send = [&](int attached) {
    const auto* text = reinterpret_cast<const char*>(waiting.answer.data());
    return common::send_datagram(channel_.get(), {text, waiting.answer.size()}, attached);
  };
  if (try_send(waiting.attached ? waiting.attached.get() : -1)) return true;
  if (errno == ETOOMANYREFS && waiting.attached) {  // unix(7): too many descriptors of this user are on the way
    DialFailure failure;
    failure.add("connector", strerror(errno), DialFailure::Fault::machine);
    waiting.answer = channel::encode(channel::Answer{waiting.id, channel::Failed{std::move(failure)}});
    waiting.attached.reset();
    if (try_send(-1)) return true;
  }
  if (errno != EAGAIN && errno != EINTR) end(errno == EPIPE ? "" : strerror(errno));
  return false;
}

void WorkerChannel::end(const std::string& why) {
  over_ = true;
  poll_->watch(0);
  ended_(owner_, worker_, why);
}

}  // namespace relayd::connector
