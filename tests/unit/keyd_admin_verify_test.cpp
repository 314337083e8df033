// `mqtt-relay audit verify` names the first line that was changed, and what was done to it.
#include "keyd/admin/audit_verify.h"
#include "keyd_admin_support.h"

using namespace keyd::admin;
using namespace keyd_test;
using Found = Finding::Kind;
using nlohmann::json;

namespace {

ChainReport verify(const std::vector<std::string>& texts, bool journal = false) {
  const ScratchDir scratch;
  std::vector<std::string> files;
  for (const std::string& text : texts) files.push_back(scratch.put("audit." + std::to_string(files.size()), text));
  AuditLines lines(files, journal);
  ChainReport report = verify_chain(lines, journal);
  for (auto* finding : {report.broken ? &*report.broken : nullptr})
    if (finding) finding->file.erase(0, finding->file.rfind('/') + 1);
  return report;
}

// Checks that there is a break, and the line, the number and the kind of the first one.
void check_broken(const std::string& text, uint64_t line, uint64_t seq, Found kind, const std::string& reason = "") {
  const ChainReport report = verify({text});
  REQUIRE(report.broken);
  INFO(report.broken->reason);
  CHECK(report.broken->kind == kind);
  CHECK(report.broken->line == line);
  CHECK(report.broken->seq == seq);
  CHECK(report.broken->reason.find(reason) != std::string::npos);
}

std::string with(const AuditFile& audit, size_t index, const std::string& text) {
  AuditFile changed = audit;
  changed.lines[index] = text;
  return changed.text();
}

AuditFile ten() { return AuditFile().run(9); }

}  // namespace

TEST_CASE("an audit as keyd writes it is intact", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  const ChainReport report = verify({audit.text()});
  CHECK_FALSE(report.broken);
  CHECK(report.warnings.empty());
  CHECK(report.lines == 10);
  CHECK(report.starts == 1);
  CHECK(report.first_seq == 0u);
  CHECK(report.last_seq == 9u);
  CHECK(report.last_hash == audit.previous);
  CHECK_FALSE(report.continues);
}

TEST_CASE("a byte changed in any field of a line is found in that line", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  const size_t index = 4;
  const std::string& line = audit.lines[index];
  for (const std::string key : {"time", "event", "worker", "client_id", "result", "reason", "seq", "prev"}) {
    const size_t at = line.find("\"" + key + "\":") + key.size() + 3;
    std::string changed = line;
    // Changes a string's first character, or a number itself; gives an empty string a character.
    if (changed[at] != '"') changed[at] = changed[at] == '9' ? '8' : '9';
    else if (changed[at + 1] == '"') changed.insert(at + 1, "x");
    else changed[at + 1] = changed[at + 1] == '1' ? '2' : '1';
    INFO(key);
    REQUIRE(changed != line);
    check_broken(with(audit, index, changed), index + 1, key == "seq" ? 9 : 4, Found::changed);
  }
}

TEST_CASE("a change of any byte of a line is found", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  const std::string& line = audit.lines[4];
  for (size_t i = 0; i + 1 < line.size(); i++) {
    std::string changed = line;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    const ChainReport report = verify({with(audit, 4, changed)});
    INFO(changed);
    REQUIRE(report.broken);
    CHECK(report.broken->line == 5);
    CHECK(report.broken->kind == Found::changed);
  }
}

TEST_CASE("a changed field name or added space is found", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  std::string changed = audit.lines[4];
  changed.insert(1, " ");
  check_broken(with(audit, 4, changed), 5, 4, Found::changed);
  changed = audit.lines[4];
  changed.replace(changed.find("\"event\""), 7, "\"evenT\"");
  check_broken(with(audit, 4, changed), 5, 4, Found::changed, "lacks what each audit line has");
  check_broken(with(audit, 4, "\n"), 5, 4, Found::changed, "not JSON");
}

TEST_CASE("a change of the first line or of the last but one is found as well", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  std::string first = audit.lines[0], late = audit.lines[8];
  first.replace(first.find("\"pid\":7"), 7, "\"pid\":8");
  check_broken(with(audit, 0, first), 1, 0, Found::changed);
  late.replace(late.find("\"ok\""), 4, "\"no\"");
  check_broken(with(audit, 8, late), 9, 8, Found::changed, "or that line's prev was changed");
  // Each of the three fields that mark a first line.
  for (const auto& [from, to] : {std::pair("\"seq\":0", "\"seq\":1"), std::pair("\"start\"", "\"stArt\""),
                                 std::pair("\"prev\":\"0", "\"prev\":\"1")}) {
    first = audit.lines[0];
    first.replace(first.find(from), std::string(from).size(), to);
    INFO(first);
    const ChainReport report = verify({with(audit, 0, first)});
    REQUIRE(report.broken);
    CHECK(report.broken->kind == Found::changed);
    CHECK(report.broken->line == 1);
  }
}

