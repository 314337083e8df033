// `mqtt-relay audit show` shows the lines that were requested, and no byte that could act on a terminal.
#include "keyd/admin/audit_show.h"

#include "keyd_admin_support.h"

using namespace keyd::admin;
using namespace keyd_test;
using nlohmann::json;

namespace {

constexpr Screen kPipe{}, kTerminal{true, true};

AuditFile sample() {
  AuditFile audit;
  const auto at = [](const char* time, const nlohmann::ordered_json& more) {
    nlohmann::ordered_json json = {{"time", time}};
    json.update(more);
    return json;
  };
  audit.add("start", at("2026-11-23T10:00:00.000000Z", {{"version", "0.1.0"}, {"pid", 42}}));
  audit.add("lookup", at("2026-11-23T11:00:00.000000Z", {{"worker", 0},
                                                         {"device", "192.0.2.1:1883"},
                                                         {"client_id", "thermo"},
                                                         {"role", "device"},
                                                         {"handshake", "0123456789abcdef"},
                                                         {"result", "ok"},
                                                         {"reason", ""},
                                                         {"wait_us", 5},
                                                         {"spent_us", 60}}));
  audit.add("sign", at("2026-11-23T12:00:00.500000Z", {{"worker", 1},
                                                       {"client_id", "thermo-2"},
                                                       {"kind", "tls13_client"},
                                                       {"scheme", "ecdsa_sha256"},
                                                       {"result", "denied"},
                                                       {"reason", "the key is not RSA"}}));
  audit.add("connect", at("2026-11-23T13:00:00.000000Z", {{"worker", 1}, {"result", "ok"}, {"reason", ""}}));
  audit.add("resumed", at("2026-11-23T14:00:00.000000Z", {{"lost", 3}}));
  return audit;
}

std::string show(const std::string& text, ShowOptions options, const Screen& screen = kPipe) {
  const ScratchDir scratch;
  options.file = scratch.put("audit", text);
  std::ostringstream out;
  audit_show(options, out, screen);
  return out.str();
}

// The sequence numbers of the lines shown.
std::vector<int> shown(ShowOptions options) {
  options.json = true;
  std::vector<int> numbers;
  std::istringstream in(show(sample().text(), options));
  for (std::string line; std::getline(in, line);) numbers.push_back(json::parse(line).at("seq").get<int>());
  return numbers;
}

int64_t at(const char* time) { return parse_time(time, 0).value(); }

}  // namespace

TEST_CASE("each filter of audit show shows its lines and no others", "[keyd][keyd-admin]") {
  using Numbers = std::vector<int>;
  const auto with = [](auto&& set) {
    ShowOptions options;
    set(options);
    return shown(options);
  };
  CHECK(with([](auto&) {}) == Numbers{0, 1, 2, 3, 4});
  CHECK(with([](auto& o) { o.client = "thermo"; }) == Numbers{1});
  CHECK(with([](auto& o) { o.client = ""; }).empty());
  CHECK(with([](auto& o) { o.client = "therm"; }).empty());
  CHECK(with([](auto& o) { o.event = "sign"; }) == Numbers{2});
  CHECK(with([](auto& o) { o.worker = 1; }) == Numbers{2, 3});
  CHECK(with([](auto& o) { o.worker = 0; }) == Numbers{1});
  CHECK(with([](auto& o) { o.handshake = "01234567"; }) == Numbers{1});
  CHECK(with([](auto& o) { o.handshake = "0123456789abcdef"; }) == Numbers{1});
  CHECK(with([](auto& o) { o.handshake = "1234"; }).empty());
  CHECK(with([](auto& o) { o.handshake = ""; }).empty());
  CHECK(with([](auto& o) { o.denied = true; }) == Numbers{2});
  CHECK(with([](auto& o) { o.since_us = at("2026-11-23T12:00:00.5Z"); }) == Numbers{2, 3, 4});
  CHECK(with([](auto& o) { o.since_us = at("2026-11-23T12:00:00.500001Z"); }) == Numbers{3, 4});
  CHECK(with([](auto& o) { o.until_us = at("2026-11-23T12:00:00.5Z"); }) == Numbers{0, 1, 2});
  CHECK(with([](auto& o) { o.until_us = at("2026-11-23T12:00:00Z"); }) == Numbers{0, 1});
  CHECK(with([](auto& o) { o.limit = 2; }) == Numbers{3, 4});
  CHECK(with([](auto& o) { o.worker = 1, o.limit = 1; }) == Numbers{3});
  CHECK(with([](auto& o) { o.worker = 1, o.event = "connect"; }) == Numbers{3});
}

