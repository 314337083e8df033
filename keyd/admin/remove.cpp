#include "keyd/admin/remove.h"

#include <cerrno>
#include <optional>

#include "common/operator/command_failed.h"
#include "common/spellings.h"
#include "keyd/admin/audit_lines.h"
#include "keyd/admin/known_names.h"
#include "keyd/admin/terminal.h"

namespace keyd::admin {
namespace {

// Without the line's end. Empty lines are no client ids.
std::vector<std::string> lines_of(const std::string& list) {
  std::vector<std::string> lines;
  LineReader reader(list);
  while (const auto line = reader.next()) {
    std::string text(line->too_long ? std::string_view("a line of more than 256 KiB") : line->text);
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    if (!text.empty()) lines.push_back(std::move(text));
  }
  return lines;
}

}  // namespace

RemoveSummary remove_keys(const RemoveOptions& options, KeysDirectory& directory,
                          const std::function<void(const Removed&)>& each) {
  std::vector<std::string> ids = options.client_ids;
  if (!options.list.empty())
    for (std::string& line : lines_of(options.list)) ids.push_back(std::move(line));
  if (ids.empty())
    throw common::CommandFailed("found no client id; name them, or a list of them: --from-file LIST",
                                common::kExitUsage);
  directory.lock();
  RemoveSummary summary;
  std::optional<KnownNames> known;  // listed when the first id has no key
  Progress progress("removing keys", ids.size());
  for (const std::string& id : ids) {
    Removed key{id, common::why_no_file_name(id)};
    if (!key.problem.empty()) key.problem = "no key can have this name: " + key.problem;
    else if (!directory.remove(id + ".pem", key.problem) && key.problem.empty()) {
      if (!known) known.emplace(directory.descriptor(), directory.path());
      const std::string near = known->nearest_to(id);
      key.problem = "it has no key" + (near.empty() ? "" : "; did you mean \"" + near + "\"?");
    }
    (key.problem.empty() ? summary.removed : summary.failed)++;
    each(key);
    progress.at(summary.removed + summary.failed);
  }
  if (summary.removed > 0) directory.flush();
  return summary;
}

}  // namespace keyd::admin
