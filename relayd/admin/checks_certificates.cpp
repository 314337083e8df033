// The check of the devices' certificate files (remote.certs_dir). Reads and judges each as the connector and a worker
// do.
#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "common/operator/terminal.h"
#include "common/trust/validity.h"
#include "ipc/codec.h"
#include "relayd/admin/check.h"
#include "relayd/connector/certificate_file.h"
#include "relayd/tls/file_chain.h"

namespace relayd::admin {
namespace {

using common::counted;
using common::quoted;

constexpr std::string_view kEnd = ".crt";
constexpr int64_t kSoon = 30 * 86'400;  // seconds
constexpr size_t kMostListed = 10;

// The client ids that have a file there, sorted. Throws std::system_error.
std::vector<std::string> certified_ids(int directory) {
  const int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> listed(fd < 0 ? nullptr : fdopendir(fd), closedir);
  if (!listed) throw std::system_error(errno, std::generic_category(), "can't be listed");
  std::vector<std::string> ids;
  errno = 0;
  while (const dirent* entry = readdir(listed.get())) {
    std::string name = entry->d_name;
    if (!name.ends_with(kEnd)) continue;
    name.resize(name.size() - kEnd.size());
    if (ipc::can_name_a_key(name)) ids.push_back(std::move(name));
  }
  if (errno != 0) throw std::system_error(errno, std::generic_category(), "can't be listed");
  std::ranges::sort(ids);
  return ids;
}

// Found in all files.
struct Files {
  uint64_t unusable = 0, expiring = 0;
  std::vector<std::string> details;
  void add(uint64_t& number, std::string detail) {
    number++;
    if (details.size() < kMostListed) details.push_back(std::move(detail));
  }
};

void judge(int directory, const std::string& client_id, int64_t now, Files& files) {
  const auto read = connector::read_certificate(directory, client_id);
  if (read.found == channel::CertificateAnswer::Found::missing) return;  // removed meanwhile
  const std::string name = client_id + std::string(kEnd) + ": ";
  if (!read.problem.empty()) return files.add(files.unusable, name + read.problem);
  const auto file = tls::chain_in_file(read.pem, now);
  if (!file.problem.empty()) return files.add(files.unusable, name + file.problem);
  const int64_t until = trust::validity_of(file.chain.leaf())->until;
  if (until < now + kSoon) files.add(files.expiring, name + "expires on " + common::day_of(until));
}

}  // namespace

Check check_device_certificates(const CheckContext& context) {
  const auto& remote = context.config.remote;
  if (remote.certificate == Config::Remote::Certificate::peer)
    return {Result::skipped, "remote.certificate is \"peer\": devices' own certificates are shown"};
  common::Fd directory;
  try {
    directory = connector::open_certificates(remote.certs_dir);
    if (faccessat(directory.get(), ".", X_OK, 0) != 0)
      throw std::system_error(errno, std::generic_category(), "remote.certs_dir " + remote.certs_dir);
  } catch (const std::system_error& error) {
    return {Result::error, error.what(),
            "`install -d -m 755 " + quoted(remote.certs_dir) + "`, and let relayd's user enter the folders above it"};
  }
  std::vector<std::string> ids;
  try {
    ids = certified_ids(directory.get());
  } catch (const std::system_error& error) {
    return {Result::warning, remote.certs_dir + ": " + error.what() + "; relayd serves, but nothing in it was checked",
            "`chmod 755 " + quoted(remote.certs_dir) + "`"};
  }
  Files files;
  common::Progress progress("Reading certificates", ids.size());
  for (size_t i = 0; i < ids.size(); i++) {
    judge(directory.get(), ids[i], context.now, files);
    progress.at(i + 1);
  }
  const std::string found = remote.certs_dir + ": " + counted(ids.size(), "certificate file");
  const std::string fix = "install each device's current chain whole: `install -m 644 CHAIN.pem " +
                          quoted(remote.certs_dir + "/new") + "`, then `mv` it to CLIENTID.crt; and its key for keyd";
  if (files.unusable > 0)
    return {Result::error,
            found + "; " + common::grouped(files.unusable) + " can't be used, so their devices are refused", fix,
            files.details};
  if (files.expiring > 0)
    return {Result::warning, found + "; " + common::grouped(files.expiring) + " will expire within 30 days", fix,
            files.details};
  return {Result::ok, found};
}

}  // namespace relayd::admin
