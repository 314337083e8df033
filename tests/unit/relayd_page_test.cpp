// The status page: what the monitor shows to people.
#include "relayd/monitor/page.h"

#include <openssl/evp.h>

#include <cmath>
#include <regex>

#include "relayd/monitor/page_style.h"
#include "relayd/overview/numbers.h"
#include "relayd/supervisor/status.h"
#include "tests/unit/catch.h"

using namespace relayd;
using monitor::History;
using monitor::Page;

namespace {

constexpr int64_t kClock = 1'790'000'000;  // 2026-09-21
constexpr int64_t kDay = 86'400;

struct Shown {
  Scoreboard worker;
  Counters ended{};
  Status status;
  Page page;
  History::Clock::time_point at{std::chrono::hours(1)};

  Shown() {
    status.generation = 1;
    status.bind = "0.0.0.0:8883";
    status.remote = "broker.example";
    status.brokers = {"broker.example:8883"};
    status.ended = &ended;
    status.workers = {{0, 1, 71, "serving", 0, &*worker}};
  }
  std::string html() { return page.html(to_json(status), at, kClock); }
  std::string html_after(std::chrono::seconds pause) {
    at += pause;
    return html();
  }
  // What is between the tags, one line for each.
  std::string text() {
    const std::string html = this->html();
    return std::regex_replace(html.substr(html.find("</style>")), std::regex("<[^>]*>"), "\n");
  }
};

bool shows(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

// Fails unless each element is closed in its order, and each "<" begins a tag.
void check_nesting(const std::string& html) {
  static const std::regex kTag(R"re(<(/?)([a-z][a-z0-9]*)((?: [a-z-]+="[^"<>]*")*)>)re");
  std::vector<std::string> open;
  size_t tags = 0;
  for (std::sregex_iterator at(html.begin(), html.end(), kTag), end; at != end; ++at, tags++) {
    const std::string tag = (*at)[2];
    if (tag == "meta") continue;
    if ((*at)[1].length() == 0) {
      open.push_back(tag);
      continue;
    }
    REQUIRE(!open.empty());
    CHECK(open.back() == tag);
    open.pop_back();
  }
  CHECK(open.empty());
  CHECK(std::ranges::count(html, '<') == static_cast<long>(tags + 1));  // and the doctype
}

}  // namespace

TEST_CASE("the status page says first whether the relay is ready, and if not, why", "[page]") {
  Shown shown;
  CHECK(shows(shown.text(), "Ready: new devices are accepted"));
  shown.worker->keyd_away = 1;
  CHECK(shows(shown.text(), "Not ready: keyd is away"));
  CHECK(shows(shown.html(), "<title>not ready: mqtt-relay 0.0.0.0:8883</title>"));
  shown.status.workers.clear();
  CHECK(shows(shown.text(), "Not ready: no worker accepts devices"));
}

TEST_CASE("the status page warns of what will stop the service later", "[page]") {
  using Kind = trust::Expiry::Kind;
  Shown shown;
  CHECK_FALSE(shows(shown.html(), "<li>"));
  shown.status.expiries = {{Kind::certificate, "/a.pem", "CN=a", kClock + 3 * kDay + 5},
                           {Kind::certificate, "/b.pem", "CN=b", kClock - 2 * kDay - 5},
                           {Kind::certificate, "/c.pem", "CN=c", kClock + 200 * kDay}};
  shown.status.failed_reloads = 2;
  shown.status.trust = {{trust::Concern::Kind::expired, "/ca.crl", "the CRL of \"CN=Root\"", "expired", "get one"}};
  shown.ended.log_dropped = 4;
  shown.status.workers.push_back({1, 1, 0, "quarantined", 5, nullptr});
  const std::string html = shown.html();
  CHECK(shows(html, "The certificate &quot;CN=a&quot; in /a.pem expires in 3 days, on 2026-09-24</li>"));
  CHECK(shows(html, "The certificate &quot;CN=b&quot; in /b.pem expired 2 days ago, on 2026-09-19</li>"));
  CHECK_FALSE(shows(html, "The certificate &quot;CN=c&quot;"));
  CHECK(shows(html, "<li>2 reloads of the configuration failed"));
  CHECK(shows(html, "<li>/ca.crl: the CRL of &quot;CN=Root&quot; expired; get one</li>"));
  CHECK(shows(html, "<li>4 log lines were dropped"));
  CHECK(shows(html, "<li>Worker 1 is in quarantine"));
}

TEST_CASE("the status page shows the rates between two loads, of the last load that is old enough", "[page]") {
  Shown shown;
  shown.worker->messages_up = 1000;
  CHECK(shows(shown.html(), "rates: with the next refresh"));
  shown.worker->messages_up = 1500;
  shown.worker->messages_down = 50;
  std::string html = shown.html_after(std::chrono::seconds(5));
  CHECK(shows(html, "<dt>Messages/s</dt>\n<dd class=\"value\">110</dd>\n<dd class=\"faint\">↑ 100  ↓ 10.0</dd>"));
  CHECK(shows(html, "rates: the last 5.00 s"));
  // A second viewer, at once: the same period, a little longer.
  html = shown.html_after(std::chrono::seconds(1));
  CHECK(shows(html, "rates: the last 6.00 s"));
  CHECK(shows(shown.html_after(std::chrono::seconds(600)), "rates: with the next refresh"));
}

