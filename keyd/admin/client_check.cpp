#include "keyd/admin/client_check.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/json_line.h"
#include "common/spellings.h"
#include "keyd/admin/key_scan.h"
#include "keyd/admin/key_source.h"
#include "keyd/admin/not_a_key.h"

namespace keyd::admin {
namespace {

using common::Check, common::Result, common::quoted;

struct Found {
  Check check;
  std::optional<KeyInfo> key = {};
};

std::string hex_of(const ipc::Spki& spki) { return common::hex(spki.data(), spki.size()); }

// Files that the operator may have meant.
std::vector<std::string> similar_names(const ClientCheckOptions& options, const Settings& settings, KeyReader& reader) {
  std::vector<std::string> names;
  const std::string folded = common::folded(options.client_id);
  scan_keys(
      settings.private_keys_dir, reader,
      [&](const ScannedFile& file) {
        names.push_back(file.name + " is the key of another client id: names are compared byte by byte");
      },
      [&](const std::string& id) { return id != options.client_id && common::folded(id) == folded; });
  return names;
}

std::string import_command(const std::string& client_id) {
  return "`mqtt-relay keys import --as=" + quoted(client_id) + " KEYFILE`";
}

Found find_key(const ClientCheckOptions& options, const Settings& settings, KeyReader& reader) {
  const std::string& id = options.client_id;
  if (const char* why = common::why_no_file_name(id); *why)
    return {{Result::error,
             "no key file can have this client id's name (" + std::string(why) + "); the device stays local",
             "give the device another client id"}};
  const KeyStore::Place place = open_keys_dir(settings.private_keys_dir);
  const std::string name = id + ".pem", path = place.path + "/" + name;
  struct stat info {};
  if (fstatat(place.directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
    return {{Result::error, path + ": there is no such file; the device stays local", import_command(id),
             similar_names(options, settings, reader)}};
  KeyFile file = reader.read(place.directory.get(), name, path);
  if (!file.key)
    return {
        {Result::error, path + ": " + explained(std::move(file.problem), place.directory.get(), name),
         "correct that, or install the key again: `mqtt-relay keys import --replace --as=" + quoted(id) + " KEYFILE`"}};
  const KeyInfo& key = file.key->info();
  return {{Result::ok, path + ": " + keyd::name(key.type) + ", " + std::to_string(key.bits) + " bits, mode " +
                           common::octal(file.mode) + ", owner " + common::user_name(info.st_uid) + ", SPKI " +
                           hex_of(key.spki)},
          key};
}

Check compare(const ClientCheckOptions& options, const std::optional<KeyInfo>& key, const std::string& pem,
              const std::string& problem) {
  const std::string& file = options.certificate;
  if (file.empty())
    return {Result::skipped, "no certificate is given",
            "name the device's chain, PEM, the leaf first: `--certificate FILE`"};
  if (!problem.empty()) return {Result::error, problem, "name a file that root can read"};
  const Certified certified = certified_in(pem);
  if (!certified.spki)
    return {Result::error,
            file + ": " + (certified.problem.empty() ? "it holds no certificate; expected PEM" : certified.problem),
            "`openssl x509 -in " + quoted(file) + " -noout -subject` must show it"};
  if (!key) return {Result::skipped, "there is no key to compare it with: see key"};
  if (key->is_of(*certified.spki)) return {Result::ok, file + " is the key's"};
  return {Result::error,
          file + ": it is for another key, SPKI " + hex_of(*certified.spki) + "; " + options.client_id +
              ".pem has SPKI " + hex_of(key->spki),
          "install the key of that certificate: `mqtt-relay keys import --replace --as=" + quoted(options.client_id) +
              " KEYFILE`; or give the device the certificate of this key"};
}

}  // namespace

std::vector<Check> check_client(const ClientCheckOptions& options, const Settings& settings, KeyReader& reader,
                                const std::string& pem, const std::string& problem) {
  Found found;
  try {
    found = find_key(options, settings, reader);
  } catch (const std::runtime_error& error) {
    found.check = {Result::error, error.what(), "`mqtt-relay check keyd` says more"};
  }
  std::vector<Check> checks{std::move(found.check), compare(options, found.key, pem, problem)};
  checks[0].name = "key";
  checks[1].name = "key-certificate";
  return checks;
}

}  // namespace keyd::admin
