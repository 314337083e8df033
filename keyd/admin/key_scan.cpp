#include "keyd/admin/key_scan.h"

#include "ipc/codec.h"
#include "keyd/admin/file_names.h"
#include "keyd/admin/not_a_key.h"
#include "keyd/admin/terminal.h"
#include "keyd/startup/key_places.h"

namespace keyd::admin {
namespace {

uint64_t count(const KeyStore::Place& place) {
  uint64_t total = 0;
  for (FileNames names(place.directory.get(), place.path); names.next();) total++;
  return total;
}

}  // namespace

std::string client_id_of(std::string_view file_name) {
  constexpr std::string_view kSuffix = ".pem";
  if (!file_name.ends_with(kSuffix)) return "";
  file_name.remove_suffix(kSuffix.size());
  return ipc::can_name_a_key(file_name) ? std::string(file_name) : "";
}

void scan_keys(const ConfiguredPath& keys_dir, KeyReader& reader, const std::function<void(const ScannedFile&)>& each,
               const std::function<bool(const std::string&)>& wanted) {
  const KeyStore::Place place = open_keys_dir(keys_dir);
  Progress progress("reading keys", 0);
  if (progress.shown()) progress.expect(count(place));
  uint64_t done = 0;
  FileNames names(place.directory.get(), place.path);
  while (const char* name = names.next()) {
    ScannedFile file;
    file.name = name;
    file.client_id = client_id_of(file.name);
    progress.at(++done);
    if (wanted && !wanted(file.client_id)) continue;
    if (!file.client_id.empty()) {
      KeyFile read = reader.read(place.directory.get(), file.name, place.path + "/" + file.name);
      if (read.key) file.key = read.key->info();
      file.problem = explained(std::move(read.problem), place.directory.get(), file.name);
      file.mode = read.mode;
      file.modified_ns = read.state.modified_ns;
    }
    each(file);
  }
}

}  // namespace keyd::admin
