// Why a dial reached no broker: each address that was tried, with its cause. The connector begins the list, and the
// worker continues it, because only the worker knows why a connection was useless.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relayd {

struct DialFailure {
  static constexpr size_t kMostTexts = 4;   // reported in words; further causes are only counted
  static constexpr size_t kMostText = 255;  // bytes of a text that crosses between two processes

  // Causes that an operator can act on; an address has at most one, several addresses may have several.
  struct Causes {
    bool refused = false;   // nothing listens there
    bool silent = false;    // no answer within the budget
    bool no_route = false;  // this machine has no route
  };
  // What is to blame: the address; a lack of local ports, which is of one destination; a lack of descriptors or memory.
  enum class Fault : uint8_t { address, ports, machine };

  std::vector<std::string> texts;  // "ADDRESS: CAUSE", at most kMostTexts
  uint16_t omitted = 0;            // further causes
  Causes causes;
  std::array<bool, 3> faults{};  // by Fault

  void add(std::string_view address, std::string_view cause, Fault fault = Fault::address);
  void add(const DialFailure& later);
  bool has(Fault fault) const { return faults[static_cast<size_t>(fault)]; }
  // This machine lacks descriptors, memory or local ports; the broker is not to blame.
  bool busy() const { return has(Fault::machine) || (has(Fault::ports) && !has(Fault::address)); }
  std::string text() const;
};

}  // namespace relayd
