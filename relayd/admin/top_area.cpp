#include "relayd/admin/top_area.h"

#include <algorithm>

#include "common/operator/terminal.h"

namespace relayd::admin {
namespace {

std::string cut(std::string text, int columns) {
  const auto most = static_cast<size_t>(columns);
  if (common::width_of(text) <= most) return text;
  size_t end = 0;
  for (size_t characters = 0; characters + 1 < most; characters++)  // visible() returns UTF-8
    while (++end < text.size() && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) {
    }
  return text.substr(0, end) + "…";
}

}  // namespace

Area::Area(Picture& picture, int x, int columns, int y, int lines)
    : picture_(picture), x_(x), columns_(columns), y_(y), end_(y + std::max(lines, 0)) {}

void Area::put(int x, int columns, const std::string& text, Look look) { put(x, columns, text, look, false); }
void Area::put_right(int x, int columns, const std::string& text, Look look) { put(x, columns, text, look, true); }

void Area::put(int x, int columns, const std::string& text, Look look, bool right) {
  const int room = columns < 0 ? columns_ - x : std::min(columns, columns_ - x);
  if (left() <= 0 || room <= 0 || text.empty()) return;
  const std::string shown = cut(common::visible(text), room);
  const int width = static_cast<int>(common::width_of(shown));
  const auto line = static_cast<size_t>(y_);
  if (line >= picture_.size()) picture_.resize(line + 1);
  picture_[line].push_back({x_ + x + (right ? room - width : 0), right ? width : room, shown, look});
}

void Area::line(const std::string& text, Look look) {
  if (left() <= 0) return;
  put(0, -1, text, look);
  next();
}

Table::Table(Area& area, std::vector<Column> columns) : area_(area), columns_(std::move(columns)) {
  int fixed = static_cast<int>(columns_.size()) - 1;  // a space between two
  for (const Column& column : columns_) fixed += column.columns;
  std::vector<Cell> names;
  for (Column& column : columns_) {
    if (column.columns == 0) column.columns = std::max(area_.columns() - fixed, 1);
    names.push_back({std::string(column.name), Look::bold});
  }
  row(names);
}

void Table::row(const std::vector<Cell>& cells) {
  int x = 0;
  for (size_t i = 0; i < columns_.size(); i++) {
    const auto& [name, columns, number] = columns_[i];
    if (number) area_.put_right(x, columns, cells[i].text, cells[i].look);
    else area_.put(x, columns, cells[i].text, cells[i].look);
    x += columns + 1;
  }
  area_.next();
}

}  // namespace relayd::admin
