// The status page, as a real browser shows it: headless Chromium, at the width of a phone and of a desk.

#include <set>

#include "test_paths.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/raw_tls.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// What Chromium shows of `url` (clients/browser.py).
Json seen(const std::string& url, int width, const std::string& scheme, const fs::path& picture) {
  const auto script = fs::path(MQTT_RELAY_SOURCE_DIR) / "tests/integration/clients/browser.py";
  const auto browser = run({.argv = {"/usr/bin/python3", script, url, std::to_string(width), scheme, picture}},
                           Deadline(std::chrono::seconds(90)));
  INFO(browser.err);
  REQUIRE(browser.status.code == 0);
  return Json::parse(browser.out);
}

bool shows(const Json& page, const std::string& text) {
  return page.at("text").get<std::string>().find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("a browser shows the status page whole, on a phone and on a desk, in light and in dark") {
  if (!fs::exists("/usr/bin/chromium")) {
    WARN("SKIPPED: Chromium is not installed");
    return;
  }
  const Endpoint metrics{own_address(), ports::direct};
  World world({.relayd = {{"metrics", {{"bind", metrics.text()}}}}});
  auto device = world.join("sensor-17");
  device.ping();
  TempDir pictures;
  const std::string url = "http://" + metrics.text() + "/";
  std::set<std::string> grounds;
  for (const int width : {390, 1280}) {
    for (const std::string scheme : {"light", "dark"}) {
      const Json page = seen(url, width, scheme, pictures / "page.png");
      INFO(page.dump());
      CHECK(page.at("complaints").empty());  // nothing that the page needs is forbidden or missing
      CHECK(page.at("window") == width);
      CHECK(page.at("width") <= width);
      CHECK(page.at("overflows") == false);
      CHECK(shows(page, "Ready: new devices are accepted"));
      CHECK(shows(page, "TLS with the remote broker"));
      CHECK(shows(page, "CONNECT to CONNACK, remote"));
      grounds.insert(page.at("ground").get<std::string>());
      CHECK(fs::file_size(pictures / "page.png") > 10'000);
    }
  }
  CHECK(grounds.size() == 2);  // so the style is applied, and there are two
}

TEST_CASE("the status page says why the relay is not ready") {
  const Endpoint metrics{own_address(), ports::direct};
  World world({.relayd = {{"metrics", {{"bind", metrics.text()}}}}, .remote = RemoteKind::none, .local = false});
  const auto load = [&] {
    RawSocket socket(metrics);
    socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    return socket.receive_to_end();
  };
  CHECK(load().find("Ready: new devices are accepted") != std::string::npos);
  world.relay().keyd().kill();
  const Deadline deadline = patience();
  while (load().find("Not ready: keyd is away") == std::string::npos)
    if (deadline.over()) FAIL("the page does not say it");
}
