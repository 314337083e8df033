// What is said to an HTTP or SOCKS5 proxy, and what is made of its answers.
#include "relayd/connector/proxy_talk.h"

#include <string_view>

#include "relayd/connector/http_connect.h"
#include "relayd/connector/socks5.h"
#include "tests/unit/catch.h"

using relayd::Config;
using relayd::connector::base64, relayd::connector::HttpConnect, relayd::connector::ProxyTalk,
    relayd::connector::Socks5;
using State = ProxyTalk::State;
using namespace std::literals;

namespace {

const Config::Endpoint kBroker{"broker.example", 8883};

size_t feed(ProxyTalk& talk, std::string_view bytes) {
  return talk.feed({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

// Feeds an answer whole, and a byte at a time: both must come to the same. Returns why() of a refusal.
template <typename Talk>
std::string refusal(std::string_view answer, const std::string& credentials = "") {
  Talk whole(kBroker, credentials), slow(kBroker, credentials);
  feed(whole, answer);
  for (size_t i = 0; i < answer.size() && slow.state() == State::talking; i++) feed(slow, answer.substr(i, 1));
  CHECK(whole.state() == State::refused);
  CHECK(slow.why() == whole.why());
  return whole.why();
}

void has(const std::string& text, std::string_view part) {
  CAPTURE(text, part);
  CHECK(text.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("proxy: HTTP CONNECT names the broker, with basic authentication if there are credentials") {
  CHECK(HttpConnect(kBroker, "").take_request() ==
        "CONNECT broker.example:8883 HTTP/1.1\r\nHost: broker.example:8883\r\n\r\n");
  CHECK(HttpConnect({"2001:db8::1", 1}, "Aladdin:open sesame").take_request() ==
        "CONNECT [2001:db8::1]:1 HTTP/1.1\r\nHost: [2001:db8::1]:1\r\n"
        "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");  // RFC 7617 section 2
}

TEST_CASE("proxy: base64 is RFC 4648's") {
  for (const auto& [text, coded] :
       {std::pair{"", ""}, {"f", "Zg=="}, {"ab", "YWI="}, {"foo", "Zm9v"}, {"abcd", "YWJjZA=="}})
    CHECK(base64(text) == coded);
  CHECK(base64("\xff\xfe\xfd") == "//79");
}

TEST_CASE("proxy: an HTTP answer of class 2 opens the tunnel at the end of its head, and not a byte more is taken") {
  for (const auto answer :
       {"HTTP/1.1 200 OK\r\n\r\n"sv, "HTTP/1.0 200\r\nContent-Length: 5\r\nServer: x\r\n\r\n"sv, "HTTP/1.1 299 \n\n"sv,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Connection established\r\n\r\n"sv}) {
    CAPTURE(answer);
    HttpConnect whole(kBroker, ""), slow(kBroker, "");
    CHECK(feed(whole, std::string(answer) + "\r\nbroker") == answer.size());
    CHECK(whole.state() == State::open);
    CHECK(feed(whole, "more") == 0);
    for (size_t i = 0; i < answer.size(); i++) {
      CHECK(slow.state() == State::talking);
      CHECK(feed(slow, answer.substr(i, 1)) == 1);
    }
    CHECK(slow.state() == State::open);
  }
}

TEST_CASE("proxy: an HTTP refusal says the proxy's own words and what to do") {
  const auto said = [](std::string_view status, const std::string& credentials = "") {
    return refusal<HttpConnect>("HTTP/1.1 " + std::string(status) + "\r\nProxy-Authenticate: Basic\r\n\r\n",
                                credentials);
  };
  CHECK(said("407 Proxy Authentication Required") ==
        "answered 407 Proxy Authentication Required; set remote.proxy.credentials_file");
  CHECK(said("407 No", "a:b") == "answered 407 No; correct the user and password in remote.proxy.credentials_file");
  CHECK(said("401 Unauthorized", "a:b") ==
        "answered 401 Unauthorized; correct the user and password in remote.proxy.credentials_file");
  CHECK(said("403 Filtered") == "answered 403 Filtered; it must allow CONNECT to broker.example:8883");
  CHECK(said("502 Bad Gateway") == "answered 502 Bad Gateway; it must be able to reach broker.example:8883");
  CHECK(said("500 \x1b[31m\xc3\xa4") == "answered 500 ?[31m??; it must be able to reach broker.example:8883");
  CHECK(said("418 " + std::string(4000, 'x')).size() < 200);
}

TEST_CASE("proxy: what is not HTTP, or has no end, is refused") {
  has(refusal<HttpConnect>("\x05\xff"), "something other than HTTP/1.1: are remote.proxy.type and port right?");
  has(refusal<HttpConnect>("SSH-2.0-OpenSSH\r\n"), "something other than HTTP/1.1");
  has(refusal<HttpConnect>("HTTP/2 200\r\n"), "something other than HTTP/1.1");
  for (const char* line :
       {"HTTP/1.1\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1  200 OK\r\n", "HTTP/1.x 200\r\n"})
    has(refusal<HttpConnect>(line), "malformed status line");
  HttpConnect endless(kBroker, "");
  std::string head = "HTTP/1.1 200 OK\r\n";
  while (head.size() <= HttpConnect::kMostHead) head += "X: y\r\n";
  CHECK(feed(endless, head) <= HttpConnect::kMostHead + 1);
  has(endless.why(), "more than 8 KiB");
  HttpConnect interim(kBroker, "");
  while (interim.state() == State::talking) feed(interim, "HTTP/1.1 102 Processing\r\n\r\n");
  has(interim.why(), "more than 8 KiB");
}

TEST_CASE("proxy: SOCKS5 without credentials sends the broker's name, or its address") {
  const auto asked = [](const Config::Endpoint& broker) {
    Socks5 talk(broker, "");
    CHECK(talk.take_request() == "\x05\x01\x00"s);
    CHECK(feed(talk, "\x05\x00"sv) == 2);
    return talk.take_request();
  };
  CHECK(asked(kBroker) == "\x05\x01\x00\x03\x0e"s + "broker.example" + "\x22\xb3");
  CHECK(asked({"192.0.2.1", 1}) == "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x01"s);
  CHECK(asked({"2001:db8::1", 258}) == "\x05\x01\x00\x04\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01\x01\x02"s);
}

TEST_CASE("proxy: SOCKS5 authenticates if the proxy wants it") {
  Socks5 talk(kBroker, "user:pass:word");
  CHECK(talk.take_request() == "\x05\x02\x00\x02"s);
  feed(talk, "\x05\x02"sv);
  CHECK(talk.take_request() == "\x01\x04user\x09pass:word"s);
  CHECK(talk.state() == State::talking);
  feed(talk, "\x01\x00"sv);
  CHECK(talk.take_request().starts_with("\x05\x01\x00\x03"s));
}

TEST_CASE("proxy: a SOCKS5 reply of any address type opens the tunnel, and not a byte more is taken") {
  for (const auto& reply : {"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"s, "\x05\x00\x00\x03\x01x\x00\x50"s,
                            "\x05\x00\x00\x03\x00\x00\x50"s, "\x05\x00\x00\x04"s + std::string(18, 'x')}) {
    CAPTURE(reply.size());
    Socks5 talk(kBroker, "");
    const std::string answer = "\x05\x00"s + reply;
    CHECK(feed(talk, answer + "\x05\x00 broker") == answer.size());
    CHECK(talk.state() == State::open);
    CHECK(feed(talk, "more") == 0);
    Socks5 slow(kBroker, "");
    for (const char c : answer) {
      CHECK(slow.state() == State::talking);
      CHECK(feed(slow, {&c, 1}) == 1);
    }
    CHECK(slow.state() == State::open);
  }
}

TEST_CASE("proxy: a SOCKS5 refusal says what the proxy answered and what to do") {
  CHECK(refusal<Socks5>("\x05\xff"sv) == "wants authentication; set remote.proxy.credentials_file");
  has(refusal<Socks5>("\x05\xff"sv, "a:b"), "wants another authentication than a user and password");
  has(refusal<Socks5>("\x05\x02"sv), "was not offered");
  has(refusal<Socks5>("\x05\x02\x01\x01"sv, "a:b"), "does not accept the user and password; correct them in");
  has(refusal<Socks5>("\x05\x02\x05\x00"sv, "a:b"), "something other than SOCKS5");
  has(refusal<Socks5>("HTTP/1.1 400"sv), "something other than SOCKS5: are remote.proxy.type and port right?");
  CHECK(refusal<Socks5>("\x05\x00\x05\x05\x00\x01\x00"sv) ==
        "answered 5 (Connection refused); it must be able to reach, and allow, broker.example:8883");
  has(refusal<Socks5>("\x05\x00\x05\x77\x00\x01\x00"sv), "answered 119; it");
  has(refusal<Socks5>("\x05\x00\x05\x00\x00\x02\x00"sv), "unknown type of address");
  has(refusal<Socks5>("\x05\x00\x04\x00\x00\x01\x00"sv), "something other than SOCKS5");
}
