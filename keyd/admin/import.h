// `mqtt-relay keys import`: puts keys where keyd reads them. A key that keyd could not use, or that is not its
// certificate's, never gets there. Never shows a byte of a private half.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "keyd/admin/key_room.h"
#include "keyd/admin/key_source.h"
#include "keyd/admin/keys_directory.h"

namespace keyd::admin {

struct ImportOptions {
  std::vector<std::string> sources = {};  // as KeySources'
  std::optional<std::string> as = {};
  std::string certificates = {};  // directory of CLIENTID.crt or CLIENTID.pem; "": each lies beside its key, as *.crt
  bool replace = false, all_or_nothing = false, dry_run = false, json = false;
};

// What became of one file.
struct Imported {
  enum class Result { imported, replaced, unchanged, refused };
  KeySource from;
  Result result = Result::refused;
  std::optional<KeyInfo> key = {}, previous = {};  // previous: what it replaces, if that is a key
  bool pair_checked = false;                       // there was a certificate, and it is this key's
  std::string problem = {}, warning = {};
};
const char* word_for(Imported::Result result);

struct ImportSummary {
  uint64_t files = 0, imported = 0, replaced = 0, unchanged = 0, refused = 0;
  uint64_t unpaired = 0;  // of those that were not refused: without a certificate to compare with
  uint64_t others = 0;    // in the sources: not meant, by their names
  bool given_up = false;  // all_or_nothing: something was refused, so nothing was written
};

// Calls `each` for every file; with all_or_nothing, if one is refused, for those that are refused only. Shows its
// progress on a terminal. `own_keys`: relayd's own, which no device may have. Throws
// common::CommandFailed if nothing can be read or written at all.
ImportSummary import_keys(const ImportOptions& options, KeysDirectory& directory, KeyRoom& room,
                          const std::vector<OwnKeyfile>& own_keys, const std::function<void(const Imported&)>& each);

}  // namespace keyd::admin
