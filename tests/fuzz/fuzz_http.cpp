// Any bytes as the head of a request. The monitor gives one response of its own that contains no byte of the request,
// or none at all. It sends a page only for GET and HEAD.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "relayd/monitor/http.h"
#include "tests/fuzz/require.h"

namespace {

constexpr std::string_view kPage = "the page", kAlive = "ok\n";
bool asked = false;

const relayd::monitor::Http& http() {
  const auto give = []() -> std::optional<std::string> {
    asked = true;
    return std::string(kPage);
  };
  static const relayd::monitor::Http server(
      {[=](relayd::monitor::Format) { return give(); }, [] { return std::optional<std::string>("not now"); }, give});
  return server;
}

std::string_view line(std::string_view response, std::string_view name) {
  const size_t begin = response.find("\r\n" + std::string(name) + ": ");
  if (begin == response.npos) return "";
  const std::string_view rest = response.substr(begin + name.size() + 4);
  return rest.substr(0, rest.find("\r\n"));
}

// What every response must look like, whatever the request was.
void check(std::string_view response) {
  const size_t end = response.find("\r\n\r\n");
  REQUIRE(end != response.npos);
  const std::string_view body = response.substr(end + 4);
  REQUIRE(line(response, "Connection") == "close");
  REQUIRE(response.find("HTTP/", 1) == response.npos ||
          body.find("HTTP/") != body.npos);  // "this is not an HTTP/1.1 request"
  for (const char c : response) REQUIRE(c == '\r' || c == '\n' || (c >= ' ' && c <= '~'));
  const std::string_view status = response.substr(0, 12);
  if (status == "HTTP/1.1 200") REQUIRE(body.empty() || body == (asked ? kPage : kAlive));
  else
    REQUIRE(status == "HTTP/1.1 400" || status == "HTTP/1.1 404" || status == "HTTP/1.1 405" ||
            status == "HTTP/1.1 413" || status == "HTTP/1.1 416" || status == "HTTP/1.1 503");
  REQUIRE((!asked || status == "HTTP/1.1 200"));
  REQUIRE(response.size() < 1024);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view head(reinterpret_cast<const char*>(data), size);
  asked = false;
  const std::string response = http().answer(head);
  if (!response.empty()) check(response);
  const std::string_view method = head.substr(std::min(head.find_first_not_of(" \t"), size));  // the library trims
  if (asked) REQUIRE(method.starts_with("GET") || method.starts_with("HEAD"));
  return 0;
}
