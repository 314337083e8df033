// The broker of the bench: as little as a relay needs to see. It asks for a client certificate, takes any chain (the
// handshake proves that the peer has its key), and answers CONNECT, PUBLISH, SUBSCRIBE and PINGREQ. PUBLISHes to some
// topics are commands:
//
//   bench/down   the payload is a number of MiB; the broker sends them back in packets of 256 KiB
//   bench/fan    the broker sends a PUBLISH with this payload to each session that has subscribed
//   bench/keep   the session survives bench/cut
//   bench/cut    the broker closes all other sessions
//
//   bench_broker --listen 127.0.0.1:0 --certificate CHAIN.pem --key KEY.pem [--mlkem]
//
// Prints the port, and serves until standard input ends.
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <unordered_map>

#include "tests/bench/endpoint.h"

using namespace bench;

namespace {

constexpr size_t kBulkPayload = 262'144, kCutATurn = 8;

class Session;

struct Broker {
  Loop loop;
  Context context;
  std::unordered_map<Session*, std::unique_ptr<Session>> sessions{};
  std::vector<uint8_t> bulk = publish_packet("bench/down", 0, 0, kBulkPayload);

  std::vector<Session*> condemned{};  // by a cut; some may have ended since

  void ended(Session* session);
  void fan_out(const std::string& payload);
  void cut(const Session* asking);
  // Closes a few of the condemned: the sessions that stay must not wait for this program.
  void cut_some();
};

class Session : public Endpoint {
 public:
  Session(Broker& broker, common::Fd fd)
      : Endpoint(broker.loop, std::move(fd), broker.context.get(), true), broker_(broker) {}
  bool subscribed = false, kept = false, condemned = false;

 protected:
  void on_packet(uint8_t first, Bytes body) override {
    switch (first & 0xF0) {
      case kConnect: return write(std::array<uint8_t, 4>{kConnack, 2, 0, 0});
      case kPublish: return published(first, body);
      case kPingreq: return write(std::array<uint8_t, 2>{kPingresp, 0});
      case kSubscribe & 0xF0: subscribed = true; return write(std::array<uint8_t, 5>{kSuback, 3, body[0], body[1], 0});
      case kDisconnect: close(); return broker_.ended(this);
      default: return;
    }
  }
  void on_drained() override {
    if (bulk_left_ == 0) return;
    bulk_left_--;
    write(broker_.bulk);
  }
  void on_closed(const std::string&) override { broker_.ended(this); }

 private:
  void published(uint8_t first, Bytes body) {
    if (body.size() < 2) return;  // of a bulk
    const size_t topic_size = static_cast<size_t>(body[0]) << 8 | body[1];
    if (body.size() < topic_size + (first & 0x06 ? 4 : 2)) return;
    const std::string_view topic(reinterpret_cast<const char*>(body.data()) + 2, topic_size);
    if (first & 0x06) write(std::array<uint8_t, 4>{kPuback, 2, body[2 + topic_size], body[3 + topic_size]});
    else if (topic != "bench") command(topic, body.subspan(2 + topic_size));
  }
  void command(std::string_view topic, Bytes payload) {
    const std::string text(payload.begin(), payload.end());
    if (topic == "bench/fan") broker_.fan_out(text);
    else if (topic == "bench/keep") kept = true;
    else if (topic == "bench/cut") broker_.cut(this);
    else if (topic == "bench/down") {
      bulk_left_ = std::stoul(text) * (1'048'576 / kBulkPayload) - 1;
      write(broker_.bulk);
    }
  }

  Broker& broker_;
  size_t bulk_left_ = 0;
};

void Broker::ended(Session* session) {
  const auto found = sessions.find(session);
  if (found == sessions.end()) return;
  loop.bury(std::move(found->second));
  sessions.erase(found);
}

void Broker::fan_out(const std::string& payload) {
  const std::vector<uint8_t> packet = publish_packet("bench/fan", payload);
  std::vector<Session*> all;
  for (const auto& [session, owned] : sessions)
    if (session->subscribed) all.push_back(session);
  for (Session* session : all) {
    session->write(packet);
    session->flush();
  }
}

void Broker::cut(const Session* asking) {
  for (const auto& [session, owned] : sessions)
    if (session != asking && !session->kept) {
      session->condemned = true;
      condemned.push_back(session);
    }
}

void Broker::cut_some() {
  for (size_t i = 0; i < kCutATurn && !condemned.empty(); condemned.pop_back()) {
    if (!sessions.contains(condemned.back()) || !condemned.back()->condemned) continue;  // another may have its address
    condemned.back()->close();
    ended(condemned.back());
    i++;
  }
}

class Front : public Listener {
 public:
  Front(Broker& broker, const Address& address) : Listener(broker.loop, address), broker_(broker) {}

 protected:
  void on_accepted(common::Fd fd) override {
    auto session = std::make_unique<Session>(broker_, std::move(fd));
    Session* const key = session.get();
    broker_.sessions.emplace(key, std::move(session));
  }

 private:
  Broker& broker_;
};

std::string content(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Failure("can't read " + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool input_ended() {
  pollfd in{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return poll(&in, 1, 0) > 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen, certificate, key;
  bool mlkem = false;
  CLI::App app("A stand-in for a broker");
  app.add_option("--listen", listen, "ADDRESS:PORT; port 0: a free one")->required();
  app.add_option("--certificate", certificate, "PEM file of the chain")->required();
  app.add_option("--key", key, "PEM file")->required();
  app.add_flag("--mlkem", mlkem, "prefer X25519MLKEM768 to X25519");
  CLI11_PARSE(app, argc, argv);
  try {
    Broker broker{.loop = {}, .context = server_context(mlkem, content(certificate), content(key))};
    Front front(broker, parse_address(listen));
    std::cout << front.port() << std::endl;
    auto checked = Clock::now();
    for (;;) {
      broker.loop.turn(std::chrono::milliseconds(broker.condemned.empty() ? 100 : 0));
      broker.cut_some();
      if (Clock::now() - checked < std::chrono::milliseconds(100)) continue;
      if (input_ended()) return 0;
      checked = Clock::now();
    }
  } catch (const std::exception& error) {
    std::cerr << "bench_broker: " << error.what() << "\n";
    return 1;
  }
}
