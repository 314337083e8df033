// The attacker of the suite: a program that is executed in the place of one of ours, by the real parent, with the real
// descriptors, and that enters the real sandbox. Then it does what a test commands: one attack, one outcome.
//
// A command is one line, "captured WORD...", on a TCP connection to a listening socket that the program inherited. The
// attacker answers "+" before the attack and then the outcome, in one line. Whatever else connects, such as a device,
// is turned away.
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
  std::string run(const std::string& line) const;

  std::vector<int> listeners_;
  Attacks attacks_;
  std::vector<Peer> peers_;
};

}  // namespace captured
