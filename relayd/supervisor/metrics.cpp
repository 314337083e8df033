#include "relayd/supervisor/metrics.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/not_yet.h"
#include "relayd/socket_address.h"

namespace relayd {
namespace {

constexpr int kBacklog = 16;

common::Fd listen_on(const Config::Endpoint& bind) {
  const std::string name = bind.host + ":" + std::to_string(bind.port);
  const auto address = SocketAddress::parse(bind.host, bind.port);
  if (!address) throw common::ConfigError("metrics.bind: \"" + bind.host + "\" is no numeric IPv4 or IPv6 address");
  common::Fd fd(::socket(address->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  const int on = 1;
  if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), address->get(), address->size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    const int error = errno;
    const std::string text = "metrics.bind: can't listen on " + name + ": " + strerror(error) +
                             (error == EADDRINUSE ? "; find who does with \"ss -ltnp\", or choose another port" : "");
    if (common::passes(error)) throw common::NotYet(text);
    throw common::ConfigError(text);
  }
  return fd;
}

std::string answer(const char* status, const char* type, const std::string& body, const char* more = "") {
  return std::string("HTTP/1.1 ") + status + "\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n" + more + "\r\n" + body;
}

std::string plain(const char* status, const std::string& body, const char* more = "") {
  return answer(status, "text/plain; charset=utf-8", body + "\n", more);
}

// The values of labels are words of ours and host names, but nothing is taken for granted.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

class Page {
 public:
  void family(const std::string& name, std::string_view help, const char* type) {
    name_ = "mqtt_relay_" + name;
    text_.append("# HELP ").append(name_).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name_).append(" ").append(type).append("\n");
  }
  void sample(uint64_t value, std::initializer_list<std::pair<std::string_view, std::string>> labels = {}) {
    text_ += name_;
    char before = '{';
    for (const auto& [label, text] : labels) {
      ((text_ += before) += label).append("=\"").append(escaped(text)).append("\"");
      before = ',';
    }
    if (labels.size() > 0) text_ += '}';
    text_.append(" ").append(std::to_string(value)).append("\n");
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string name_, text_;
};

void add_series(Page& page, const Status& status) {
  const char* last = "";
  for (const Series& series : all_series()) {
    if (std::string_view(last) != series.name)
      page.family(series.name + std::string(series.total ? "_total" : ""), series.help,
                  series.total ? "counter" : "gauge");
    last = series.name;
    if (series.total && series.meaning)
      page.sample(sum(status, series), {{series.label, series.value}, {"reason", series.meaning}});
    else if (series.total && series.label) page.sample(sum(status, series), {{series.label, series.value}});
    else if (series.total) page.sample(sum(status, series));
    else
      for (const WorkerStatus& worker : status.workers)
        if (worker.counters)
          page.sample(series.of(*worker.counters),
                      {{"worker", std::to_string(worker.worker)}, {"generation", std::to_string(worker.generation)}});
  }
}

// By kind, zeros too: so that an alert is a comparison, and an absent series is no answer. `status` has the lines.
void add_trust(Page& page, const Status& status) {
  using Kind = trust::Concern::Kind;
  page.family("trust_concerns", "CAs and CRLs in use for which peers are refused", "gauge");
  for (const auto& [kind, name] :
       {std::pair(Kind::expired, "expired"), {Kind::not_yet_valid, "not_yet_valid"}, {Kind::other, "other"}}) {
    const auto count = std::ranges::count(status.trust, kind, &trust::Concern::kind);
    page.sample(static_cast<uint64_t>(count), {{"problem", name}});
  }
}

}  // namespace

std::string metrics_text(const Status& status) {
  Page page;
  page.family("info", "This relay", "gauge");
  page.sample(1, {{"version", MQTT_RELAY_VERSION}, {"bind", status.bind}, {"remote", status.remote}});
  page.family("generation", "Generation of workers that serves new devices", "gauge");
  page.sample(static_cast<uint64_t>(status.generation));
  page.family("reloads_total", "Reloads of the configuration", "counter");
  page.sample(status.reloads, {{"result", "ok"}});
  page.sample(status.failed_reloads, {{"result", "failed"}});
  add_trust(page, status);
  page.family("worker_state", "1 for the state that a worker is in", "gauge");
  for (const WorkerStatus& worker : status.workers)
    page.sample(1, {{"worker", std::to_string(worker.worker)},
                    {"generation", std::to_string(worker.generation)},
                    {"state", worker.state}});
  page.family("worker_restarts_total", "Times that a worker was started again", "counter");
  for (const WorkerStatus& worker : status.workers)
    page.sample(worker.restarts,
                {{"worker", std::to_string(worker.worker)}, {"generation", std::to_string(worker.generation)}});
  add_series(page, status);
  return std::move(page).text();
}

Metrics::Metrics(uv_loop_t* loop, const Config::Endpoint& bind, void* owner, Look look)
    : owner_(owner), look_(look), responder_(loop, listen_on(bind), {}, *this) {}

std::string Metrics::text() const { return SocketAddress::bound_to(responder_.fd()).text(); }

bool Metrics::is_whole(std::string_view request) const { return request.find("\r\n\r\n") != request.npos; }

std::string Metrics::too_long() const { return plain("431 Request Header Fields Too Large", "at most 4 KiB"); }

void Metrics::on_request(uint64_t connection, std::string_view request) {
  const std::string_view line = request.substr(0, request.find("\r\n"));
  const size_t method_end = line.find(' '), target_end = line.rfind(' ');
  if (target_end == line.npos || method_end == target_end || !line.substr(target_end).starts_with(" HTTP/1."))
    return responder_.answer(connection, plain("400 Bad Request", "this is no HTTP/1.1 request"));
  if (line.substr(0, method_end) != "GET")
    return responder_.answer(connection, plain("405 Method Not Allowed", "only GET", "Allow: GET\r\n"));
  const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  if (target.substr(0, target.find('?')) != "/metrics")
    return responder_.answer(connection, plain("404 Not Found", "there is only /metrics"));
  responder_.answer(connection,
                    answer("200 OK", "text/plain; version=0.0.4; charset=utf-8", metrics_text(look_(owner_))));
}

}  // namespace relayd
