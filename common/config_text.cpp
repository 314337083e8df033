#include "common/config_text.h"

#include <algorithm>
#include <iterator>

#include "common/config_error.h"
#include "common/config_syntax.h"

namespace common {
namespace {

using Json = nlohmann::json;
using After = SyntaxProgress::After;

// Walks over the text for the parser, and says how far the parser has come.
struct Walk {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  const char* at;
  const char** reached;
  reference operator*() const { return *at; }
  Walk& operator++() {
    *reached = ++at;
    return *this;
  }
  bool operator==(const Walk& other) const { return at == other.at; }
  bool operator!=(const Walk& other) const { return at != other.at; }
};

class Reader {
 public:
  Reader(std::string_view text, const std::string& name) : text_(text), name_(name), reached_(text.data()) {}

  ConfigText read() {
    size_t offset = 0;
    if (const std::string problem = why_not_text(text_, offset); !problem.empty()) fail(offset, problem);
    const auto on_event = [this](int, Json::parse_event_t event, Json& value) {
      take(event, value);
      return true;
    };
    try {
      found_.object = Json::parse(Walk{text_.data(), &reached_}, Walk{text_.data() + text_.size(), &reached_}, on_event,
                                  /*allow_exceptions=*/true, /*ignore_comments=*/true);
    } catch (const Json::parse_error&) {
      const Mistake mistake = explain_syntax(text_, progress_);
      fail(mistake.offset, mistake.what);
    } catch (const Json::out_of_range&) {
      const std::string_view number = number_before(reached());
      fail(static_cast<size_t>(number.data() - text_.data()), "the number " + std::string(number.substr(0, 40)) +
                                                                  (number.size() > 40 ? "…" : "") +
                                                                  " is too large for any setting");
    }
    if (!found_.object.is_object()) fail(first_, "found " + shown(found_.object) + "; expected an object { … }");
    return std::move(found_);
  }

 private:
  struct Container {
    std::string path;
    bool is_object;
    size_t items = 0;
    std::map<std::string, size_t> keys = {};  // and their lines
  };

  [[noreturn]] void fail(size_t offset, const std::string& problem) const {
    throw ConfigError(name_ + ": " + position_of(text_, offset) + ": " + problem);
  }

  size_t reached() const { return static_cast<size_t>(reached_ - text_.data()); }

  // The parser takes one byte more to see that a number is over.
  std::string_view number_before(size_t end) const {
    const auto is_of_number = [](char c) {
      return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
    };
    if (end > 0 && !is_of_number(text_[end - 1])) end--;
    size_t begin = end;
    while (begin > 0 && is_of_number(text_[begin - 1])) begin--;
    return text_.substr(begin, end - begin);
  }

  void take(Json::parse_event_t event, const Json& value) {
    using Event = Json::parse_event_t;
    size_t end = reached();
    switch (event) {
      case Event::object_start:
      case Event::array_start: open(event == Event::object_start); break;
      case Event::key: take_key(value.get_ref<const std::string&>(), end); break;
      case Event::object_end:
      case Event::array_end:
        containers_.pop_back();
        progress_.open.pop_back();
        progress_.after = After::value;
        break;
      case Event::value:
        size_t begin = end - 1;
        if (value.is_number()) {
          const auto number = number_before(end);
          begin = static_cast<size_t>(number.data() - text_.data());
          end = begin + number.size();
        } else if (value.is_string()) {
          begin = beginning_of_string(end);
        }
        begin_value(begin);
        progress_.after = After::value;
        break;
    }
    progress_.end = end;
  }

  // The path of a value that begins; the line of an item of a list is noted here, that of a member with its key.
  std::string begin_value(size_t offset) {
    if (containers_.empty()) {
      first_ = offset;
      return "";
    }
    Container& in = containers_.back();
    if (in.is_object) return path_of(in.path, key_);
    std::string path = in.path + "[" + std::to_string(in.items++) + "]";
    found_.lines[path] = line_at(offset);
    return path;
  }

  void open(bool is_object) {
    const size_t offset = reached() - 1;
    if (containers_.size() == kMaxConfigDepth)
      fail(offset, "objects and lists are nested more than " + std::to_string(kMaxConfigDepth) +
                       " deep; no setting is that deep");
    std::string path = begin_value(offset);
    containers_.push_back({std::move(path), is_object});
    progress_.open.push_back({is_object ? '{' : '[', offset});
    progress_.after = After::open;
  }

  void take_key(const std::string& key, size_t end) {
    Container& in = containers_.back();
    const auto [earlier, is_new] = in.keys.emplace(key, line_at(end));
    if (!is_new)
      fail(beginning_of_string(end), "the key \"" + key.substr(0, 80) +
                                         "\" appears twice in one object, first in line " +
                                         std::to_string(earlier->second) + "; keep one of them");
    key_ = key;
    found_.lines[path_of(in.path, key)] = line_at(end);
    progress_.after = After::key;
  }

  // Of a string whose closing quote is before `end`.
  size_t beginning_of_string(size_t end) const {
    size_t at = end - 2;
    for (; at > 0; at--) {
      if (text_[at] != '"') continue;
      size_t backslashes = 0;
      while (backslashes < at && text_[at - 1 - backslashes] == '\\') backslashes++;
      if (backslashes % 2 == 0) break;
    }
    return at;
  }

  // Offsets come in rising order, so each line break is counted once.
  size_t line_at(size_t offset) {
    line_ += static_cast<size_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(counted_),
                                            text_.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
    counted_ = offset;
    return line_;
  }

  const std::string_view text_;
  const std::string& name_;
  const char* reached_;
  ConfigText found_;
  SyntaxProgress progress_;
  std::vector<Container> containers_;
  std::string key_;
  size_t first_ = 0, line_ = 1, counted_ = 0;
};

}  // namespace

ConfigText parse_config_text(std::string_view text, const std::string& name) { return Reader(text, name).read(); }

std::string path_of(std::string_view object, std::string_view key) {
  return object.empty() ? std::string(key) : std::string(object) + "." + std::string(key);
}

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 80) text.replace(77, text.npos, "...");
  return text + " (" + value.type_name() + ")";
}

}  // namespace common
