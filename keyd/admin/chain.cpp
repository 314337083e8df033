#include "keyd/admin/chain.h"

#include <algorithm>
#include <deque>

#include "keyd/admin/terminal.h"

namespace keyd::admin {
namespace {

using Kind = AuditLine::Kind;
using Found = Finding::Kind;
// How many lines forwards and back a moved or copied line is searched for.
constexpr size_t kWindow = 1000;
// Consecutive torn lines: on a full disk, each restart by the service manager may leave one.
constexpr size_t kMostTorn = 100;

const std::string kZeros(64, '0');

bool is_first(const AuditLine& line) {
  return line.kind == Kind::audit && line.seq == 0 && line.prev == kZeros && line.start;
}

class Walk {
 public:
  Walk(AuditLines& lines, bool journal) : lines_(lines), journal_(journal) {}
  ChainReport run(Progress* progress);

 private:
  const AuditLine* peek(size_t i);
  bool fits(const AuditLine& line) const;
  size_t torn_lines();
  void accept_torn(size_t count);
  void accept();
  void finish();
  void warn(const AuditLine& line, Found kind, std::string reason);

  // Why ahead_[0] does not fit.
  Finding broken();
  Finding not_a_line();
  Finding wrong_beginning();
  Finding foreign(const AuditLine& successor);
  Finding same_number();
  Finding gap();
  Finding number_used_before();

  Finding found(const AuditLine& at, Found kind, std::string reason) const {
    return {lines_.name(at.file), at.number, at.seq, kind, std::move(reason)};
  }
  std::string where(const AuditLine& line) const {
    const bool here = !ahead_.empty() && ahead_[0].file == line.file;
    return (here ? "" : lines_.name(line.file) + " ") + "line " + std::to_string(line.number);
  }
  const AuditLine* ahead_with(auto&& condition) const {
    for (size_t i = 1; i < ahead_.size(); i++)
      if (condition(ahead_[i])) return &ahead_[i];
    return nullptr;
  }
  const AuditLine* behind_with(auto&& condition) const {
    for (size_t i = behind_.size(); i-- > 0;)
      if (condition(behind_[i])) return &behind_[i];
    return nullptr;
  }
  uint64_t expected() const { return behind_.back().seq + 1; }

