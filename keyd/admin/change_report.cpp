#include "keyd/admin/change_report.h"

#include <ostream>
#include <utility>

#include "common/json_line.h"

namespace keyd::admin {
namespace {

constexpr char kSessionsStay[] = "sessions that are up stay as they are: `mqtt-relay drop CLIENT_ID` ends them";

std::string hex_of(const ipc::Spki& spki) { return common::hex(spki.data(), spki.size()); }

std::string json_of(const Imported& file) {
  common::JsonLine line;
  line.add("client_id", file.from.client_id).add("source", file.from.path).add("result", word_for(file.result));
  if (file.key) line.add("type", name(file.key->type)).add("bits", file.key->bits).add("spki", hex_of(file.key->spki));
  if (file.previous) line.add("previous_spki", hex_of(file.previous->spki));
  line.add("certificate", file.pair_checked ? "matches" : "").add("problem", file.problem).add("warning", file.warning);
  return std::move(line).finish();
}

std::string json_of(const Removed& key) {
  common::JsonLine line;
  line.add("client_id", key.client_id).add("result", key.problem.empty() ? "removed" : "failed");
  line.add("problem", key.problem);
  return std::move(line).finish();
}

void print_json(std::ostream& out, const Screen& screen, const std::string& json) {
  out << (screen.terminal ? visible_json(json.substr(0, json.size() - 1)) + "\n" : json);
}

}  // namespace

void ImportReport::add(const Imported& file) {
  if (options_.json) return print_json(out_, screen_, json_of(file));
  const auto keep = [&](Colour colour, const char* what, const std::string& text) {
    lines_.push_back(screen_.paint(colour, std::string(what) + " " + visible(file.from.path + ": " + text)));
  };
  if (!file.problem.empty()) keep(Colour::red, "refused", file.problem);
  if (!file.warning.empty()) keep(Colour::yellow, "warning", file.warning);
}

void ImportReport::finish() {
  for (const std::string& line : lines_) out_ << line << "\n";
  out_.flush();
}

void RemoveReport::add(const Removed& key) {
  if (options_.json) return print_json(out_, screen_, json_of(key));
  const bool removed = key.problem.empty();
  out_ << screen_.paint(removed ? Colour::none : Colour::red, (removed ? "removed " : "failed ") +
                                                                  visible(key.client_id) +
                                                                  (removed ? "" : ": " + visible(key.problem)))
       << "\n";
}

std::string in_words(const ImportSummary& summary, const ImportOptions& options) {
  std::string text;
  if (summary.given_up)
    text = "nothing was written: " + grouped(summary.refused) + " of " + counted(summary.files, "key") + " refused";
  else
    text = counted(summary.files, "key") + ": " + grouped(summary.imported) + " imported, " +
           grouped(summary.replaced) + " replaced, " + grouped(summary.unchanged) + " unchanged, " +
           grouped(summary.refused) + " refused";
  if (options.dry_run) text = "dry run, nothing was written: " + text;
  if (summary.unpaired > 0)
    text += "; " + grouped(summary.unpaired) + " without a certificate: not checked whether it is their device's";
  if (summary.others > 0) text += "; " + counted(summary.others, "other file") + " passed over";
  if (summary.replaced > 0 && !options.dry_run && !summary.given_up) text += std::string("; ") + kSessionsStay;
  return text;
}

std::string in_words(const RemoveSummary& summary) {
  std::string text = counted(summary.removed, "key") + " removed, " + grouped(summary.failed) + " failed";
  return summary.removed > 0 ? text + "; " + kSessionsStay : text;
}

}  // namespace keyd::admin
