#include "tests/captured/keyd_attacks.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

#include "common/datagram.h"
#include "common/fd.h"
#include "common/json_line.h"
#include "relayd/handover/channel.h"

namespace captured {
namespace {

constexpr int kPatience = 10'000;  // milliseconds for an answer

bool ask(int channel, const relayd::channel::Question& question) {
  const auto datagram = relayd::channel::encode(question);
  return send(channel, datagram.data(), datagram.size(), MSG_NOSIGNAL) >= 0;
}

// Asks the connector, or the next one if it restarts. nullopt: the channel has ended, or there is no answer.
std::optional<relayd::channel::Answer> answer_to(int channel, const relayd::channel::Question::Body& question,
                                                 common::Fd& attached) {
  static uint64_t last = 0;
  const uint64_t id = ++last;
  bool asked = false;
  for (;;) {
    char bytes[relayd::channel::kMaxAnswer];
    pollfd ready{channel, POLLIN, 0};
    if (poll(&ready, 1, asked || last > 1 ? (asked ? kPatience : 0) : kPatience) == 1) {
      const ssize_t got = common::receive_datagram(channel, bytes, attached);
      if (got <= 0) return std::nullopt;
      auto answer = relayd::channel::decode_answer({reinterpret_cast<const uint8_t*>(bytes), static_cast<size_t>(got)});
      if (!answer) return std::nullopt;
      if (std::holds_alternative<relayd::channel::Began>(answer->body)) {
        ask(channel, {0, relayd::channel::Begin{}});
        asked = false;
      } else if (answer->id == id) return answer;
    } else if (asked) {
      return std::nullopt;
    }
    if (!asked) asked = ask(channel, {id, question});
  }
}

// Empty if the connector hands none over.
common::Fd keyd_by(int channel) {
  common::Fd attached;
  return answer_to(channel, relayd::channel::Keyd{}, attached) ? std::move(attached) : common::Fd();
}

bool wait_and_say(const common::Fd& keyd, const std::string& bytes) {
  pollfd writable{keyd.get(), POLLOUT, 0};
  return poll(&writable, 1, kPatience) == 1 && say(keyd.get(), bytes);
}

// An answer in hexadecimal; "closed", "silent".
std::string answer_of(const common::Fd& keyd) {
  pollfd readable{keyd.get(), POLLIN, 0};
  if (poll(&readable, 1, kPatience) != 1) return "silent";
  char bytes[2048];
  const ssize_t got = recv(keyd.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  return got <= 0 ? "closed" : common::hex(bytes, static_cast<size_t>(got));
}

}  // namespace

Attacks keyd_attacks(int channel) {
  return {
      // Each word is a datagram; waits for one answer to each, until keyd closes the connection. The first answer is
      // that to the connector's HELLO.
      {"keyd",
       [channel](const Words& words) {
         const common::Fd keyd = keyd_by(channel);
         if (!keyd) return std::string("no connection");
         std::string all = answer_of(keyd);
         for (const std::string& word : words) {
           if (all.ends_with("closed") || !wait_and_say(keyd, from_hex(word))) break;
           all += " " + answer_of(keyd);
         }
         pollfd end{keyd.get(), POLLIN, 0};
         char byte;
         if (!all.ends_with("closed") && poll(&end, 1, 200) == 1 &&
             recv(keyd.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
           all += " closed";
         return all;
       }},
      // COUNT times the same datagram, without reading an answer.
      {"keyd:flood",
       [channel](const Words& words) {
         const common::Fd keyd = keyd_by(channel);
         if (!keyd) return std::string("no connection");
         int sent = 0;
         const std::string bytes = from_hex(words.at(1));
         for (const int most = std::stoi(words.at(0)); sent < most && say(keyd.get(), bytes);) sent++;
         return "done " + std::to_string(sent);
       }},
      // Each word is a datagram; reads no answer, and keeps the connection.
      {"keyd:many",
       [channel](const Words& words) {
         static common::Fd keyd;
         keyd = keyd_by(channel);
         if (!keyd) return std::string("no connection");
         size_t sent = 0;
         while (sent < words.size() && say(keyd.get(), from_hex(words[sent]))) sent++;
         return "done " + std::to_string(sent);
       }},
      // Asks for COUNT connections to keyd and keeps them; how many it then has that live.
      {"keyd:connections",
       [channel](const Words& words) {
         std::vector<common::Fd> got;
         for (int i = std::stoi(words.at(0)); i > 0; i--)
           if (common::Fd keyd = keyd_by(channel)) got.push_back(std::move(keyd));
         size_t alive = 0;
         for (const common::Fd& keyd : got) {
           answer_of(keyd);  // to HELLO
           pollfd end{keyd.get(), POLLIN, 0};
           alive += poll(&end, 1, 100) == 0;
         }
         return "done " + std::to_string(got.size()) + " " + std::to_string(alive);
       }},
      // The certificate file of the device with this name (hexadecimal): "file SIZE", "missing", or why not.
      {"certificate",
       [channel](const Words& words) {
         common::Fd none;
         const auto answer = answer_to(channel, relayd::channel::Certificate{from_hex(words.at(0))}, none);
         if (!answer) return std::string("closed");
         const auto* file = std::get_if<relayd::channel::CertificateAnswer>(&answer->body);
         if (!file) return std::string("another answer");
         using Found = relayd::channel::CertificateAnswer::Found;
         if (file->found == Found::missing) return std::string("missing");
         return file->found == Found::file ? "file " + std::to_string(file->pem.size()) : file->problem;
       }},
      // COUNT times these bytes to the connector.
      {"channel", [channel](const Words& words) { return say_often(channel, words.at(0), from_hex(words.at(1))); }},
  };
}

}  // namespace captured