TEST_CASE("removed lines are counted and placed", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  check_broken(audit.text(0, 4) + audit.text(5), 5, 4, Found::removed,
               "1 line is missing before this one: seq 4, after line 4");
  check_broken(audit.text(0, 2) + audit.text(7), 3, 2, Found::removed,
               "5 lines are missing before this one: seq 2 to 6");
  check_broken(audit.text(0, 1) + audit.text(9), 2, 1, Found::removed);
}

TEST_CASE("lines removed from the front look like a rotation, and verify says so", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  const ChainReport report = verify({audit.text(3)});
  CHECK_FALSE(report.broken);
  CHECK(report.continues);
  CHECK(report.first_seq == 3u);
  std::ostringstream out;
  print_text(report, 1, out, {});
  CHECK(out.str().find("continues an earlier file (seq 3)") != std::string::npos);
  CHECK(out.str().find("they were removed") != std::string::npos);
}

TEST_CASE("a chain can't show lines cut off its end, and verify says so", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  const ChainReport report = verify({audit.text(0, 7)});
  CHECK_FALSE(report.broken);
  std::ostringstream out;
  print_text(report, 1, out, {});
  CHECK(out.str().find("cut off its end") != std::string::npos);
  CHECK(out.str().find("last line: seq 6, SHA-256 " + witness::sha256_hex(audit.lines[6])) != std::string::npos);
}

TEST_CASE("a copied line is found wherever it is put", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  check_broken(audit.text(0, 5) + audit.lines[4] + audit.text(5), 6, 4, Found::inserted, "exact copy of line 5");
  check_broken(audit.text(0, 7) + audit.lines[2] + audit.text(7), 8, 2, Found::inserted, "exact copy of line 3");
  check_broken(audit.text(0, 3) + audit.lines[8] + audit.text(3), 4, 8, Found::inserted, "exact copy of line 10");
  check_broken(audit.text() + audit.lines[5], 11, 5, Found::inserted, "exact copy of line 6");
  check_broken(audit.text(0, 5) + audit.lines[0] + audit.text(5), 6, 0, Found::inserted, "exact copy of line 1");
}

TEST_CASE("a forged line is found whatever its number and hash", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  const std::string right_prev = witness::sha256_hex(audit.lines[4]), wrong_prev(64, 'a');
  // In the place of line 6 (seq 5).
  for (const uint64_t seq : {0u, 3u, 5u, 6u, 77u})
    for (const std::string& prev : {right_prev, wrong_prev, witness::sha256_hex(audit.lines[1])}) {
      INFO(seq << " " << prev);
      check_broken(audit.text(0, 5) + AuditFile::line(seq, prev, "sign", {{"result", "ok"}}) + audit.text(5), 6, seq,
                   Found::inserted);
    }
  check_broken(audit.text(0, 5) + "not a line\n" + audit.text(5), 6, 5, Found::inserted, "follows intact: line 7");
  check_broken(audit.text(0, 5) + "{\"a\":1}\n" + audit.text(5), 6, 5, Found::inserted);
  check_broken(audit.text(0, 5) + "\n" + audit.text(5), 6, 5, Found::inserted);
}

TEST_CASE("forged lines that are chained among themselves are found", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  AuditFile forged;
  forged.previous = witness::sha256_hex(audit.lines[4]);
  forged.seq = 5;
  forged.add("sign").add("sign").add("sign");
  check_broken(audit.text(0, 5) + forged.text() + audit.text(5), 6, 5, Found::inserted,
               "the 3 lines in between do not belong there");
}

TEST_CASE("lines in another order are found", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  check_broken(audit.text(0, 4) + audit.lines[5] + audit.lines[4] + audit.text(6), 5, 5, Found::reordered,
               "seq 4, which belongs here, is in line 6");
  // A block moved forward, a line moved back, and a line moved to the end.
  check_broken(audit.text(0, 2) + audit.text(6, 8) + audit.text(2, 6) + audit.text(8), 3, 6, Found::reordered);
  check_broken(audit.text(0, 2) + audit.text(3, 8) + audit.lines[2] + audit.text(8), 3, 3, Found::reordered);
  check_broken(audit.text(0, 2) + audit.text(3) + audit.lines[2], 3, 3, Found::reordered);
}

TEST_CASE("verify reports the first of two breaks", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  std::string changed = audit.lines[7];
  changed.replace(changed.find("\"ok\""), 4, "\"no\"");
  check_broken(audit.text(0, 3) + audit.text(4, 7) + changed + audit.text(8), 4, 3, Found::removed);
}

