#include "keyd/startup/audit_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "common/not_yet.h"
#include "common/tls/sha2.h"

namespace keyd {
namespace {

constexpr off_t kMostRead = 256 * 1024;  // two lines are far shorter

[[noreturn]] void fail(const ConfiguredPath& from, const std::string& cause) {
  throw common::ConfigError(from.origin + ": found \"" + from.path + "\": " + cause);
}

std::string read_end(int fd, off_t size) {
  const off_t start = std::max<off_t>(0, size - kMostRead);
  std::string text(static_cast<size_t>(size - start), '\0');
  const ssize_t got = pread(fd, text.data(), text.size(), start);
  text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

// Takes the last line, with its newline, off `text`.
std::string take_last_line(std::string& text) {
  const size_t before = text.size() < 2 ? text.npos : text.rfind('\n', text.size() - 2);
  std::string line = text.substr(before + 1);  // npos + 1 == 0
  text.resize(before + 1);
  return line;
}

std::optional<uint64_t> sequence_of(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("prev") || !json.contains("seq") || !json["seq"].is_number_unsigned())
    return std::nullopt;
  return json["seq"].get<uint64_t>();
}

}  // namespace

AuditFile open_audit_file(const ConfiguredPath& file) {
  const size_t slash = file.path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : file.path.substr(0, slash);
  AuditFile result{common::Fd(open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), file.path.substr(slash + 1),
                   file.path};
  if (const int error = errno; !result.directory) {
    const std::string cause = parent + ": " + strerror(error) + "; create it (LogsDirectory= in the unit)";
    if (error == ENOENT) throw common::NotYet(file.origin + ": found \"" + file.path + "\": " + cause);
    fail(file, cause);
  }
  if (result.name.empty()) fail(file, "it names a directory; name a file, such as \"/var/log/mqtt-keyd/audit.log\"");
  return result;
}

AuditTail read_audit_tail(const AuditFile& file, const ConfiguredPath& from) {
  const common::Fd fd(
      openat(file.directory.get(), file.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd && errno == ENOENT) return {};
  struct stat info {};
  if (!fd || fstat(fd.get(), &info) != 0) fail(from, strerror(errno));
  if (!S_ISREG(info.st_mode)) fail(from, "it is not a regular file");
  std::string text = read_end(fd.get(), info.st_size);
  if (text.empty()) return {};
  AuditTail tail;
  std::string line = take_last_line(text);
  tail.torn = line.back() != '\n';
  if (tail.torn) line += '\n';
  tail.previous = common::tls::sha256_hex(line.data(), line.size());
  // Each line that a crash or a full disk cut off has used up a number; they count from the last whole line.
  uint64_t cut_off = 0;
  std::optional<uint64_t> whole;
  while (!(whole = sequence_of(line)) && line.starts_with("{") && !text.empty()) {
    cut_off++;
    line = take_last_line(text);
  }
  if (!whole && !line.starts_with("{"))
    fail(from, "its last line is not a line of keyd's audit; move the file away, or name another");
  tail.next_sequence = whole ? *whole + 1 + cut_off : 1 + cut_off;
  return tail;
}

}  // namespace keyd