  AuditLines& lines_;
  const bool journal_;
  ChainReport report_;
  std::deque<AuditLine> ahead_, behind_;
};

std::string seq_text(uint64_t seq) { return "seq " + std::to_string(seq); }
std::string number(const AuditLine& line) { return seq_text(line.seq); }

const AuditLine* Walk::peek(size_t i) {
  while (ahead_.size() <= i) {
    auto line = lines_.next();
    if (!line) return nullptr;
    ahead_.push_back(std::move(*line));
  }
  return &ahead_[i];
}

bool Walk::fits(const AuditLine& line) const {
  if (line.kind != Kind::audit) return false;
  if (journal_ && is_first(line)) return true;
  // The first line of the input begins a chain, or continues an earlier file's.
  if (behind_.empty()) return is_first(line) || (line.seq > 0 && line.prev != kZeros);
  return line.seq == expected() && line.prev == behind_.back().hash;
}

void Walk::warn(const AuditLine& line, Found kind, std::string reason) {
  if (report_.warnings.size() < kMostWarnings) report_.warnings.push_back(found(line, kind, std::move(reason)));
}

// How many lines from here on were torn when keyd died: they are not JSON, and each is vouched for by the next, the
// last by a start. 0: ahead_[0] is not torn.
size_t Walk::torn_lines() {
  size_t count = 0;
  while (count < kMostTorn && peek(count) && peek(count)->kind == Kind::not_json) count++;
  const AuditLine* start = count > 0 ? peek(count) : nullptr;
  if (!start || !start->start || start->seq < count) return 0;
  for (size_t i = count; i > 0; i--)
    if (ahead_[i].prev != ahead_[i - 1].hash) return 0;
  // A torn line has used up its number. If its "prev" can still be read, it names the line before it.
  const uint64_t first = start->seq - count;
  if (behind_.empty()) return count;
  if (first != expected() || (!ahead_[0].prev.empty() && ahead_[0].prev != behind_.back().hash)) return 0;
  return count;
}

void Walk::accept_torn(size_t count) {
  const uint64_t first = ahead_[count].seq - count;
  for (size_t i = 0; i < count; i++) {
    AuditLine& line = ahead_[0];
    line.seq = first + i;
    std::string reason = "keyd was killed in the middle of this line, as its next start confirms";
    if (line.prev.empty() && !behind_.empty())
      reason += "; too little of it is left to vouch for the content of the line before";
    warn(line, Found::torn, std::move(reason));
    report_.torn++;
    accept();
  }
}

void Walk::accept() {
  AuditLine line = std::move(ahead_.front());
  ahead_.pop_front();
  if (journal_ && is_first(line)) behind_.clear();
  if (!report_.first_seq) {
    report_.first_seq = line.seq;
    report_.continues = !is_first(line) && line.seq > 0;
  }
  report_.last_seq = line.seq;
  report_.last_hash = line.hash;
  report_.lines++;
  report_.starts += line.start;
  behind_.push_back(std::move(line));
  if (behind_.size() > kWindow) behind_.pop_front();
}

ChainReport Walk::run(Progress* progress) {
  while (const AuditLine* line = peek(0)) {
    if (progress) progress->at(lines_.bytes_read());
    if (fits(*line)) {
      accept();
    } else if (const size_t torn = torn_lines()) {
      accept_torn(torn);
    } else {
      peek(kWindow);
      report_.broken = broken();
      break;
    }
  }
  finish();
  return std::move(report_);
}

void Walk::finish() {
  report_.passed_over = lines_.passed_over();
  if (report_.broken) return;
  if (const auto& line = lines_.unfinished())
    warn(*line, Found::unfinished,
         "the last line is incomplete: keyd is still writing it, or was killed; it was not judged");
  if (report_.lines == 0)
    report_.broken = Finding{lines_.name(0), 0, 0, Found::empty, "it holds no complete audit line"};
}

// In the order of certainty: what the hashes prove comes before what the numbers suggest.
Finding Walk::broken() {
  const AuditLine& line = ahead_[0];
  if (line.kind != Kind::audit) return not_a_line();
  if (behind_.empty()) return wrong_beginning();
  const auto same = [&](const AuditLine& other) { return other.hash == line.hash; };
  const AuditLine* copy = behind_with(same);
  if (!copy) copy = ahead_with(same);
  if (copy)
    return found(line, Found::inserted,
                 "it is an exact copy of " + where(*copy) + ", " + number(line) + ", and " + seq_text(expected()) +
                     " belongs here");
  const AuditLine* successor = ahead_with([&](const AuditLine& other) {
    return other.kind == Kind::audit && other.seq == expected() && other.prev == behind_.back().hash;
  });
  if (successor) return foreign(*successor);
  if (line.prev == behind_.back().hash)
    return found(line, Found::changed,
                 "it follows the line before, as its prev says, but its number is " + std::to_string(line.seq) +
                     " instead of " + std::to_string(expected()));
  if (is_first(line))
    return found(line, Found::restarted,
                 "a new chain begins here, after " + seq_text(behind_.back().seq) +
                     ": history before it was removed, or another chain was appended. An audit file continues across "
                     "restarts of keyd; for a journal, where each run may begin a chain, use -");
  if (line.seq == expected()) return same_number();
  Finding finding = line.seq > expected() ? gap() : number_used_before();
  if (line.number == 1 && line.file > 0) finding.reason += "; are the files given oldest first?";
  return finding;
}

Finding Walk::not_a_line() {
  const AuditLine& line = ahead_[0];
  const std::string what = line.kind == Kind::too_long   ? "it is longer than 256 KiB, and keyd writes no such line"
                           : line.kind == Kind::not_json ? "it is not JSON"
                                                         : "it is JSON, but lacks what each audit line has: time, "
                                                           "seq, prev, event";
  if (behind_.empty()) return found(line, Found::not_a_line, what + "; is this an audit of keyd's?");
  AuditLine at = line;
  at.seq = expected();
  const AuditLine* next = ahead_with([](const AuditLine& other) { return other.kind == Kind::audit; });
  if (!next) return found(at, Found::changed, what + ", and no line of the audit follows: it was changed, or appended");
  if (next->seq == expected() && next->prev == behind_.back().hash)
    return found(at, Found::inserted, what + ", and the line that belongs here follows intact: " + where(*next));
  if (next->seq <= expected()) return found(at, Found::inserted, what + ", and the numbers leave no room for it");
  const bool torn = line.kind == Kind::not_json && next->start;
  return found(at, Found::changed,
               what + (torn ? "; it was not torn by a crash: the start after it follows another line (its "
                              "prev is not this line's hash, or its number is wrong)"
                            : "; it stands where " + seq_text(expected()) + " should"));
}

Finding Walk::wrong_beginning() {
  const AuditLine& line = ahead_[0];
  return found(line, Found::changed,
               "a chain begins with seq 0, zeros as prev and the event \"start\", all three; this line has " +
                   number(line) + ", prev " + (line.prev == kZeros ? "zeros" : "not zeros") +
                   (line.start ? ", a start" : ", another event"));
}

// The line that belongs here comes later. What are the lines before it?
Finding Walk::foreign(const AuditLine& successor) {
  const AuditLine& line = ahead_[0];
  const auto names_it = [&](const AuditLine& other) { return other.prev == line.hash && &other != &ahead_[1]; };
  const auto is_named = [&](const AuditLine& other) { return other.hash == line.prev; };
  if (line.seq > expected() && (ahead_with(is_named) || ahead_with(names_it)))
    return found(
        line, Found::reordered,
        "found " + number(line) + ", and " + seq_text(expected()) + ", which belongs here, is in " + where(successor));
  std::string reason = "the line that belongs here, " + seq_text(expected()) + ", follows intact in " +
                       where(successor) + "; this one is not part of the chain";
  if (line.seq > expected()) reason += ", or was moved here from more than " + grouped(kWindow) + " lines further on";
  return found(line, Found::inserted, std::move(reason));
}

// The numbers are right, the hash is not: this line or the one before was changed.
Finding Walk::same_number() {
  const AuditLine &line = ahead_[0], &before = behind_.back();
  if (ahead_.size() < 2)
    return found(before, Found::changed,
                 "its hash is not the one that the next line names; or that line's prev was changed, which can't be "
                 "told because nothing follows it");
  if (ahead_[1].prev == line.hash)
    return found(before, Found::changed,
                 "its hash is not the one that the next line names, and the chain continues after it");
  return found(line, Found::changed,
               "its prev is not the hash of the line before, and its own hash is not the one that the next line names; "
               "the line before may have been changed as well");
}

Finding Walk::gap() {
  const AuditLine& line = ahead_[0];
  const uint64_t missing = line.seq - expected();
  if (ahead_.size() > 1 && ahead_[1].kind == Kind::audit && ahead_[1].seq == expected() + 1)
    return found(line, Found::changed,
                 "its number is " + std::to_string(line.seq) + ", but it stands where " + seq_text(expected()) +
                     " should, and neither hash fits");
  const AuditLine* later = ahead_with([&](const AuditLine& other) {
    return other.kind == Kind::audit && other.seq >= expected() && other.seq < line.seq;
  });
  if (later)
    return found(line, Found::reordered,
                 "found " + number(line) + ", and the earlier " + number(*later) + " comes later, in " + where(*later));
  AuditLine at = line;
  at.seq = expected();
  std::string reason = counted(missing, "line") + (missing == 1 ? " is" : " are") +
                       " missing before this one: " + seq_text(expected()) +
                       (missing == 1 ? "" : " to " + std::to_string(line.seq - 1)) + ", after " + where(behind_.back());
  if (journal_ && line.start && missing == 1)
    reason += "; if keyd was killed in the middle of a line, only audit_file has that line: verify that file";
  return found(at, Found::removed, std::move(reason));
}

// Its number occurred before.
Finding Walk::number_used_before() {
  const AuditLine& line = ahead_[0];
  for (size_t i = 0; i + 1 < behind_.size(); i++)
    if (behind_[i].hash == line.prev && behind_[i].seq + 1 == line.seq) {
      const uint64_t many = behind_.size() - 1 - i;
      return found(behind_[i + 1], Found::inserted,
                   where(line) + ", " + number(line) + ", follows " + where(behind_[i]) + " by number and hash; " +
                       (many == 1 ? "the line" : "the " + counted(many, "line")) + " in between " +
                       (many == 1 ? "does" : "do") + " not belong there");
    }
  return found(line, Found::inserted,
               "its number, " + std::to_string(line.seq) +
                   ", occurred before, and its prev is not the hash of the "
                   "line before: it was inserted, or another chain was appended");
}

}  // namespace

const char* name(Finding::Kind kind) {
  switch (kind) {
    case Found::changed: return "changed";
    case Found::removed: return "removed";
    case Found::inserted: return "inserted";
    case Found::reordered: return "reordered";
    case Found::restarted: return "restarted";
    case Found::not_a_line: return "not-a-line";
    case Found::empty: return "empty";
    case Found::torn: return "torn";
    case Found::unfinished: break;
  }
  return "unfinished";
}

ChainReport verify_chain(AuditLines& lines, bool journal, Progress* progress) {
  return Walk(lines, journal).run(progress);
}

}  // namespace keyd::admin
