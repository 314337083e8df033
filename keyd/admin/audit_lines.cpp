#include "keyd/admin/audit_lines.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "common/tls/sha2.h"

namespace keyd::admin {
namespace {

using Json = nlohmann::json;
constexpr size_t kChunk = 64 * 1024, kHash = 64;

std::string shown_name(const std::string& file) { return file == "-" ? "standard input" : file; }

common::Fd open_input(const std::string& file) {
  if (file == "-") return common::Fd(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  return common::Fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
}

bool is_hash(std::string_view text) {
  return text.size() == kHash && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// A torn line may still hold its "prev", which keyd writes third.
std::string legible_prev(std::string_view text) {
  constexpr std::string_view kKey = "\"prev\":\"";
  const size_t at = text.find(kKey);
  if (at == text.npos || !is_hash(text.substr(at + kKey.size(), kHash))) return "";
  return std::string(text.substr(at + kKey.size(), kHash));
}

// True for the other lines that `journalctl -o cat` shows for the unit: keyd's log (objects with "program" and "msg")
// and the service manager's messages. A line that begins with '{' but is not JSON may be a damaged audit line, so it is
// not noise.
bool is_journal_noise(std::string_view text, const AuditLine& line) {
  if (line.kind == AuditLine::Kind::not_json) return text.empty() || text[0] != '{';
  if (line.kind != AuditLine::Kind::not_audit) return false;
  const Json json = Json::parse(text, nullptr, false);
  return !json.is_object() || (json.contains("program") && json.contains("msg") && !json.contains("prev"));
}

}  // namespace

LineReader::LineReader(const std::string& file)
    : name_(shown_name(file)), fd_(open_input(file)), buffer_(kMaxAuditLine + kChunk) {
  if (!fd_) throw InputError(name_ + ": can't be opened: " + strerror(errno));
  struct stat info {};
  if (fstat(fd_.get(), &info) == 0 && S_ISDIR(info.st_mode))
    throw InputError(name_ + ": it is a directory; name the audit file in it");
  if (S_ISREG(info.st_mode)) size_ = static_cast<uint64_t>(info.st_size);
}

bool LineReader::fill() {
  if (begin_ > 0) {
    memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  ssize_t got = 0;
  do got = ::read(fd_.get(), buffer_.data() + end_, buffer_.size() - end_);
  while (got < 0 && errno == EINTR);
  if (got < 0) throw InputError(name_ + ": can't be read: " + strerror(errno));
  end_ += static_cast<size_t>(got);
  bytes_read_ += static_cast<uint64_t>(got);
  return got > 0;
}

std::optional<LineReader::Line> LineReader::next() {
  size_t searched = 0;
  for (;;) {
    const char* from = buffer_.data() + begin_;
    if (const void* newline = memchr(from + searched, '\n', end_ - begin_ - searched)) {
      const size_t size = static_cast<size_t>(static_cast<const char*>(newline) - from) + 1;
      begin_ += size;
      return Line{{from, size}, true, size > kMaxAuditLine};
    }
    searched = end_ - begin_;
    if (searched > kMaxAuditLine) return skip_long_line();
    if (fill()) continue;
    if (begin_ == end_) return std::nullopt;
    const Line rest{{buffer_.data() + begin_, end_ - begin_}, false, false};
    begin_ = end_;
    return rest;
  }
}

std::optional<LineReader::Line> LineReader::skip_long_line() {
  for (;;) {
    begin_ = end_;
    if (!fill()) return Line{{}, false, true};
    if (const void* newline = memchr(buffer_.data(), '\n', end_)) {
      begin_ = static_cast<size_t>(static_cast<const char*>(newline) - buffer_.data()) + 1;
      return Line{{}, true, true};
    }
  }
}

bool LineReader::would_wait() const {
  if (memchr(buffer_.data() + begin_, '\n', end_ - begin_)) return false;
  pollfd readable{fd_.get(), POLLIN, 0};
  return poll(&readable, 1, 0) == 0;
}

AuditLine parse_audit_line(std::string_view text) {
  AuditLine line;
  line.hash = common::tls::sha256_hex(text.data(), text.size());
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    line.prev = legible_prev(text);
    return line;
  }
  line.kind = AuditLine::Kind::not_audit;
  if (!json.is_object()) return line;
  const auto is_string = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string();
  };
  const auto seq = json.find("seq");
  if (seq == json.end() || !seq->is_number_unsigned() || !is_string("time") || !is_string("event") ||
      !is_string("prev") || !is_hash(json["prev"].get_ref<const std::string&>()))
    return line;
  line.kind = AuditLine::Kind::audit;
  line.seq = seq->get<uint64_t>();
  line.prev = json["prev"].get<std::string>();
  line.start = json["event"] == "start";
  return line;
}

AuditLines::AuditLines(std::vector<std::string> files, bool journal) : files_(std::move(files)), journal_(journal) {
  // Opens all of them before it reads the first: a wrong name is an error at once.
  for (const std::string& file : files_) {
    const LineReader opened(file);
    size_ += opened.size();
  }
}

std::optional<AuditLine> AuditLines::next() {
  while (file_ < files_.size()) {
    if (!reader_) reader_.emplace(files_[file_]);
    const auto text = reader_->next();
    if (!text) {
      bytes_before_ += reader_->bytes_read();
      reader_.reset();
      number_ = 0;
      file_++;
      continue;
    }
    number_++;
    // If another file follows, a last line without its newline is read as if it had one: the next line's "prev" shows
    // whether that is right.
    std::string completed;
    if (!text->finished) completed = std::string(text->text) + "\n";
    AuditLine line = text->too_long ? AuditLine{} : parse_audit_line(text->finished ? text->text : completed);
    if (text->too_long) line.kind = AuditLine::Kind::too_long;
    line.file = file_;
    line.number = number_;
    if (!text->finished && !text->too_long && file_ + 1 == files_.size()) {
      unfinished_ = std::move(line);
      return std::nullopt;
    }
    if (!journal_ || !is_journal_noise(text->text, line)) return line;
    passed_over_++;
  }
  return std::nullopt;
}

}  // namespace keyd::admin
