// The attacker of the suite: a program that is executed in the place of one of ours, by the real parent, with the real
// descriptors, and that enters the real sandbox. Then it does what a test commands: one attack, one outcome.
//
// A command is one line, "captured WORD...", on a TCP connection to a listening socket that the program inherited;
// whatever else connects, such as a device, is turned away. The attacker answers "+" before the attack and then the
// outcome, in one line. A program without a listening socket gets its commands in another way.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace captured {

using Words = std::vector<std::string>;
using Attack = std::function<std::string(const Words& words)>;
using Attacks = std::map<std::string, Attack>;

// "done", or the name of errno's value, such as "EPERM".
std::string outcome(long result);

// The outcome of a command, "WORD...".
std::string run(const Attacks& attacks, const std::string& command);
// Runs it between the two halves of the answer.
void obey(int socket, const Attacks& attacks, const std::string& command);

// Sends without waiting; false with errno.
bool say(int socket, const std::string& bytes);
// The same bytes so many times, or until a send fails: the outcome.
std::string say_often(int socket, const std::string& times, const std::string& bytes);

std::string from_hex(const std::string& text);

// Only the end of its parent, and SIGKILL, end the attacker.
void ignore_orders();

// System calls that no program of ours needs, by name. Arguments that a call takes from the command are in words.
Attacks kernel_attacks();

// Attacks on listening sockets that the program shares with others.
Attacks listener_attacks(int first, int count);

// A turn of the attacker's loop: waits until `timeout` ms have passed or a descriptor is ready, serves commands, and
// returns whether `also` is ready.
class Commands {
 public:
  Commands(std::vector<int> listeners, Attacks attacks);
  bool turn(int also, int timeout);
  void forget_listeners() { listeners_.clear(); }

 private:
  struct Peer {
    int fd;
    std::string line = {};
  };
  bool serve(Peer& peer);

  std::vector<int> listeners_;
  Attacks attacks_;
  std::vector<Peer> peers_;
};

}  // namespace captured
