#include "relayd/monitor/table.h"

#include "relayd/overview/numbers.h"

namespace relayd::monitor {
namespace {

constexpr size_t kWide = 5;  // columns

}  // namespace

Table::Table(Html& html, std::initializer_list<Column> columns, size_t most)
    : html_(html), columns_(columns), most_(most) {}

void Table::head() {
  html_.open("table", {{"class", columns_.size() >= kWide ? "wide" : ""}}).raw("<thead><tr>");
  for (const Column& column : columns_)
    html_.element("th", column.name, {{"scope", "col"}, {"class", column.number ? "number" : ""}});
  html_.raw("</tr></thead><tbody>\n");
}

void Table::row(std::initializer_list<Cell> cells) {
  if (rows_++ == 0) head();
  if (rows_ > most_) return;
  html_.raw("<tr>");
  size_t at = 0;
  for (const Cell& cell : cells) {
    const Column& column = columns_[at++];
    const std::string kind = std::string(column.number ? "number " : "") + std::string(cell.mood);
    html_.element("td", cell.text, {{"data-name", column.name}, {"class", kind}});
  }
  html_.raw("</tr>\n");
}

void Table::end(std::string_view if_empty) {
  if (rows_ == 0) {
    html_.element("p", if_empty, {{"class", "faint"}});
    return;
  }
  html_.raw("</tbody></table>\n");
  if (rows_ > most_) html_.element("p", overview::grouped(rows_ - most_) + " more are not shown", {{"class", "faint"}});
}

}  // namespace relayd::monitor
