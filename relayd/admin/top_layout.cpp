#include "relayd/admin/top_layout.h"

#include <algorithm>

#include "relayd/admin/top_sections.h"

namespace relayd::admin {
namespace {

// What goes below the state: sections, from `y` to `end`.
class Body {
 public:
  Body(Picture& picture, const TopSight& sight, int width, int height, int y, int end)
      : picture_(picture), sight_(sight), width_(width), height_(height), y_(y), end_(end) {}

  void add(const TopChoice& choice) {
    add_overview();
    if (height_ >= kTall) y_++;
    add_troubles();
    if (height_ >= kTall) y_++;
    Area rest = rows(end_ - y_);
    add_devices(rest, sight_, choice);
  }

 private:
  Area rows(int lines) const { return part(0, width_, lines); }
  Area part(int x, int columns, int lines) const { return {picture_, x, columns, y_, std::min(lines, end_ - y_)}; }

  // The headlines, and beside them the workers.
  void add_overview() {
    constexpr int kHeadlines = 46;
    const TopModel& model = sight_.model;
    const int workers = 1 + static_cast<int>(model.workers.size());
    int lines = static_cast<int>(model.headlines.size());
    if (width_ < kWide) {
      Area all = rows(lines);
      add_headlines(all, model);
      y_ = all.y();
      if (height_ < kTall) return;
      Area below = rows(std::min(workers, height_ / 6));
      add_workers(below, model);
      y_ = below.y();
      return;
    }
    lines = std::max(lines, std::min(workers, height_ / 4));
    Area left = part(0, kHeadlines, lines), right = part(kHeadlines + 1, width_ - kHeadlines - 1, lines);
    add_headlines(left, model);
    add_workers(right, model);
    y_ += std::clamp(lines, 0, std::max(end_ - y_, 0));
  }

  // Refusals, and on a tall screen the times, beside them or above them.
  void add_troubles() {
    const TopModel& model = sight_.model;
    const int causes = std::min(1 + static_cast<int>(model.refusals.size()), std::max(3, height_ / 5));
    const int times = 1 + static_cast<int>(model.keyd.size() + model.timings.size());
    if (height_ >= kTall && width_ >= kVeryWide) {
      const int lines = std::max(times, causes), middle = width_ / 2;
      Area refused = part(0, middle - 1, lines), taken = part(middle + 1, width_ - middle - 1, lines);
      add_refusals(refused, model);
      add_times(taken, model);
      y_ = std::max(refused.y(), taken.y());
      return;
    }
    if (height_ >= kTall) {
      Area taken = rows(times);
      add_times(taken, model);
      y_ = taken.y() + 1;
    }
    Area refused = rows(causes);
    add_refusals(refused, model);
    y_ = refused.y();
  }

  Picture& picture_;
  const TopSight& sight_;
  const int width_, height_;
  int y_;
  const int end_;
};

}  // namespace

Picture top_layout(const TopSight& sight, const TopChoice& choice, int width, int height) {
  Picture picture;
  if (width <= 0 || height <= 0) return picture;
  const bool has_foot = height >= 4;
  const int end = has_foot ? height - 1 : height;
  Area top(picture, 0, width, 0, end);
  add_head(top, sight, choice);
  add_state(top, sight);
  if (choice.help) {
    add_help(top);
  } else {
    add_concerns(top, sight, height);
    Body(picture, sight, width, height, top.y(), end).add(choice);
  }
  if (!has_foot) return picture;
  Area foot(picture, 0, width, height - 1, 1);
  add_foot(foot, choice);
  return picture;
}

}  // namespace relayd::admin