TEST_CASE("a line torn by a crash is not tampering if the next start says so", "[keyd][keyd-admin]") {
  AuditFile audit = ten();
  const std::string whole = AuditFile::line(audit.seq, audit.previous, "sign", {{"result", "ok"}});
  const auto broken_before = audit;
  const auto torn_at = [&](size_t size) {
    AuditFile torn = broken_before;
    torn.raw(whole.substr(0, size) + "\n").run(3);
    return torn;
  };
  for (size_t size = 1; size + 2 < whole.size(); size++) {
    const ChainReport report = verify({torn_at(size).text()});
    INFO(size << (report.broken ? report.broken->reason : ""));
    REQUIRE_FALSE(report.broken);
    REQUIRE(report.warnings.size() == 1);
    CHECK(report.warnings[0].kind == Found::torn);
    CHECK(report.warnings[0].line == 11);
    CHECK(report.warnings[0].seq == 10);
    CHECK(report.last_seq == 14u);
  }
  // A line torn between its brace and its newline is whole.
  CHECK_FALSE(verify({torn_at(whole.size() - 1).text()}).broken);
}

TEST_CASE("tampering does not pass for a torn line", "[keyd][keyd-admin]") {
  AuditFile audit = ten();
  audit.raw("{\"time\":\"2026\n").run(3);
  REQUIRE_FALSE(verify({audit.text()}).broken);
  SECTION("the torn line is changed") {
    check_broken(with(audit, 10, "{\"time\":\"2027\n"), 11, 10, Found::changed, "not torn");
  }
  SECTION("a good line before it is removed") { CHECK(verify({audit.text(0, 9) + audit.text(10)}).broken); }
  SECTION("the torn line is removed") { check_broken(audit.text(0, 10) + audit.text(11), 11, 10, Found::removed); }
  SECTION("a line in the middle is cut") {
    check_broken(with(audit, 5, audit.lines[5].substr(0, 40) + "\n"), 6, 5, Found::changed);
  }
  SECTION("the line before a start is cut") {
    AuditFile runs = AuditFile().run(3).run(3);
    check_broken(with(runs, 3, runs.lines[3].substr(0, 40) + "\n"), 4, 3, Found::changed, "not torn");
  }
}

TEST_CASE("start lines that were torn themselves are followed as far as they can be read", "[keyd][keyd-admin]") {
  AuditFile audit = ten();
  audit.raw("{\"time\":\"2026\n");
  const std::string start = AuditFile::line(audit.seq, audit.previous, "start", nlohmann::ordered_json::object());
  audit.raw(start.substr(0, start.size() - 10) + "\n").run(2);
  const ChainReport report = verify({audit.text()});
  CHECK_FALSE(report.broken);
  CHECK(report.torn == 2);
  check_broken(with(audit, 10, "{\"time\":\"2027\n"), 11, 10, Found::changed);
}

TEST_CASE("a last line without its end is a warning", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  const std::string text = audit.text();
  for (const size_t cut : {size_t{1}, size_t{20}, audit.lines[9].size() - 1}) {
    const ChainReport report = verify({text.substr(0, text.size() - cut)});
    CHECK_FALSE(report.broken);
    REQUIRE(report.warnings.size() == 1);
    CHECK(report.warnings[0].kind == Found::unfinished);
    CHECK(report.warnings[0].line == 10);
    CHECK(report.last_seq == 8u);
  }
}

TEST_CASE("the chain continues across restarts in one file", "[keyd][keyd-admin]") {
  const AuditFile audit = AuditFile().run(3).run(0).run(5);
  const ChainReport report = verify({audit.text()});
  CHECK_FALSE(report.broken);
  CHECK(report.starts == 3);
  check_broken(AuditFile().run(3).text() + AuditFile().run(4).text(), 1 + 4, 0, Found::inserted, "exact copy");
  AuditFile other;
  other.add("start", {{"pid", 8}}).add("sign");
  check_broken(AuditFile().run(3).text() + other.text(), 5, 0, Found::restarted, "another chain was appended");
}

TEST_CASE("several files are one chain", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  CHECK_FALSE(verify({audit.text(0, 4), audit.text(4, 5), audit.text(5)}).broken);
  CHECK_FALSE(verify({audit.text(2, 4), audit.text(4)}).broken);
  const ChainReport gap = verify({audit.text(0, 4), audit.text(5)});
  REQUIRE(gap.broken);
  CHECK(gap.broken->kind == Found::removed);
  CHECK(gap.broken->file == "audit.1");
  CHECK(gap.broken->line == 1);
  const ChainReport swapped = verify({audit.text(4), audit.text(0, 4)});
  REQUIRE(swapped.broken);
  CHECK(swapped.broken->file == "audit.1");
  std::string changed = audit.lines[3];
  changed.replace(changed.find("\"ok\""), 4, "\"no\"");
  const ChainReport before = verify({audit.text(0, 3) + changed, audit.text(4)});
  REQUIRE(before.broken);
  CHECK(before.broken->file == "audit.0");
  CHECK(before.broken->line == 4);
}

