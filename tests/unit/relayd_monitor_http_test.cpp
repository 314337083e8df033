// The monitor's HTTP: its answer to any request head, without a socket.
#include "relayd/monitor/http.h"

#include <stdexcept>

#include "tests/unit/catch.h"

using relayd::monitor::Format;
using relayd::monitor::Http;
using relayd::monitor::kMostHead;

namespace {

const std::string kPage = "mqtt_relay_generation 7\n";

struct Served {
  int asked = 0;
  std::optional<std::string> page = kPage, why_not_ready = "";
  std::optional<std::string> give(const std::optional<std::string>& what) {
    asked++;
    return what;
  }
  std::optional<Format> format{};
  Http http{{[this](Format wanted) { return format = wanted, give(page); }, [this] { return give(why_not_ready); },
             [this] { return give("<p>"); }}};
  // Returns the answer, after checking its Content-Length.
  std::string answer(const std::string& head) {
    const std::string text = http.answer(head);
    const size_t body = text.find("\r\n\r\n") + 4;
    CAPTURE(head, text);
    REQUIRE(body >= 4);
    CHECK(text.find("\r\nConnection: close\r\n") < body);
    if (!head.starts_with("HEAD"))
      CHECK(text.find("\r\nContent-Length: " + std::to_string(text.size() - body) + "\r\n") < body);
    return text;
  }
  std::string status(const std::string& head) { return answer(head).substr(0, 12); }
};

}  // namespace

TEST_CASE("a scraper gets the page, its type and the end of the connection", "[monitor]") {
  Served served;
  const std::string answer = served.answer("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.find("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n") != answer.npos);
  CHECK(answer.ends_with("\r\n\r\n" + kPage));
  CHECK(served.status("GET /metrics?name=x HTTP/1.0\r\n\r\n") == "HTTP/1.1 200");
}

TEST_CASE("a scraper that accepts OpenMetrics gets it", "[monitor]") {
  Served served;
  const std::string answer = served.answer(
      "GET /metrics HTTP/1.1\r\nAccept: "
      "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n\r\n");
  CHECK(answer.find("\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n") != answer.npos);
  CHECK(served.format == Format::openmetrics);
  served.answer("GET /metrics HTTP/1.1\r\nAccept: text/plain, */*\r\n\r\n");
  CHECK(served.format == Format::prometheus);
}

TEST_CASE("a browser gets the status page, which may run nothing, load nothing and be kept nowhere", "[monitor]") {
  Served served;
  const std::string answer = served.answer("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  for (const char* header : {"Content-Type: text/html; charset=utf-8", "X-Content-Type-Options: nosniff",
                             "Cache-Control: no-store", "Referrer-Policy: no-referrer"})
    CHECK(answer.find("\r\n" + std::string(header) + "\r\n") != answer.npos);
  const size_t policy = answer.find("\r\nContent-Security-Policy: default-src 'none'; style-src 'sha256-");
  REQUIRE(policy != answer.npos);
  CHECK(answer.substr(policy + 2, answer.find("\r\n", policy + 2) - policy - 2).find("unsafe") == answer.npos);
  CHECK(answer.ends_with("\r\n\r\n<p>"));
}

TEST_CASE("HEAD gets the head of the answer without the page", "[monitor]") {
  Served served;
  const std::string answer = served.answer("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.find("\r\nContent-Length: " + std::to_string(kPage.size()) + "\r\n") != answer.npos);
  CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE("a load balancer learns whether the relay is alive, and whether it takes devices", "[monitor]") {
  Served served;
  CHECK(served.status("GET /healthz HTTP/1.1\r\n\r\n") == "HTTP/1.1 200");
  CHECK(served.status("GET /readyz HTTP/1.1\r\n\r\n") == "HTTP/1.1 200");
  CHECK(served.status("HEAD /readyz HTTP/1.1\r\n\r\n") == "HTTP/1.1 200");
  served.why_not_ready = "keyd is away";
  CHECK(served.status("GET /healthz HTTP/1.1\r\n\r\n") == "HTTP/1.1 200");
  CHECK(served.status("GET /readyz HTTP/1.1\r\n\r\n") == "HTTP/1.1 503");
  CHECK(served.answer("GET /readyz HTTP/1.1\r\n\r\n").ends_with("\r\n\r\nkeyd is away\n"));
  served.why_not_ready.reset();
  CHECK(served.status("GET /healthz HTTP/1.1\r\n\r\n") == "HTTP/1.1 503");
  CHECK(served.status("GET /readyz HTTP/1.1\r\n\r\n") == "HTTP/1.1 503");
}

TEST_CASE("a request that is not for metrics is refused with the reason, and relayd is not asked", "[monitor]") {
  Served served;
  CHECK(
      served.answer("GET /x HTTP/1.1\r\n\r\n").ends_with("\r\n\r\nthere are only /, /metrics, /healthz and /readyz\n"));
  CHECK(served.status("GET //x HTTP/1.1\r\n\r\n") == "HTTP/1.1 404");
  CHECK(served.status("GET /metrics/ HTTP/1.1\r\n\r\n") == "HTTP/1.1 404");
  CHECK(served.status("GET /../metrics HTTP/1.1\r\n\r\n") == "HTTP/1.1 404");
  CHECK(served.status("GET /metrics%00 HTTP/1.1\r\n\r\n") == "HTTP/1.1 404");
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH", "PRI"}) {
    const std::string answer = served.answer(std::string(method) + " /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 405 "));
    CHECK(answer.find("\r\nAllow: GET, HEAD\r\n") != answer.npos);
  }
  for (const char* body : {"Content-Length: 9", "Content-Length: -1", "Transfer-Encoding: chunked"})
    CHECK(served.status(std::string("GET /metrics HTTP/1.1\r\n") + body + "\r\n\r\n") == "HTTP/1.1 413");
  CHECK(served.asked == 0);
}

