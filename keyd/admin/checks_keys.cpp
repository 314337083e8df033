// The checks of the places that keyd reads keys from.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <unordered_set>

#include "common/spellings.h"
#include "common/tls/spki.h"
#include "keyd/admin/check.h"
#include "keyd/admin/check_words.h"
#include "keyd/startup/key_places.h"

namespace keyd::admin {
namespace {

constexpr size_t kMostListed = 10;
constexpr size_t kMostCompared = 100'000;  // names kept to find those that differ only in case

void keep_first(std::vector<std::string>& list, std::string text) {
  if (list.size() < kMostListed) list.push_back(std::move(text));
}

std::vector<std::string> with_rest(std::vector<std::string> list, uint64_t total) {
  if (total > list.size()) list.push_back("… and " + grouped(total - list.size()) + " more");
  return list;
}

// The SHA-256 of the SubjectPublicKeyInfo of the first PEM certificate.
std::optional<ipc::Spki> spki_of_certificate(const std::string& pem) {
  std::vector<uint8_t> der(pem.size());
  const int size = wc_CertPemToDer(reinterpret_cast<const byte*>(pem.data()), static_cast<int>(pem.size()), der.data(),
                                   static_cast<int>(der.size()), CERT_TYPE);
  if (size <= 0) return std::nullopt;
  return common::tls::spki_hash(std::span(der).first(static_cast<size_t>(size)));
}

// Its directory exists, so keyd starts and waits for the file.
bool is_just_missing(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) != 0 && errno == ENOENT && stat(parent_of(path).c_str(), &info) == 0;
}

std::string hex_of(const ipc::Spki& spki) { return common::hex(spki.data(), spki.size()); }

Check own_key(const CheckContext& context, const CheckContext::RelaydKey& own) {
  const bool listener = own.role == ipc::Role::listener;
  if (!own.place.empty())
    return {Result::error, own.place + "; keyd does not start",
            "move the file, and name its new place in " + std::string(listener ? "listener_keyfile" : "local_keyfile") +
                " of " + context.config};
  const auto same = [&](const auto& other) {
    return other.role != own.role && other.key && own.key && other.key->spki == own.key->spki;
  };
  if (std::ranges::any_of(context.own, same))
    return {Result::error, own.path + ": listener_keyfile and local_keyfile have the same key; keyd does not start",
            "give each a key and a certificate of its own"};
  if (!own.key)
    return {Result::error,
            own.path + ": " + own.problem +
                (!is_just_missing(own.path) ? "; keyd does not start"
                 : listener                 ? "; no device can connect to its listener until it is there"
                                            : "; no device without a key can connect until it is there"),
            "`install -o " + service_user(context) + " -m 600 " + (listener ? "LISTENER.key " : "LOCAL.key ") +
                quoted(own.path) + "`"};
  return {Result::ok, own.path + ": " + name(own.key->type) + ", " + std::to_string(own.key->bits) + " bits, SPKI " +
                          hex_of(own.key->spki)};
}

Check own_keys_of(const CheckContext& context, ipc::Role role) {
  std::vector<std::pair<std::string, Check>> each;
  for (const auto& own : context.own)
    if (own.role == role) each.emplace_back(own.path, own_key(context, own));
  return common::combined(each, "key");
}

}  // namespace

KeyCounts count_keys(const ConfiguredPath& keys_dir, KeyReader& reader,
                     const std::vector<CheckContext::RelaydKey>& own) {
  KeyCounts counts;
  std::unordered_set<std::string> seen;
  const auto each = [&](const ScannedFile& file) {
    if (file.client_id.empty()) {
      counts.unnamed++;
      return keep_first(counts.unnamed_files, file.name);
    }
    if (common::composed(file.name) != file.name) {
      counts.decomposed++;
      keep_first(counts.decomposed_files, file.name);
    }
    if (seen.size() < kMostCompared && !seen.insert(common::folded(file.name)).second) {
      counts.twins++;
      keep_first(counts.twin_files, file.name);
    }
    if (file.modified_ns > counts.newest_ns) {
      counts.newest_ns = file.modified_ns;
      counts.newest_file = file.name;
    }
    const auto is_its = [&](const auto& key) { return key.key && key.key->spki == file.key->spki; };
    if (file.key && std::ranges::any_of(own, is_its)) {
      counts.shared++;
      keep_first(counts.shared_files, file.name);
    }
    if (file.key) {
      counts.usable++;
      counts.by_type[name(file.key->type) +
                     (file.key->type == KeyType::rsa ? " " + std::to_string(file.key->bits) : "")]++;
    } else {
      counts.unusable++;
      keep_first(counts.problems, file.name + ": " + file.problem);
    }
  };
  try {
    scan_keys(keys_dir, reader, each);
  } catch (const std::runtime_error& error) {
    counts.failure = error.what();
  }
  return counts;
}

