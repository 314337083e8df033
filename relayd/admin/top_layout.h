// Where `mqtt-relay top` shows what, on a screen of any size. Pure.
//
// The order and the words are the status page's (relayd/monitor/page.h). What finds no room is left out from the
// bottom: the first lines say whether anything is wrong. Every text of a picture went through common::visible(), so a
// terminal does nothing with it but show it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relayd/admin/top_model.h"

namespace relayd::admin {

enum class Look : uint8_t { plain, bold, dim, good, warn, bad, bar };

// A text in its place. It takes at most `columns`; if one of its characters is wider than a column, the painter cuts
// it.
struct Piece {
  int x = 0, columns = 0;
  std::string text;  // UTF-8
  Look look = Look::plain;
};
using Picture = std::vector<std::vector<Piece>>;  // lines of pieces, from left to right

// What the operator has chosen.
struct TopChoice {
  DeviceOrder order = DeviceOrder::bytes;
  uint64_t interval = 1;  // seconds
  bool paused = false, help = false;
};

// At most `height` lines of at most `width` columns.
Picture top_layout(const TopSight& sight, const TopChoice& choice, int width, int height);

}  // namespace relayd::admin
