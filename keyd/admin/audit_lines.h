// An audit as a stream of lines: from files or a pipe, of any length, in constant memory.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "common/fd.h"
#include "common/operator/command_failed.h"

namespace keyd::admin {

// An input can't be read. The text names the file and the cause.
struct InputError : common::CommandFailed {
  explicit InputError(const std::string& what) : CommandFailed(what, common::kExitNoInput) {}
};

// keyd's own lines have at most about 2 KiB. A line longer than this is not an audit line.
inline constexpr size_t kMaxAuditLine = 256 * 1024;

// The lines of one file; "-" is standard input.
class LineReader {
 public:
  explicit LineReader(const std::string& file);  // throws InputError
  struct Line {
    std::string_view text;  // with its newline; valid until the next call. Empty if too long
    bool finished = true;   // false: the last line, without a newline
    bool too_long = false;
  };
  std::optional<Line> next();  // throws InputError
  // Whether next() would wait for more input.
  bool would_wait() const;
  uint64_t bytes_read() const { return bytes_read_; }
  uint64_t size() const { return size_; }  // 0: not known

 private:
  bool fill();
  std::optional<Line> skip_long_line();
  std::string name_;
  common::Fd fd_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
  uint64_t bytes_read_ = 0, size_ = 0;
};

// What the chain needs of one line.
struct AuditLine {
  enum class Kind { audit, not_json, not_audit, too_long };
  Kind kind = Kind::not_json;
  size_t file = 0;      // which of the files, from 0
  uint64_t number = 0;  // in its file, from 1
  uint64_t seq = 0;
  std::string prev;  // as the line says; if it is not JSON, as far as it can be read ("": not at all)
  std::string hash;  // of the line with its newline
  bool start = false;
};

// `text` with its newline. An audit line is a JSON object with "time", "seq", "prev" and "event".
AuditLine parse_audit_line(std::string_view text);

// All lines of several files, one after the other.
class AuditLines {
 public:
  // In a journal, lines of the log and of the service manager are skipped and counted.
  AuditLines(std::vector<std::string> files, bool journal);
  std::optional<AuditLine> next();

  std::string name(size_t file) const { return files_.at(file) == "-" ? "standard input" : files_.at(file); }
  size_t files() const { return files_.size(); }
  uint64_t passed_over() const { return passed_over_; }
  // The very last line, if it has no newline; next() does not return it.
  const std::optional<AuditLine>& unfinished() const { return unfinished_; }
  uint64_t bytes_read() const { return bytes_before_ + (reader_ ? reader_->bytes_read() : 0); }
  uint64_t size() const { return size_; }

 private:
  std::vector<std::string> files_;
  bool journal_;
  std::optional<LineReader> reader_;
  size_t file_ = 0;
  uint64_t number_ = 0, passed_over_ = 0, bytes_before_ = 0, size_ = 0;
  std::optional<AuditLine> unfinished_;
};

}  // namespace keyd::admin