Check check_keys_directory(const CheckContext& context) {
  const ConfiguredPath& keys_dir = context.settings.private_keys_dir;
  const std::string path = quoted(keys_dir.path);
  try {
    open_keys_dir(keys_dir);
  } catch (const std::runtime_error& error) {
    return {Result::error, error.what(), "`install -d -o " + service_user(context) + " -m 700 " + path + "`"};
  }
  struct stat info {};
  if (stat(keys_dir.path.c_str(), &info) != 0) return {Result::error, keys_dir.path + ": " + strerror(errno)};
  const std::string found = keys_dir.path + ": mode " + octal(info.st_mode) + ", owner " + user_name(info.st_uid);
  const auto service = service_uid(context);
  if (info.st_uid != 0 && service && info.st_uid != *service)
    return {Result::warning, found + ": its owner, who is neither root nor keyd's user, can replace every key",
            "`chown " + service_user(context) + " " + path + "`"};
  // Root's own directory may let keyd in by its group.
  const bool by_group = info.st_uid == 0 && service.value_or(0) != 0;
  if (info.st_mode & (by_group ? S_IWGRP | S_IRWXO : S_IRWXG | S_IRWXO))
    return {Result::warning, found + ": others can see which devices exist, or change the directory",
            std::string("`chmod ") + (by_group ? "g-w,o= " : "700 ") + path + "`"};
  return {Result::ok, found};
}

Check check_key_files(const CheckContext& context) {
  const KeyCounts& keys = context.keys;
  if (!context.locked_memory.empty()) return {Result::skipped, "no key was read: see locked-memory"};
  if (!keys.failure.empty()) return {Result::skipped, "no key was read: " + keys.failure};
  const std::string found = grouped(keys.usable) + " usable, " + grouped(keys.unusable) + " not";
  if (keys.unusable > 0)
    return {Result::error, found + "; their devices are refused",
            "each line above says what is wrong; `mqtt-relay keys --config " + quoted(context.config) + "` lists all",
            with_rest(keys.problems, keys.unusable)};
  if (keys.usable == 0)
    return {Result::warning,
            "no key in " + context.settings.private_keys_dir.path + ": no device goes to the remote broker",
            "`install -o " + service_user(context) + " -m 600 DEVICE.key " +
                quoted(context.settings.private_keys_dir.path + "/CLIENTID.pem") + "`"};
  return {Result::ok, found};
}

Check check_key_algorithms(const CheckContext& context) {
  std::string found;
  for (const auto& [type, count] : context.keys.by_type)
    found += (found.empty() ? "" : ", ") + grouped(count) + " " + type;
  if (found.empty()) return {Result::skipped, "there is no usable key"};
  return {Result::ok, found};
}

Check check_key_names(const CheckContext& context) {
  const KeyCounts& keys = context.keys;
  if (!context.locked_memory.empty() || !keys.failure.empty()) return {Result::skipped, "the directory was not read"};
  if (keys.unnamed == 0 && keys.decomposed > 0)
    return {Result::warning,
            counted(keys.decomposed, "name") +
                " in decomposed Unicode form (NFD), as macOS writes them: a device that sends the composed form (NFC), "
                "as most do, has no key and stays local",
            "rename each to its NFC form, e.g. by `convmv -f utf8 -t utf8 --nfc --notest FILE`",
            with_rest(keys.decomposed_files, keys.decomposed)};
  if (keys.unnamed == 0 && keys.twins > 0)
    return {Result::warning,
            counted(keys.twins, "name") +
                " that differ from another one in case or Unicode form only: each is the key of exactly its own client "
                "id, and of no other spelling",
            "remove the one that no device sends: `mqtt-relay keys --config " + quoted(context.config) +
                " CLIENT_ID` lists a name's spellings",
            with_rest(keys.twin_files, keys.twins)};
  if (keys.unnamed == 0) return {Result::ok, "every file is named CLIENTID.pem"};
  return {Result::warning,
          counted(keys.unnamed, "file") +
              " that no client id can name (CLIENTID.pem, at most 251 bytes before it): keyd "
              "never uses them",
          "rename each to CLIENTID.pem, or move it out of " + quoted(context.settings.private_keys_dir.path),
          with_rest(keys.unnamed_files, keys.unnamed)};
}