TEST_CASE("a journal with other lines and several runs is intact", "[keyd][keyd-admin]") {
  const std::string log = R"({"time":"2026-11-23T16:20:00Z","level":"info","program":"mqtt-keyd","msg":"ready"})"
                          "\n";
  const AuditFile first = AuditFile().run(2), second = AuditFile().run(4);
  const std::string mixed =
      "Starting mqtt-keyd.service...\n" + first.text(0, 1) + log + first.text(1) + log + second.text();
  const ChainReport report = verify({mixed}, true);
  INFO((report.broken ? report.broken->reason : ""));
  CHECK_FALSE(report.broken);
  CHECK(report.passed_over == 3);
  CHECK(report.starts == 2);
  CHECK(report.lines == 8);
  CHECK(report.last_hash == second.previous);
  CHECK(verify({mixed}, false).broken);
  // Skipped lines hide no tampering.
  CHECK(verify({first.text(0, 1) + log + first.text(2)}, true).broken);
  CHECK(verify({second.text(0, 2) + "{\"seq\":2\n" + second.text(3)}, true).broken);
  CHECK(verify({log}, true).broken);
}

TEST_CASE("input that is not an audit is not intact", "[keyd][keyd-admin]") {
  CHECK(verify({""}).broken->kind == Found::empty);
  CHECK(verify({"hello\n"}).broken->kind == Found::not_a_line);
  CHECK(verify({"{\"seq\":-1,\"prev\":\"\",\"time\":\"\",\"event\":\"start\"}\n"}).broken->kind == Found::not_a_line);
}

TEST_CASE("a line longer than 256 KiB is an error and memory stays bounded", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  AuditFile longest = AuditFile().run(3);
  std::string line = AuditFile::line(longest.seq, longest.previous, "sign", nlohmann::ordered_json::object());
  line.insert(1, kMaxAuditLine - line.size(), ' ');
  longest.raw(line).add("sign");
  CHECK_FALSE(verify({longest.text()}).broken);
  check_broken(audit.text(0, 4) + std::string(kMaxAuditLine, 'x') + "\n" + audit.text(4), 5, 4, Found::inserted,
               "256 KiB");
  check_broken(audit.text(0, 4) + std::string(3'000'000, 'x') + "\n" + audit.text(4), 5, 4, Found::inserted, "256 KiB");
  check_broken(audit.text(0, 4) + std::string(3'000'000, 'x'), 5, 4, Found::changed, "256 KiB");
}

TEST_CASE("a line moved or inserted far away is found in its place", "[keyd][keyd-admin]") {
  const AuditFile audit = AuditFile().run(3000);
  check_broken(audit.text(0, 5) + audit.lines[2500] + audit.text(5, 2500) + audit.text(2501), 6, 2500, Found::inserted,
               "moved here from more than 1,000 lines");
  check_broken(audit.text(0, 2500) + audit.lines[5] + audit.text(2500), 2501, 5, Found::inserted);
}

TEST_CASE("the verdict as JSON has all of it", "[keyd][keyd-admin]") {
  const AuditFile audit = ten();
  std::ostringstream good, bad;
  print_json(verify({audit.text()}), good);
  const json intact = json::parse(good.str());
  CHECK(intact.at("result") == "intact");
  CHECK(intact.at("last_seq") == 9);
  CHECK(intact.at("last_hash") == audit.previous);
  CHECK(intact.at("broken").is_null());
  print_json(verify({audit.text(0, 4) + audit.text(5)}), bad);
  const json broken = json::parse(bad.str());
  CHECK(broken.at("result") == "broken");
  CHECK(broken.at("broken").at("line") == 5);
  CHECK(broken.at("broken").at("seq") == 4);
  CHECK(broken.at("broken").at("kind") == "removed");
}

TEST_CASE("a file that can't be read is named before anything is judged", "[keyd][keyd-admin]") {
  const ScratchDir scratch;
  CHECK_THROWS_AS(AuditLines({scratch / "none"}, false), InputError);
  CHECK_THROWS_AS(AuditLines({scratch.path()}, false), InputError);
  CHECK_THROWS_AS(AuditLines({scratch.put("a", ten().text()), scratch / "none"}, false), InputError);
}