TEST_CASE("a time is RFC 3339, or an age such as 15m", "[keyd][keyd-admin]") {
  constexpr int64_t kNow = 1'800'000'000'000'000, kMinute = 60'000'000;
  CHECK(parse_time("15m", kNow) == kNow - 15 * kMinute);
  CHECK(parse_time("2h", kNow) == kNow - 120 * kMinute);
  CHECK(parse_time("1d", kNow) == kNow - 1440 * kMinute);
  CHECK(parse_time("1970-01-01T00:00:01Z", kNow) == 1'000'000);
  CHECK(parse_time("2026-11-23T16:20:00.123456Z", kNow) == 1'795'450'800'123'456);
  CHECK(parse_time("2026-11-23T18:20:00.123456+02:00", kNow) == 1'795'450'800'123'456);
  CHECK(parse_time("2026-11-23T10:50:00.123456-05:30", kNow) == 1'795'450'800'123'456);
  CHECK(parse_time("2026-11-23", kNow) == parse_time("2026-11-23T00:00:00Z", kNow));
  CHECK(parse_time("2028-02-29", kNow));
  for (const char* wrong : {"", "yesterday", "15", "m", "2026", "2026-13-01", "2026-11-23T", "2026-11-23T25:00:00Z",
                            "2026-11-23T16:20:00", "2026-11-23T16:20Z", "2026-11-23T16:20:00.Z", "2026-02-30",
                            "2026-02-29T00:00:00Z", "2026-11-23T16:20:00Zx", "2026-11-23T16:20:00+0200", "-5m"}) {
    INFO(wrong);
    CHECK_FALSE(parse_time(wrong, kNow));
  }
}

TEST_CASE("the audit's table is aligned and has what an operator asks for", "[keyd][keyd-admin]") {
  const std::string table = show(sample().text(), {});
  const auto lines = [&] {
    std::vector<std::string> all;
    std::istringstream in(table);
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }();
  REQUIRE(lines.size() == 6);
  const auto column = [&](const char* name) { return lines[0].find(name); };
  CHECK(lines[2].find("thermo") == column("CLIENT ID"));
  CHECK(lines[2].find("192.0.2.1:1883") == column("DEVICE"));
  CHECK(lines[2].find("65") == column("US"));
  CHECK(lines[3].find("sign tls13_client") == column("EVENT"));
  CHECK(lines[2].find("01234567  ") == column("HANDSHAKE"));
  CHECK(lines[3].find("ecdsa_sha256") == column("SCHEME"));
  CHECK(lines[3].find("denied") == column("RESULT"));
  CHECK(lines[3].find("the key is not RSA") == column("REASON"));
  CHECK(lines[1].find("keyd 0.1.0, pid 42") == column("REASON"));
  CHECK(lines[5].find("3 lines were lost") == column("REASON"));
  CHECK(table.find('\033') == std::string::npos);
  CHECK(show(sample().text(), {}, kTerminal).find("\033[31m") != std::string::npos);  // a denied request
}

TEST_CASE("a client id can't send escape sequences to the terminal", "[keyd][keyd-admin]") {
  const std::string evil =
      "a\033]0;owned\007\033[2J\r\n\t\x7f\xc2\x9b"
      "31m\xe2\x80\xae"
      "b\\\xef\xbb\xbf";
  AuditFile audit;
  audit.add("start").add("lookup", {{"client_id", evil}, {"reason", evil}, {"device", evil}, {"result", evil}});
  // The same bytes put into a file by hand: raw, in a line that is not JSON and in one that is.
  const std::string raw = audit.text() + "\033[2J\n" + "{\"seq\":9,\"event\":\"x\",\"client_id\":\"\xc2\x9b\"}\n";
  for (const bool as_json : {false, true}) {
    ShowOptions options;
    options.json = as_json;
    const std::string text = show(raw, options, {true, false});
    INFO(text);
    CHECK(text.find(as_json ? "\\u009b" : "\\u009b31m\\u202eb") != std::string::npos);
    for (const char c : text) CHECK((c == '\n' || (static_cast<uint8_t>(c) >= 0x20 && c != 0x7f)));
    CHECK(text.find("\xc2\x9b") == std::string::npos);
    CHECK(text.find("\xe2\x80\xae") == std::string::npos);
    if (as_json)
      CHECK(json::parse(text.substr(text.find('\n') + 1, text.find('\n', text.find('\n') + 1) - text.find('\n')))
                .at("client_id") == evil);
  }
  // A table in a pipe may end up on a terminal, so it must be as harmless.
  CHECK(show(raw, {}).find('\033') == std::string::npos);
  CHECK(show(raw, {}).find("a\\x1b]0;owned\\x07\\x1b[2J\\r\\n\\t\\x7f") != std::string::npos);
}

TEST_CASE("audit show --json passes a pipe the very lines, byte for byte", "[keyd][keyd-admin]") {
  ShowOptions options;
  options.json = true;
  CHECK(show(sample().text(), options) == sample().text());
}

TEST_CASE("lines that are not the audit's are counted and not shown", "[keyd][keyd-admin]") {
  const ScratchDir scratch;
  ShowOptions options;
  options.file = scratch.put("audit", sample().text() + "torn {\n[1]\n{\"msg\":\"x\"}\n" + std::string(300'000, 'x'));
  std::ostringstream out;
  CHECK(audit_show(options, out, kPipe) == 4);
  options.file = scratch / "none";
  CHECK_THROWS(audit_show(options, out, kPipe));
}

TEST_CASE("text for the terminal is made harmless and stays legible", "[keyd][keyd-admin]") {
  CHECK(visible("Ünï 日本") == "Ünï 日本");
  CHECK(visible("\xff\xc0\x80\xed\xa0\x80") == "\\xff\\xc0\\x80\\xed\\xa0\\x80");
  CHECK(visible("a\\nb") == "a\\\\nb");
  CHECK(visible(std::string("\0x", 2)) == "\\x00x");
  CHECK(visible("\xf3\xa0\x80\x81") == "\\U000e0001");  // a tag character
  CHECK(json::parse(visible_json("\"\xf3\xa0\x80\x81\"")) == json::parse("\"\xf3\xa0\x80\x81\""));
  CHECK(padded("日", 3) == "日  ");
  CHECK(grouped(1234567) == "1,234,567");
  CHECK(grouped(123) == "123");
}

TEST_CASE("a line that counts refusals is shown with their number and times, and is denied", "[keyd][keyd-admin]") {
  AuditFile audit;
  audit.add("start");
  audit.add("counted", {{"time", "2026-11-23T11:00:01.000000Z"},
                        {"worker", 2},
                        {"counted", "sign"},
                        {"result", "busy"},
                        {"reason", "max_queue"},
                        {"number", 17700},
                        {"first", "2026-11-23T11:00:00.000000Z"},
                        {"last", "2026-11-23T11:00:00.900000Z"}});
  ShowOptions options;
  options.denied = true;
  const std::string text = show(audit.text(), options);
  INFO(text);
  for (const char* part : {"counted sign", "busy", "17700 more from 2026-11-23T11:00:00.000000Z to ", "max_queue"})
    CHECK(text.find(part) != std::string::npos);
}
