#include "keyd/admin/import.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_map>

#include "common/json_line.h"
#include "common/operator/checks.h"
#include "common/operator/command_failed.h"
#include "common/spellings.h"
#include "keyd/admin/known_names.h"
#include "keyd/admin/not_a_key.h"
#include "keyd/admin/terminal.h"
#include "keyd/vault/key_pem.h"

namespace keyd::admin {
namespace {

using Result = Imported::Result;

std::string hex_of(const ipc::Spki& spki) { return common::hex(spki.data(), spki.size()); }

// One pass over all sources.
class Import {
 public:
  Import(const ImportOptions& options, KeysDirectory& directory, KeyRoom& room, const std::vector<OwnKeyfile>& own_keys)
      : options_(options), directory_(directory), room_(room), known_(directory.descriptor(), directory.path()) {
    if (!options.certificates.empty()) {
      certificates_.reset(open(options.certificates.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
      if (!certificates_)
        throw common::CommandFailed("--certificates " + options.certificates + ": " + strerror(errno),
                                    common::kExitNoInput);
    }
    for (const OwnKeyfile& own : own_keys) read_own(own.file.path);
  }

  Imported take(const KeySource& from, bool writes) {
    Imported file{.from = from};
    judge(file);
    if (!file.problem.empty()) file.result = Result::refused;
    if (writes && (file.result == Result::imported || file.result == Result::replaced)) {
      file.problem = directory_.install(name_of(file), fresh_.bytes(), file.result == Result::replaced);
      if (!file.problem.empty()) file.result = Result::refused;
    }
    if (file.result == Result::imported) known_.add(from.client_id);
    return file;
  }

 private:
  static std::string name_of(const Imported& file) { return file.from.client_id + ".pem"; }
  static std::string named(const std::string& path, const std::string& problem) { return path + ": " + problem; }

  // nullptr if it is not a key; `problem` says why.
  std::optional<KeyInfo> key_in(const KeyBytes& bytes, std::string& problem) {
    const auto key = PrivateKey::parse(bytes.bytes(), room_.passphrase ? room_.passphrase->text() : std::string_view(),
                                       room_.slots, problem);
    wipe_stack();
    if (problem == kNotPem) problem = what_it_is(bytes.text());
    return key ? std::optional(key->info()) : std::nullopt;
  }

  void read_own(const std::string& path) {
    std::string ignored;
    const common::Fd fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (!fd || !fresh_.read(fd.get()).empty()) return;
    if (const auto key = key_in(fresh_, ignored)) own_.push_back(key->spki);
  }

  // Sets result, problem and warning as if nothing could go wrong any more; the key is then in fresh_.
  void judge(Imported& file) {
    const KeySource& from = file.from;
    file.problem = from.problem;
    if (file.problem.empty()) file.problem = why_not_named(from);
    if (file.problem.empty())
      file.problem = from.directory < 0 ? fresh_.read(STDIN_FILENO) : fresh_.read(from.directory, from.name);
    if (file.problem.empty()) file.key = key_in(fresh_, file.problem);
    if (!file.key) {
      if (!room_.passphrase_problem.empty() && fresh_.text().find("ENCRYPTED") != std::string_view::npos)
        file.problem += "; " + room_.passphrase_problem;
      return;
    }
    if (std::ranges::find(own_, file.key->spki) != own_.end())
      file.problem = "it is also relayd's own key, which keyd refuses for a device; give the device a key of its own";
    if (file.problem.empty()) compare_certificates(file);
    if (file.problem.empty()) look_at_present(file);
    if (const std::string twin = known_.twin_of(from.client_id); !twin.empty())
      file.warning = "\"" + twin +
                     "\" has a key too, and the names differ in case or Unicode form only: each is the "
                     "key of exactly its own client id";
  }

  std::string why_not_named(const KeySource& from) {
    if (from.client_id.empty() && !from.name.ends_with(".pem"))
      return "its name must be CLIENTID.pem; or name the client id: --as CLIENT_ID FILE";
    const std::string id = from.client_id.empty() ? from.name.substr(0, from.name.size() - 4) : from.client_id;
    if (const char* why = common::why_no_file_name(id); *why)
      return std::string("no client id can have this name (") + why + "), so keyd would never use it; rename it";
    const auto [first, fresh] = seen_.emplace(id, from.path);
    return fresh ? "" : "the same client id as " + first->second + "; leave one of them out";
  }

  // Each certificate that there is must be this key's.
  void compare_certificates(Imported& file) {
    compare(file, file.from.path, fresh_.text());
    const std::string& id = file.from.client_id;
    if (!options_.certificates.empty()) {
      if (compare_file(file, certificates_.get(), id + ".crt", options_.certificates)) return;
      compare_file(file, certificates_.get(), id + ".pem", options_.certificates);
    } else if (file.from.directory >= 0) {
      const std::string& name = file.from.name;
      const std::string stem = name.substr(0, std::min(name.rfind('.'), name.size()));
      compare_file(file, file.from.directory, stem + ".crt", common::parent_of(file.from.path));
    }
  }
  // Whether there is such a file.
  bool compare_file(Imported& file, int directory, const std::string& name, const std::string& folder) {
    struct stat info {};
    if (!file.problem.empty() || fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return false;
    const std::string path = folder + "/" + name;
    if (const std::string problem = certificate_.read(directory, name); !problem.empty())
      file.problem = "its certificate " + path + ": " + problem;
    else if (!compare(file, path, certificate_.text()))
      file.problem =
          "its certificate " + path + ": there is no certificate in it; expected PEM, the device's own first";
    return true;
  }
  // Whether there is a certificate in `text`.
  static bool compare(Imported& file, const std::string& path, std::string_view text) {
    const Certified certified = certified_in(text);
    if (!certified.problem.empty()) file.problem = named(path, certified.problem);
    if (!certified.spki) return !certified.problem.empty();
    if (file.key->is_of(*certified.spki)) file.pair_checked = true;
    else
      file.problem = "the certificate in " + path + " is for another key, SPKI " + hex_of(*certified.spki) +
                     "; this key has " + hex_of(file.key->spki) +
                     ": import the pair that belongs together, the "
                     "device's own certificate first";
    return true;
  }

  // What the key's place holds now.
  void look_at_present(Imported& file) {
    struct stat info {};
    if (fstatat(directory_.descriptor(), name_of(file).c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) file.problem = std::string("its place can't be looked at: ") + strerror(errno);
      file.result = Result::imported;
      return;
    }
    std::string problem = S_ISREG(info.st_mode) ? present_.read(directory_.descriptor(), name_of(file)) : "not a file";
    if (problem.empty()) file.previous = key_in(present_, problem);
    const bool same_bytes = problem.empty() && std::ranges::equal(present_.bytes(), fresh_.bytes());
    const bool same_key = file.previous && file.previous->spki == file.key->spki;
    if (same_key && directory_.suits(info) && (same_bytes || !options_.replace)) {
      file.result = Result::unchanged;
    } else if (same_key || options_.replace) {
      file.result = Result::replaced;
    } else {
      file.problem = directory_.path() + "/" + name_of(file) +
                     (file.previous ? " has another key, SPKI " + hex_of(file.previous->spki) : " is there already") +
                     "; --replace puts this one in its place";
    }
  }

  const ImportOptions& options_;
  KeysDirectory& directory_;
  KeyRoom& room_;
  KnownNames known_;
  common::Fd certificates_;
  std::vector<ipc::Spki> own_;
  std::unordered_map<std::string, std::string> seen_;  // client id, path
  KeyBytes fresh_, present_, certificate_;
};

void count(ImportSummary& summary, const Imported& file) {
  summary.files++;
  switch (file.result) {
    case Result::imported: summary.imported++; break;
    case Result::replaced: summary.replaced++; break;
    case Result::unchanged: summary.unchanged++; break;
    case Result::refused: summary.refused++; return;
  }
  summary.unpaired += !file.pair_checked;
}

}  // namespace

const char* word_for(Result result) {
  switch (result) {
    case Result::imported: return "imported";
    case Result::replaced: return "replaced";
    case Result::unchanged: return "unchanged";
    case Result::refused: break;
  }
  return "refused";
}

ImportSummary import_keys(const ImportOptions& options, KeysDirectory& directory, KeyRoom& room,
                          const std::vector<OwnKeyfile>& own_keys, const std::function<void(const Imported&)>& each) {
  const KeySources sources(options.sources, options.as);
  const auto pass = [&](const char* what, bool writes, const std::function<void(const Imported&)>& report) {
    Import import(options, directory, room, own_keys);
    ImportSummary summary{.others = sources.others()};
    Progress progress(what, sources.files().size());
    for (const KeySource& from : sources.files()) {
      const Imported file = import.take(from, writes);
      count(summary, file);
      report(file);
      progress.at(summary.files);
    }
    return summary;
  };
  if (!options.dry_run) directory.lock();
  // Standard input can be read only once; and one file is all or nothing anyway.
  if (options.all_or_nothing && !options.as) {
    ImportSummary checked = pass("checking keys", false, [&](const Imported& file) {
      if (file.result == Result::refused) each(file);
    });
    checked.given_up = checked.refused > 0;
    if (checked.given_up) return checked;
  }
  const ImportSummary summary = pass(options.dry_run ? "checking keys" : "importing keys", !options.dry_run, each);
  if (summary.imported + summary.replaced > 0 && !options.dry_run) directory.flush();
  return summary;
}

}  // namespace keyd::admin
