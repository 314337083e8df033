// What `mqtt-relay keys import` and `keys remove` print: a line for each key that an operator must look at, or with
// --json for each key, and one sentence for all.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "keyd/admin/import.h"
#include "keyd/admin/remove.h"
#include "keyd/admin/terminal.h"

namespace keyd::admin {

class ImportReport {
 public:
  ImportReport(const ImportOptions& options, std::ostream& out, Screen screen)
      : options_(options), out_(out), screen_(screen) {}
  void add(const Imported& file);
  void finish();  // prints the text, which would be torn apart by the progress bar

 private:
  const ImportOptions& options_;
  std::ostream& out_;
  const Screen screen_;
  std::vector<std::string> lines_;
};

class RemoveReport {
 public:
  RemoveReport(const RemoveOptions& options, std::ostream& out, Screen screen)
      : options_(options), out_(out), screen_(screen) {}
  void add(const Removed& key);

 private:
  const RemoveOptions& options_;
  std::ostream& out_;
  const Screen screen_;
};

std::string in_words(const ImportSummary& summary, const ImportOptions& options);
std::string in_words(const RemoveSummary& summary);

}  // namespace keyd::admin
