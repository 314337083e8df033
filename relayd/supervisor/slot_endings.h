// The memory of each worker slot's endings (handover/endings.h). It outlives workers and generations. Loop thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relayd/handover/endings.h"

namespace relayd {

class SlotEndings {
 public:
  // Makes it for so many slots. Throws std::system_error if there is no memory.
  void grow(int workers) {
    while (std::ssize(slots_) < workers) slots_.push_back(std::make_unique<Slot>());
  }
  size_t slots() const { return slots_.size(); }
  int fd(int worker) const { return slots_.at(static_cast<size_t>(worker))->memory.get(); }  // for a worker to inherit
  std::optional<Ending> last(const std::string& client_id) const {
    std::optional<Ending> last;
    for (const auto& slot : slots_)
      if (auto ending = slot->table.last(client_id); ending && (!last || ending->at > last->at))
        last = std::move(ending);
    return last;
  }

 private:
  struct Slot {
    common::Fd memory = EndingsTable::create();
    EndingsTable table{memory.get()};
  };
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace relayd