TEST_CASE("the status page names each cause for which devices were refused, and none that did not occur", "[page]") {
  Shown shown;
  CHECK(shows(shown.text(), "Nothing was refused, nothing failed."));
  shown.worker->remote_refused[mqtt::index_of_connack_code(0x87)] = 7;
  shown.worker->handshake_failures[static_cast<size_t>(HandshakeFailure::unknown_ca)] = 1234;
  const std::string html = shown.html();
  CHECK(shows(html, ">0x87 Not authorized</td>"));
  CHECK(shows(html, ">unknown ca</td>\n<td data-name=\"count\" class=\"number \">1,234</td>"));
  CHECK_FALSE(shows(html, ">certificate expired</td>"));
}

TEST_CASE("nothing on the status page can break out of its place", "[page]") {
  Shown shown;
  const std::string evil = "<script>alert(1)</script>\"'&\n\x01<b";
  shown.status.bind = shown.status.remote = evil;
  shown.status.brokers = {evil};
  shown.status.trust = {{trust::Concern::Kind::expired, evil, evil, evil, evil}};
  shown.status.expiries = {{trust::Expiry::Kind::certificate, evil, evil, kClock}};
  const std::string html = shown.html();
  CHECK_FALSE(shows(html, "<script"));
  CHECK_FALSE(shows(html, "\x01"));
  CHECK(shows(html, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;  &lt;b"));
  check_nesting(std::regex_replace(html, std::regex("<style>[^<]*</style>"), "<style></style>"));
}

TEST_CASE("the status page is a document whose elements are closed, with and without everything", "[page]") {
  Shown shown;
  shown.status.expiries = {{trust::Expiry::Kind::crl, "/x.crl", "CN=x", kClock}};
  shown.worker->refused[0] = 1;
  check_nesting(std::regex_replace(shown.html(), std::regex("<style>[^<]*</style>"), "<style></style>"));
  shown.status = {};
  const std::string html = shown.html();
  check_nesting(std::regex_replace(html, std::regex("<style>[^<]*</style>"), "<style></style>"));
  CHECK(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
}

TEST_CASE("the status page is bounded, whatever the configuration names and however much of it there is", "[page]") {
  Shown shown;
  const std::string longest(5000, '"');
  shown.status.bind = shown.status.remote = longest;
  shown.status.brokers.assign(Config::kMaxBrokers, longest);
  shown.status.trust.assign(1000, {trust::Concern::Kind::expired, longest, longest, longest, longest});
  shown.status.expiries.assign(1000, {trust::Expiry::Kind::certificate, longest, longest, kClock});
  for (int i = 0; i < 1000; i++) shown.status.workers.push_back({i, 1, 71, "serving", 0, &*shown.worker});
  CHECK(shown.html().size() <= monitor::kMostPage);
  CHECK(shows(shown.html(), "953 more are not shown"));
}

TEST_CASE("the policy allows the status page's style by its hash, and no other", "[page]") {
  std::array<unsigned char, 32> hash{};
  REQUIRE(EVP_Digest(monitor::kPageStyle, sizeof monitor::kPageStyle - 1, hash.data(), nullptr, EVP_sha256(), nullptr));
  std::array<unsigned char, 64> text{};
  EVP_EncodeBlock(text.data(), hash.data(), hash.size());
  CHECK(reinterpret_cast<const char*>(text.data()) == std::string(monitor::kPageStyleHash));
  Shown shown;
  CHECK(shows(shown.html(), "<style>" + std::string(monitor::kPageStyle) + "</style>"));
}

TEST_CASE("numbers on the status page are short, and their unit fits their size", "[page]") {
  using namespace relayd::overview;
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1'234'567) == "1,234,567");
  CHECK(in_bytes(0) == "0 B");
  CHECK(in_bytes(1536) == "1.50 KiB");
  CHECK(in_bytes(1e9) == "954 MiB");
  CHECK(per_second(0) == "0");
  CHECK(per_second(0.25) == "0.25");
  CHECK(per_second(12.34) == "12.3");
  CHECK(per_second(9.996) == "10.0");
  CHECK(per_second(99.96) == "100");
  CHECK(per_second(4711.4) == "4,711");
  CHECK(in_seconds(0.000085) == "85.0 µs");
  CHECK(in_seconds(0.0012) == "1.20 ms");
  CHECK(in_seconds(3.4) == "3.40 s");
  CHECK(moment(0) == "1970-01-01 00:00:00 UTC");
  CHECK(moment(kClock) == "2026-09-21 14:13:20 UTC");
  CHECK(days_left(kClock + 1, kClock) == "within a day");
  CHECK(days_left(kClock, kClock) == "expired today");
  CHECK(days_left(kClock + kDay, kClock) == "in 1 day");
  CHECK(days_left(kClock - 40 * kDay, kClock) == "40 days ago");
}

TEST_CASE("a quantile is interpolated in its bucket, as Prometheus does", "[page]") {
  using overview::quantile;
  const auto near = [](double a, double b) { return std::abs(a - b) < b / 1000; };
  std::vector<uint64_t> buckets(Histogram::kBuckets);
  CHECK_FALSE(quantile(buckets, 0.5));
  buckets[0] = 10;  // up to 100 µs
  CHECK(near(*quantile(buckets, 0.5), 0.00005));
  buckets[1] = 10;  // up to 250 µs
  CHECK(near(*quantile(buckets, 0.75), 0.000175));
  CHECK(near(*quantile(buckets, 1), 0.00025));
  buckets.back() = 1000;
  CHECK(near(*quantile(buckets, 0.99), 10));
}
