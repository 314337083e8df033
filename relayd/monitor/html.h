// Builds HTML. Text and attribute values are escaped here and nowhere else, so no caller can forget it.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace relayd::monitor {

class Html {
 public:
  static constexpr size_t kLongestText = 400;  // bytes; longer text is cut and ends with "…"

  using Attributes = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // `markup`: our own, constant.
  Html& raw(std::string_view markup);
  Html& text(std::string_view text);
  Html& open(std::string_view tag, Attributes attributes = {});
  Html& close(std::string_view tag);
  // One element that holds text only.
  Html& element(std::string_view tag, std::string_view text, Attributes attributes = {});
  std::string take() && { return std::move(out_); }

 private:
  void escape(std::string_view text);

  std::string out_;
};

}  // namespace relayd::monitor
