#include "relayd/monitor/http.h"

#define CPPHTTPLIB_USE_POLL
#include <httplib.h>

#include "relayd/monitor/page_style.h"

namespace relayd::monitor {
namespace {

using httplib::Request;
using httplib::Response;

constexpr char kPlain[] = "text/plain; charset=utf-8";
constexpr char kPrometheus[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr char kOpenMetrics[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr char kHtml[] = "text/html; charset=utf-8";
// The page may show its own style, and do nothing else.
constexpr std::string_view kPolicy = "default-src 'none'; style-src 'sha256-";
constexpr std::string_view kPolicyEnd = "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// Lets the library read a head and write a response. Nothing follows the head, so no body can be read.
class Memory final : public httplib::Stream {
 public:
  explicit Memory(std::string_view head) : head_(head) {}

  bool is_readable() const override { return !head_.empty(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, size_t size) override {
    const size_t count = head_.copy(to, size);
    head_.remove_prefix(count);
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* from, size_t size) override {
    response_.append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

  std::string response() && { return std::move(response_); }

 private:
  std::string_view head_;
  std::string response_;
};

void say(Response& response, int status, const char* text) {
  response.status = status;
  response.set_content(std::string(text) + "\n", kPlain);
}

// A scraper names it only if it understands it (OpenMetrics 1.0, "Protocol Negotiation").
bool wants_openmetrics(const Request& request) {
  return request.get_header_value("Accept").find("application/openmetrics-text") != std::string::npos;
}

void show(Response& response, const std::string& page) {
  response.status = 200;
  response.set_header("Content-Security-Policy", std::string(kPolicy).append(kPageStyleHash).append(kPolicyEnd));
  response.set_header("Referrer-Policy", "no-referrer");
  response.set_content(page, kHtml);
}

bool announces_body(const Request& request) {
  return request.has_header("Transfer-Encoding") ||
         (request.has_header("Content-Length") && request.get_header_value("Content-Length") != "0");
}

// Ignores Range, as RFC 9110 14.2 allows: the page changes with each request. Ignores Expect, which announces a body
// (RFC 9110 10.1.1): a request with a body is refused anyway.
void ignore_what_is_not_served(Request& request) {
  request.ranges.clear();
  request.headers.erase("Expect");
}

}  // namespace

class Http::Server final : public httplib::Server {
 public:
  explicit Server(Pages pages) : pages_(std::move(pages)) {
    // Handles every request before the library looks for files, routes or a body.
    set_pre_routing_handler([this](const Request& request, Response& response) {
      response.set_header("X-Content-Type-Options", "nosniff");
      response.set_header("Cache-Control", "no-store");
      route(request, response);
      return HandlerResponse::Handled;
    });
    // The library's own errors have no text.
    set_error_handler([](const Request&, Response& response) {
      if (response.body.empty()) say(response, response.status, "this is not an HTTP/1.1 request");
    });
    set_exception_handler([](const Request&, Response& response, const std::exception_ptr&) {
      say(response, 500, "the monitor could not answer");
    });
  }

  std::string answer(std::string_view head) {
    Memory memory(head);
    bool closed = true;
    process_request(memory, "", 0, "", 0, true, closed, ignore_what_is_not_served);
    return std::move(memory).response();
  }

 private:
  void route(const Request& request, Response& response) const {
    if (request.method != "GET" && request.method != "HEAD") {
      response.set_header("Allow", "GET, HEAD");
      return say(response, 405, "only GET");
    }
    if (announces_body(request)) return say(response, 413, "a request for metrics has no body");
    const bool people = request.path == "/", metrics = request.path == "/metrics", ready = request.path == "/readyz";
    if (!people && !metrics && !ready && request.path != "/healthz")
      return say(response, 404, "there are only /, /metrics, /healthz and /readyz");
    const Format format = wants_openmetrics(request) ? Format::openmetrics : Format::prometheus;
    const auto page = people ? pages_.status() : metrics ? pages_.metrics(format) : pages_.why_not_ready();
    if (!page) return say(response, 503, "relayd is busy; try again");
    if (people) return show(response, *page);
    if (ready && !page->empty()) return say(response, 503, page->c_str());
    if (!metrics) return say(response, 200, "ok");
    response.status = 200;
    response.set_content(*page, format == Format::openmetrics ? kOpenMetrics : kPrometheus);
  }

  const Pages pages_;
};

Http::Http(Pages pages) : server_(std::make_unique<Server>(std::move(pages))) {}

Http::~Http() = default;

std::string Http::answer(std::string_view head) const { return server_->answer(head.substr(0, kMostHead)); }

std::string Http::too_long() {
  return "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Length: 15\r\nConnection: close\r\n\r\nat most 4 KiB\r\n";
}

}  // namespace relayd::monitor
