#include "keyd/admin/audit_show.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <nlohmann/json.hpp>
#include <ostream>

#include "common/config.h"
#include "keyd/admin/audit_lines.h"

namespace keyd::admin {
namespace {

using Json = nlohmann::json;
constexpr int64_t kSecond = 1'000'000;
// Columns are as wide as a block of rows needs, and never get narrower.
constexpr size_t kBlock = 500, kWidestColumn = 40;
constexpr size_t kShownDigits = 8;  // of a handshake's 16, enough for --handshake, and of a key's 64

std::optional<int> digits(std::string_view& text, size_t count, int least, int most) {
  int value = 0;
  if (text.size() < count) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, value);
  if (error != std::errc() || end != text.data() + count || value < least || value > most) return std::nullopt;
  text.remove_prefix(count);
  return value;
}

bool skip(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text[0]) == any_of.npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<int64_t> fraction_us(std::string_view& text) {
  if (!skip(text, ".")) return 0;
  int64_t us = 0, unit = kSecond / 10;
  size_t count = 0;
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), unit /= 10, count++)
    us += (text[0] - '0') * unit;
  return count > 0 ? std::optional(us) : std::nullopt;
}

// "Z" or "+02:00", in seconds to subtract.
std::optional<int64_t> offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  const bool west = !text.empty() && text[0] == '-';
  if (!skip(text, "+-")) return std::nullopt;
  const auto hours = digits(text, 2, 0, 23);
  if (!hours || !skip(text, ":")) return std::nullopt;
  const auto minutes = digits(text, 2, 0, 59);
  if (!minutes || !text.empty()) return std::nullopt;
  return (west ? -1 : 1) * (*hours * 3600 + *minutes * 60);
}

// RFC 3339 section 5.6.
std::optional<int64_t> parse_rfc3339(std::string_view text) {
  tm parts{};
  const auto year = digits(text, 4, 1970, 9999);
  if (!year || !skip(text, "-")) return std::nullopt;
  const auto month = digits(text, 2, 1, 12);
  if (!month || !skip(text, "-")) return std::nullopt;
  const auto day = digits(text, 2, 1, 31);
  if (!day) return std::nullopt;
  parts.tm_year = *year - 1900;
  parts.tm_mon = *month - 1;
  parts.tm_mday = *day;
  if (text.empty()) {  // a day, UTC
    const time_t midnight = timegm(&parts);
    return parts.tm_mday == *day ? std::optional(midnight * kSecond) : std::nullopt;
  }
  if (!skip(text, "Tt ")) return std::nullopt;
  const auto hour = digits(text, 2, 0, 23);
  if (!hour || !skip(text, ":")) return std::nullopt;
  const auto minute = digits(text, 2, 0, 59);
  if (!minute || !skip(text, ":")) return std::nullopt;
  const auto second = digits(text, 2, 0, 60);
  const auto us = second ? fraction_us(text) : std::nullopt;
  const auto east = us ? offset(text) : std::nullopt;
  if (!east) return std::nullopt;
  parts.tm_hour = *hour;
  parts.tm_min = *minute;
  parts.tm_sec = *second;
  const time_t seconds = timegm(&parts);
  if (*second < 60 && parts.tm_mday != *day) return std::nullopt;  // 30 February
  return (seconds - *east) * kSecond + *us;
}

std::string text_of(const Json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end()) return "";
  if (found->is_string()) return found->get<std::string>();
  return found->is_number_integer() ? found->dump() : "";
}

bool matches(const Json& line, const ShowOptions& options) {
  if (options.client && text_of(line, "client_id") != *options.client) return false;
  if (options.client && !line.contains("client_id")) return false;
  if (options.event && text_of(line, "event") != *options.event) return false;
  if (options.worker && text_of(line, "worker") != std::to_string(*options.worker)) return false;
  if (options.handshake && (options.handshake->empty() || !text_of(line, "handshake").starts_with(*options.handshake)))
    return false;
  const std::string result = text_of(line, "result");
  if (options.denied && (result.empty() || result == "ok")) return false;
  if (options.since_us || options.until_us) {
    const auto time = parse_rfc3339(text_of(line, "time"));
    if (!time || (options.since_us && *time < *options.since_us) || (options.until_us && *time > *options.until_us))
      return false;
  }
  return true;
}

enum Column : size_t {
  time_,
  worker_,
  device_,
  client_,
  event_,
  handshake_,
  key_,
  scheme_,
  result_,
  reason_,
  us_,
  columns_
};
using Row = std::array<std::string, columns_>;
const Row kHead{"TIME", "WORKER", "DEVICE", "CLIENT ID", "EVENT", "HANDSHAKE",
                "KEY",  "SCHEME", "RESULT", "REASON",    "US"};
