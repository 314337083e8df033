// A table of the status page. On a narrow screen a wide one shows each row as a list of names and values.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "relayd/monitor/html.h"

namespace relayd::monitor {

struct Column {
  std::string_view name;
  bool number = false;
};

struct Cell {
  std::string text;
  std::string_view mood = {};  // "good", "warn", "bad"
};

class Table {
 public:
  // Shows at most `most` rows, and says how many are not shown.
  Table(Html& html, std::initializer_list<Column> columns, size_t most);
  void row(std::initializer_list<Cell> cells);
  void end(std::string_view if_empty);  // shown in place of a table without rows

 private:
  void head();

  Html& html_;
  const std::vector<Column> columns_;
  const size_t most_;
  size_t rows_ = 0;
};

}  // namespace relayd::monitor