TEST_CASE("bytes that are not HTTP are refused", "[monitor]") {
  Served served;
  CHECK(served.answer("GET /metrics\r\n\r\n").ends_with("\r\n\r\nthis is not an HTTP/1.1 request\n"));
  for (const std::string head :
       {"GET /metrics\r\n\r\n", "\x16\x03\x01 hello\r\n\r\n", "GET /metrics HTTP/2.0\r\n\r\n",
        "get /metrics HTTP/1.1\r\n\r\n", "\r\n\r\n", "BREW /metrics HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", "GET /metrics HTTP/1.1\r\n: no name\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nBell: \a\r\n\r\n"})
    CHECK((head + served.status(head)).ends_with("HTTP/1.1 400"));
  CHECK(served.asked == 0);
}

TEST_CASE("a range is ignored because the page changes each time, and no client waits for 100 Continue", "[monitor]") {
  Served served;
  for (const char* header : {"Range: bytes=0-3", "Range: bytes=9999-", "Expect: 100-continue"}) {
    const std::string answer = served.answer(std::string("GET /metrics HTTP/1.1\r\n") + header + "\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.ends_with(kPage));
  }
  std::string many = "Range: bytes=0-0";
  while (many.size() < 3000) many += ",0-0";
  CHECK(served.answer("GET /metrics HTTP/1.1\r\n" + many + "\r\n\r\n").ends_with("\r\n\r\n" + kPage));
}

TEST_CASE("no byte of a request comes back in the answer", "[monitor]") {
  Served served;
  for (const char* head :
       {"GET /evil HTTP/1.1\r\nX: evil\r\n\r\n", "GET /evil%0d%0aX:%20y HTTP/1.1\r\n\r\n",
        "GET /metrics?evil HTTP/1.1\r\nReferer: evil\r\nX: %0d%0aevil: 1\r\nREMOTE_ADDR: evil\r\n\r\n",
        "EVIL / evil\r\n\r\n"})
    CHECK(served.answer(head).find("evil") == std::string::npos);
}

TEST_CASE("the largest head is answered, even one full of headers", "[monitor]") {
  Served served;
  std::string head = "GET /metrics HTTP/1.1\r\n";
  while (head.size() + 6 <= kMostHead) head += "a:\r\n";
  CHECK(served.status(head + "\r\n") == "HTTP/1.1 200");
  std::string line = "GET /metrics HTTP/1.1\r\nX: ";
  line.resize(kMostHead - 4, 'x');
  CHECK(served.status(line + "\r\n\r\n") == "HTTP/1.1 200");
  std::string path = "GET /";
  path.resize(kMostHead - 13, '%');
  CHECK(served.status(path + " HTTP/1.1\r\n\r\n") == "HTTP/1.1 404");
}

TEST_CASE("an incomplete head gets an error or no answer, never the page", "[monitor]") {
  Served served;
  const std::string whole = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  for (size_t size = 0; size < whole.size(); size++) {
    const std::string answer = served.http.answer(whole.substr(0, size));
    CHECK((answer.empty() || answer.starts_with("HTTP/1.1 400 ")));
  }
  CHECK(served.asked == 0);
}

TEST_CASE("while relayd is busy or memory is short, a scraper gets an error", "[monitor]") {
  Served served;
  served.page.reset();
  const std::string answer = served.answer("GET /metrics HTTP/1.1\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 503 "));
  CHECK(answer.ends_with("\r\n\r\nrelayd is busy; try again\n"));
  const auto fail = []() -> std::optional<std::string> { throw std::runtime_error("secret"); };
  const Http failing({[&](Format) { return fail(); }, fail, fail});
  const std::string failed = failing.answer("GET /metrics HTTP/1.1\r\n\r\n");
  CHECK(failed.starts_with("HTTP/1.1 500 "));
  CHECK(failed.find("secret") == std::string::npos);
}

TEST_CASE("a head that is too long gets its own answer", "[monitor]") {
  const std::string answer = Http::too_long();
  CHECK(answer.starts_with("HTTP/1.1 431 "));
  CHECK(answer.size() - answer.find("at most") == 15);
}
