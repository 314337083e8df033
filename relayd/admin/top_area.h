// Pieces in their places: a rectangle of the screen of `mqtt-relay top` that is filled from the top, and tables in it.
// What finds no room is cut, and text goes through common::visible() here and nowhere else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relayd/admin/top_layout.h"

namespace relayd::admin {

class Area {
 public:
  Area(Picture& picture, int x, int columns, int y, int lines);

  int left() const { return end_ - y_; }  // lines
  int y() const { return y_; }            // of the current line
  int columns() const { return columns_; }

  // In the current line, from column `x` of the area on; `columns` < 0: all that are left.
  void put(int x, int columns, const std::string& text, Look look = Look::plain);
  void put_right(int x, int columns, const std::string& text, Look look = Look::plain);  // aligned to the right
  void next() { y_++; }
  void line(const std::string& text, Look look = Look::plain);  // puts, and goes to the next line

 private:
  void put(int x, int columns, const std::string& text, Look look, bool right);

  Picture& picture_;
  const int x_, columns_;
  int y_, end_;
};

struct Column {
  std::string_view name;
  int columns;          // 0: all that are left
  bool number = false;  // aligned to the right
};
struct Cell {
  std::string text;
  Look look = Look::plain;
};

class Table {
 public:
  Table(Area& area, std::vector<Column> columns);  // writes their names
  void row(const std::vector<Cell>& cells);        // one for each column

 private:
  Area& area_;
  std::vector<Column> columns_;
};

}  // namespace relayd::admin
