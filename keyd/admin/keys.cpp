#include "keyd/admin/keys.h"

#include <algorithm>
#include <array>
#include <ostream>
#include <utility>
#include <vector>

#include "common/json_line.h"
#include "common/operator/checks.h"
#include "common/spellings.h"
#include "keyd/admin/key_scan.h"

namespace keyd::admin {
namespace {

constexpr size_t kShortHash = 16, kWidestId = 40;

std::string spki_of(const KeyInfo& key) { return common::hex(key.spki.data(), key.spki.size()); }

std::string json_of(const ScannedFile& file) {
  common::JsonLine line;
  line.add("client_id", file.client_id);
  if (file.key) line.add("type", name(file.key->type)).add("bits", file.key->bits).add("spki", spki_of(*file.key));
  line.add("mode", common::octal(file.mode)).add("problem", file.problem);
  return std::move(line).finish();
}

class Table {
 public:
  Table(const KeysOptions& options, std::ostream& out, const Screen& screen, size_t most_sorted)
      : options_(options), out_(out), screen_(screen), most_sorted_(most_sorted) {}

  void add(const ScannedFile& file) {
    if (streaming_) return print(file);
    rows_.push_back(file);
    if (rows_.size() <= most_sorted_) return;
    streaming_ = true;
    print_rows();
  }
  void finish() {
    std::sort(rows_.begin(), rows_.end(), [](const auto& a, const auto& b) { return a.client_id < b.client_id; });
    print_rows();
    out_.flush();
  }

 private:
  void print_rows() {
    for (const ScannedFile& file : rows_)
      id_width_ = std::max(id_width_, std::min(width_of(visible(file.client_id)), kWidestId));
    if (!options_.json && !std::exchange(head_printed_, true))
      out_ << screen_.paint(Colour::bold, line_of({"CLIENT ID", "TYPE", "BITS", "SPKI SHA-256", "MODE", "PROBLEM"}))
           << "\n";
    for (const ScannedFile& file : rows_) print(file);
    rows_.clear();
    rows_.shrink_to_fit();
  }
  void print(const ScannedFile& file) {
    if (options_.json) {
      const std::string json = json_of(file);
      out_ << (screen_.terminal ? visible_json(json.substr(0, json.size() - 1)) + "\n" : json);
      return;
    }
    const bool usable = file.key.has_value();
    const std::string line = line_of(
        {visible(file.client_id), usable ? name(file.key->type) : "-", usable ? std::to_string(file.key->bits) : "-",
         usable ? shown_hash(*file.key) : "-", common::octal(file.mode), visible(file.problem)});
    out_ << screen_.paint(usable ? Colour::none : Colour::red, line) << "\n";
  }
  bool short_hashes() const { return screen_.terminal && !options_.wide; }
  std::string shown_hash(const KeyInfo& key) const {
    return short_hashes() ? spki_of(key).substr(0, kShortHash) + "…" : spki_of(key);
  }
  std::string line_of(const std::array<std::string, 6>& row) const {
    const std::array<size_t, 6> widths{id_width_, 7, 4, short_hashes() ? kShortHash + 1 : 64, 4, 0};
    std::string line;
    for (size_t i = 0; i < row.size(); i++) line += padded(row[i], widths[i]) + (i + 1 < row.size() ? "  " : "");
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  }

  const KeysOptions& options_;
  std::ostream& out_;
  const Screen& screen_;
  const size_t most_sorted_;
  size_t id_width_ = 9;
  bool streaming_ = false, head_printed_ = false;
  std::vector<ScannedFile> rows_;
};

}  // namespace

KeysSummary list_keys(const ConfiguredPath& keys_dir, KeyReader& reader, const KeysOptions& options, std::ostream& out,
                      const Screen& screen, size_t most_sorted) {
  KeysSummary summary;
  Table table(options, out, screen, most_sorted);
  const auto each = [&](const ScannedFile& file) {
    if (file.client_id.empty()) {
      summary.others++;
      return;
    }
    summary.keys++;
    summary.problems += !file.key;
    summary.found |= file.key && file.client_id == options.client_id;
    table.add(file);
  };
  if (!options.client_id) {
    scan_keys(keys_dir, reader, each);
  } else {
    const std::string folded = common::folded(*options.client_id);
    scan_keys(keys_dir, reader, each, [&](const std::string& id) { return common::folded(id) == folded; });
  }
  table.finish();
  return summary;
}

std::string verdict_on(const std::string& client_id, const KeysSummary& summary) {
  const std::string shown = "\"" + visible(client_id) + "\"";
  if (summary.found) return shown + " has a key: it goes to the remote broker";
  const std::string local = shown + " has no usable key: ";
  if (const char* why = common::why_no_file_name(client_id); *why)
    return local + "no file can have that name (" + why + "); the device stays local until it has another client id";
  if (summary.keys == 0) return local + "there is no " + visible(client_id) + ".pem; the device stays local";
  return local + "see above; a file's name must be the client id byte for byte: where only case or Unicode form " +
         "(NFC, NFD) differ, rename the file, or change the device's client id";
}

}  // namespace keyd::admin
