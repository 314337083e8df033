#include "relayd/supervisor/load.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/fd.h"
#include "common/not_yet.h"
#include "relayd/supervisor/proxy_credentials.h"

namespace relayd {
namespace {

using common::about_missing_credential;
using common::ConfigError;

constexpr size_t kMaxPemFile = 16 * 1024 * 1024;

// On a fresh installation, reports everything that is missing in one message.
void require_set_up(const std::string& config_file, const Config& config) {
  std::string missing = config.brokers.empty() ? "remote_host" : "";
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& listener : config.listeners) {
    for (size_t i = 0; i < listener.certfiles.size(); i++)
      files.emplace_back(listener.setting_of_certfile(i), listener.certfiles[i]);
    files.emplace_back(listener.setting_of("cacertfile"), listener.cacertfile);
  }
  files.emplace_back("remote.cacertfile", config.remote.cacertfile);
  for (size_t i = 0; i < config.brokers.size(); i++)
    if (const auto setting = authorities_setting(config, i); setting != "remote.cacertfile")
      files.emplace_back(setting, config.brokers[i].cacertfile);
  for (const auto& [setting, file] : files)
    if (!file.empty() && access(file.c_str(), F_OK) != 0 && errno == ENOENT)
      missing.append(missing.empty() ? "" : ", ")
          .append(setting)
          .append(" (there is no " + file + about_missing_credential(file) + ")");
  if (!missing.empty())
    throw ConfigError(config_file + ": missing: " + missing +
                      "; `mqtt-relay init` asks for it and sets it up, `mqtt-relay check` says how to fix the rest");
}

// Without its CRL file relayd can't know what is revoked, so it waits: the file may arrive after the start.
trust::Pem read_crls(const std::string& config_file, const std::string& setting, const std::string& file) {
  if (!file.empty() && access(file.c_str(), F_OK) != 0 && errno == ENOENT && about_missing_credential(file).empty())
    throw common::NotYet(config_file + ": " + setting + ": there is no " + file +
                         "; put the CRLs there, or remove the setting");
  return read_pem(config_file, setting, file);
}

// The connector opens it again. Here the operator still reads the answer, and a reload changes nothing.
void require_certs_dir(const std::string& config_file, const std::string& certs_dir) {
  if (certs_dir.empty()) return;
  const common::Fd directory(::open(certs_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (directory && access(certs_dir.c_str(), X_OK) == 0) return;
  throw ConfigError(config_file + ": remote.certs_dir: " + certs_dir + ": can't be opened: " + strerror(errno) +
                    "; it must be a directory that relayd's user may enter, such as one made by `install -d -m 755 '" +
                    certs_dir + "'`");
}

std::vector<std::string> files_of(const std::string& config_file, const common::ConfigSources& sources,
                                  const Config& config) {
  std::vector<std::string> files{config_file, config_file + ".d"};
  files.insert(files.end(), sources.drop_ins.begin(), sources.drop_ins.end());
  for (const auto& listener : config.listeners) {
    files.insert(files.end(), listener.certfiles.begin(), listener.certfiles.end());
    files.insert(files.end(), {listener.cacertfile, listener.crlfile});
  }
  for (const auto& broker : config.brokers) files.push_back(broker.cacertfile);
  files.push_back(config.remote.crlfile);
  if (config.remote.proxy) files.push_back(config.remote.proxy->credentials_file);
  if (config.local && config.local->tls)
    files.insert(files.end(), {config.local->tls->cacertfile, config.local->tls->crlfile, config.local->tls->certfile});
  std::erase(files, "");
  return files;
}

}  // namespace

std::string authorities_setting(const Config& config, size_t broker) {
  const bool own = config.brokers[broker].cacertfile != config.remote.cacertfile;
  return own ? "remote_hosts[" + std::to_string(broker) + "].cacertfile" : "remote.cacertfile";
}

trust::Pem read_pem(const std::string& config_file, const std::string& setting, const std::string& file) {
  if (file.empty()) return {};
  const std::string named = config_file + ": " + setting;
  try {
    return {file, common::read_file(file, kMaxPemFile), named};
  } catch (const ConfigError& error) {
    throw ConfigError(named + ": " + error.what());
  }
}

std::vector<trust::Pem> read_certificates(const std::string& config_file, const Config::Listener& listener) {
  std::vector<trust::Pem> certificates;
  for (size_t i = 0; i < listener.certfiles.size(); i++)
    certificates.push_back(read_pem(config_file, listener.setting_of_certfile(i), listener.certfiles[i]));
  return certificates;
}

Loaded load(const std::string& config_file, const Overrides& overrides) {
  Plan plan;
  common::ConfigSources sources;
  plan.config = read_config(config_file, overrides, &sources);
  const Config& config = plan.config;
  require_set_up(config_file, config);
  require_certs_dir(config_file, config.remote.certs_dir);
  for (const auto& listener : config.listeners)
    plan.pem.listeners.push_back({read_certificates(config_file, listener),
                                  read_pem(config_file, listener.setting_of("cacertfile"), listener.cacertfile),
                                  read_crls(config_file, listener.setting_of("crlfile"), listener.crlfile)});
  for (size_t i = 0; i < config.brokers.size(); i++)
    plan.pem.remote_trusted.push_back(
        read_pem(config_file, authorities_setting(config, i), config.brokers[i].cacertfile));
  plan.pem.remote_revoked = read_crls(config_file, "remote.crlfile", config.remote.crlfile);
  if (config.local && config.local->tls) {
    plan.pem.local_trusted = read_pem(config_file, "local.tls.cacertfile", config.local->tls->cacertfile);
    plan.pem.local_revoked = read_crls(config_file, "local.tls.crlfile", config.local->tls->crlfile);
    plan.pem.local_certificate = read_pem(config_file, "local.tls.certfile", config.local->tls->certfile);
  }
  std::string credentials = read_proxy_credentials(config_file, config);
  auto files = files_of(config_file, sources, config);
  return {std::move(plan), std::move(credentials), std::move(sources), std::move(files)};
}

}  // namespace relayd
