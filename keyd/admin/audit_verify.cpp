#include "keyd/admin/audit_verify.h"

#include <nlohmann/json.hpp>
#include <ostream>

namespace keyd::admin {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kLimits =
    "What a chain can't show: lines that were cut off its end, and a history that was rewritten from some line up to "
    "the end. Compare the last line's number and hash with what you noted earlier, or with the same line in the "
    "journal.";

std::string place(const Finding& finding) {
  return visible(finding.file) + (finding.line > 0 ? " line " + std::to_string(finding.line) : "");
}

Json json_of(const Finding& finding) {
  return {{"file", finding.file},
          {"line", finding.line},
          {"seq", finding.seq},
          {"kind", name(finding.kind)},
          {"reason", finding.reason}};
}

void print_last(const ChainReport& report, std::ostream& out) {
  if (!report.last_seq) return;
  out << "          last " << (report.broken ? "intact " : "") << "line: seq " << *report.last_seq << ", SHA-256 "
      << report.last_hash << "\n";
}

void print_warnings(const ChainReport& report, std::ostream& out, const Screen& screen) {
  for (const Finding& warning : report.warnings)
    out << screen.paint(Colour::yellow, padded(name(warning.kind), 9)) << " " << place(warning) << ", seq "
        << warning.seq << ": " << warning.reason << "\n";
  if (report.torn > report.warnings.size())
    out << "          and more of these: " << counted(report.torn, "torn line") << " in all\n";
}

}  // namespace

void print_text(const ChainReport& report, size_t files, std::ostream& out, const Screen& screen) {
  print_warnings(report, out, screen);
  if (report.continues)
    out << "note      the first line continues an earlier file (seq " << *report.first_seq
        << "): the lines before it are not in this input; if no rotated file has them, they were removed\n";
  if (report.passed_over > 0)
    out << "note      " << counted(report.passed_over, "line")
        << " of the log and the service manager passed over; they are not part of the audit\n";
  if (report.broken) {
    const Finding& broken = *report.broken;
    out << screen.paint(Colour::red, "BROKEN   ") << " " << place(broken);
    if (broken.kind != Finding::Kind::empty) out << ", seq " << broken.seq << ": " << name(broken.kind);
    out << "\n          " << broken.reason << "\n          before it " << counted(report.lines, "line")
        << " intact; what follows was not judged\n";
    print_last(report, out);
    return;
  }
  out << screen.paint(Colour::green, "intact   ") << " " << counted(report.lines, "line") << " in "
      << counted(files, "file") << ", seq " << *report.first_seq << " to " << *report.last_seq << ", "
      << counted(report.starts, "start") << " of keyd\n";
  print_last(report, out);
  out << kLimits << "\n";
}

void print_json(const ChainReport& report, std::ostream& out) {
  Json json;
  json["result"] = report.broken ? "broken" : "intact";
  json["lines"] = report.lines;
  json["passed_over"] = report.passed_over;
  json["starts"] = report.starts;
  json["torn"] = report.torn;
  json["continues"] = report.continues;
  json["first_seq"] = report.first_seq ? Json(*report.first_seq) : Json(nullptr);
  json["last_seq"] = report.last_seq ? Json(*report.last_seq) : Json(nullptr);
  json["last_hash"] = report.last_hash;
  json["warnings"] = Json::array();
  for (const Finding& warning : report.warnings) json["warnings"].push_back(json_of(warning));
  json["broken"] = report.broken ? json_of(*report.broken) : Json(nullptr);
  out << json.dump(-1, ' ', true, Json::error_handler_t::replace) << "\n";
}

int audit_verify(const VerifyOptions& options, std::ostream& out, const Screen& screen) {
  const bool journal = options.files == std::vector<std::string>{"-"};
  AuditLines lines(options.files, journal);
  ChainReport report;
  {
    Progress progress("audit verify, bytes", lines.size());
    report = verify_chain(lines, journal, &progress);
  }
  if (options.json) print_json(report, out);
  else print_text(report, lines.files(), out, screen);
  return report.broken ? kExitBroken : 0;
}

}  // namespace keyd::admin