// The last column is not padded, so the column that may be long comes last.
constexpr Column kOrder[] = {time_, worker_, device_, client_, event_, handshake_,
                             key_,  scheme_, result_, us_,     reason_};

Row row_of(const Json& line) {
  const auto shown = [&](const char* key) { return visible(text_of(line, key)); };
  Row row{shown("time"),
          shown("worker"),
          shown("device"),
          shown("client_id"),
          shown("event"),
          shown("handshake").substr(0, kShownDigits),
          shown("spki").substr(0, kShownDigits),
          shown("scheme"),
          shown("result"),
          shown("reason"),
          ""};
  if (const std::string kind = shown("kind"); !kind.empty()) row[event_] += " " + kind;
  else if (text_of(line, "role") == "listener") row[event_] += " listener";  // it has no client id
  const std::string event = text_of(line, "event");
  if (event == "start") row[reason_] = "keyd " + shown("version") + ", pid " + shown("pid");
  if (event == "counted") {
    row[event_] += " " + shown("counted");
    row[reason_] =
        shown("number") + " more from " + shown("first") + " to " + shown("last") + "; the first: " + row[reason_];
  }
  if (event == "resumed") row[reason_] = shown("lost") + " lines were lost";
  const auto wait = line.find("wait_us"), spent = line.find("spent_us");
  if (wait != line.end() && spent != line.end() && wait->is_number_unsigned() && spent->is_number_unsigned())
    row[us_] = std::to_string(wait->get<uint64_t>() + spent->get<uint64_t>());
  return row;
}

class Table {
 public:
  Table(std::ostream& out, const Screen& screen) : out_(out), screen_(screen) { widen(kHead); }

  void add(Row row) {
    rows_.push_back(std::move(row));
    if (rows_.size() >= kBlock) flush();
  }
  void flush() {
    for (const Row& row : rows_) widen(row);
    if (!head_printed_) print(kHead, Colour::bold);
    head_printed_ = true;
    for (const Row& row : rows_) {
      const std::string& result = row[result_];
      print(row, result.empty() ? Colour::dim : result == "ok" ? Colour::none : Colour::red);
    }
    rows_.clear();
    out_.flush();
  }

 private:
  void widen(const Row& row) {
    for (size_t i = 0; i < columns_; i++) widths_[i] = std::max(widths_[i], std::min(width_of(row[i]), kWidestColumn));
  }
  void print(const Row& row, Colour colour) {
    std::string line;
    for (const Column column : kOrder)
      line += column == reason_ ? row[column] : padded(row[column], widths_[column]) + "  ";
    line.erase(line.find_last_not_of(' ') + 1);
    out_ << screen_.paint(colour, line) << "\n";
  }

  std::ostream& out_;
  const Screen& screen_;
  std::array<size_t, columns_> widths_{};
  std::vector<Row> rows_;
  bool head_printed_ = false;
};

// Prints the chosen lines: each one immediately, or with a limit the last ones at the end.
class Chosen {
 public:
  Chosen(const ShowOptions& options, std::ostream& out, const Screen& screen)
      : options_(options), out_(out), screen_(screen), table_(out, screen) {}

  void add(std::string_view text, const Json& line) {
    if (!options_.limit) return print(text, line);
    kept_.emplace_back(text);
    if (kept_.size() > *options_.limit) kept_.pop_front();
  }
  void flush() { options_.json ? static_cast<void>(out_.flush()) : table_.flush(); }
  void finish() {
    for (const std::string& text : kept_) print(text, Json::parse(text));
    flush();
  }

 private:
  void print(std::string_view text, const Json& line) {
    if (!options_.json) return table_.add(row_of(line));
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (screen_.terminal) out_ << visible_json(text) << "\n";
    else out_ << text << "\n";  // byte for byte: the next program may want to verify them
  }

  const ShowOptions& options_;
  std::ostream& out_;
  const Screen& screen_;
  Table table_;
  std::deque<std::string> kept_;
};

}  // namespace

int64_t now_us() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * kSecond + now.tv_nsec / 1000;
}

std::optional<int64_t> parse_time(std::string_view text, int64_t now) {
  if (const auto ago = common::parse_duration(text)) return now - ago->count() * 1000;
  return parse_rfc3339(text);
}

uint64_t audit_show(const ShowOptions& options, std::ostream& out, const Screen& screen) {
  LineReader reader(options.file);
  Chosen chosen(options, out, screen);
  uint64_t others = 0;
  for (;;) {
    if (!options.limit && reader.would_wait()) chosen.flush();
    const auto line = reader.next();
    if (!line) break;
    const Json json = line->too_long ? Json() : Json::parse(line->text, nullptr, false);
    if (!json.is_object() || !json.contains("event") || !json.contains("seq")) others++;
    else if (matches(json, options)) chosen.add(line->text, json);
  }
  chosen.finish();
  return others;
}

}  // namespace keyd::admin