Check check_listener_key(const CheckContext& context) {
  if (!context.locked_memory.empty()) return {Result::skipped, "no key was read: see locked-memory"};
  const auto misplaced = [](const auto& own) { return !own.place.empty(); };
  if (const KeyCounts& keys = context.keys; keys.shared > 0 && std::ranges::none_of(context.own, misplaced))
    return {Result::error,
            context.own.front().path + (context.own.size() > 1 ? " or another key of relayd's own" : "") +
                ": it is also the key of " + counted(keys.shared, "device") + ", which keyd refuses",
            "give the listener, or each of these devices, a key and a certificate of its own",
            with_rest(keys.shared_files, keys.shared)};
  return own_keys_of(context, ipc::Role::listener);
}

Check check_local_key(const CheckContext& context) {
  if (!context.settings.local_keyfile) return {Result::skipped, "local_keyfile is not set"};
  if (!context.locked_memory.empty()) return {Result::skipped, "no key was read: see locked-memory"};
  return own_keys_of(context, ipc::Role::local);
}

Check check_listener_certificate(const CheckContext& context) {
  const std::string& file = context.listener_certificate;
  if (file.empty())
    return {Result::skipped, "not compared",
            "`mqtt-relay check`, of both daemons, compares the key with listener.certfile of relayd.json"};
  const auto has_key = [](const auto& own) { return own.role == ipc::Role::listener && own.key; };
  const auto known = std::ranges::find_if(context.own, has_key);
  if (known == context.own.end()) return {Result::skipped, "there is no listener key to compare it with"};
  if (!context.certificate_problem.empty())  // relayd's half judges the file
    return {Result::skipped, context.certificate_problem + "; see listener-certificate of relayd"};
  const auto spki = spki_of_certificate(context.certificate_pem);
  if (!spki)
    return {Result::error, file + ": no certificate found in it; expected PEM",
            "`openssl x509 -in " + quoted(file) + " -noout -subject` must show it"};
  const auto fits = [&](const auto& own) { return has_key(own) && own.key->is_of(*spki); };
  if (std::ranges::none_of(context.own, fits))
    return {Result::error,
            file + ": it is for another key, SPKI " + hex_of(*spki) + "; " +
                (context.settings.listener_keyfiles.size() == 1 ? "the listener's key has " + hex_of(known->key->spki)
                                                                : "none of the listeners' keys has that"),
            "the two must be equal: `openssl x509 -in " + quoted(file) + " -noout -pubkey`, `openssl pkey -in " +
                quoted(known->path) + " -pubout`; install the pair that belongs together"};
  return {Result::ok, file + " is the listener key's"};
}

Check check_key_passphrase_file(const CheckContext& context) {
  if (!context.settings.key_passphrase_file) return {Result::skipped, "key_passphrase_file is not set"};
  const std::string& path = context.settings.key_passphrase_file->path;
  const auto error = [&](const std::string& what, const std::string& command) {
    return Check{Result::error, path + ": " + what, command};
  };
  const std::string user = service_user(context);  // before errno is set
  struct stat info {};
  if (stat(path.c_str(), &info) != 0)
    return error(strerror(errno), "`install -o " + user + " -m 600 PASSPHRASE " + quoted(path) + "`");
  if (!S_ISREG(info.st_mode)) return error("it is not a regular file", "put the passphrase into a file");
  const auto service = service_uid(context);
  if (info.st_uid != 0 && service && info.st_uid != *service)
    return error("its owner is " + user_name(info.st_uid) + ", neither root nor keyd's user",
                 "`chown " + user + " " + quoted(path) + "`");
  // systemd passes credentials as root:root with mode 0440, as for key files.
  if (info.st_mode & (S_IWGRP | S_IXGRP | S_IRWXO))
    return error("its mode " + octal(info.st_mode) + " opens it to others", "`chmod 600 " + quoted(path) + "`");
  if ((info.st_mode & S_IRGRP) && info.st_gid != 0 && info.st_gid != getegid())
    return error("its mode " + octal(info.st_mode) + " opens it to its group, gid " + std::to_string(info.st_gid) +
                     "; allowed are root's and keyd's",
                 "`chmod 600 " + quoted(path) + "`");
  if (faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0)
    return error(strerror(errno), "`chown " + user + " " + quoted(path) + "`");
  if (info.st_size == 0) return error("it is empty", "put the passphrase into it");
  if (!context.passphrase_problem.empty())
    return {Result::error, context.passphrase_problem, "put the passphrase into its first line"};
  return {Result::ok, path + ": mode " + octal(info.st_mode) + ", owner " + user_name(info.st_uid)};
}

}  // namespace keyd::admin
