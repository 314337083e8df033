#include "relayd/worker/plan.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

namespace relayd {
namespace {

using Json = nlohmann::json;

Json to_json(const std::vector<SocketAddress>& addresses) {
  Json list = Json::array();
  for (const auto& address : addresses) list.push_back(address.text());
  return list;
}

std::vector<SocketAddress> addresses_from(const Json& list) {
  std::vector<SocketAddress> addresses;
  for (const auto& item : list)
    if (const auto address = SocketAddress::parse(item.get<std::string>())) addresses.push_back(*address);
  return addresses;
}

Json to_json(const Addresses& addresses) {
  return {{"remote", to_json(addresses.remote)}, {"local", to_json(addresses.local)}};
}

Addresses both_from(const Json& json) { return {addresses_from(json.at("remote")), addresses_from(json.at("local"))}; }

Json to_json(const tls::Pem& pem) { return {{"file", pem.file}, {"text", pem.text}}; }

tls::Pem pem_from(const Json& json) { return {json.at("file"), json.at("text")}; }

common::Fd sealed(const Json& json) {
  const std::string text = json.dump();
  common::Fd fd(memfd_create("mqtt-relay-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
    throw std::system_error(errno, std::generic_category(), "memfd for a worker's plan");
  return fd;
}

Json read_sealed(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
    throw common::ConfigError("a worker is started by its supervisor only: run relayd --config FILE");
  std::string text(static_cast<size_t>(info.st_size), '\0');
  if (pread(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    throw std::system_error(errno, std::generic_category(), "reading the worker's plan");
  return Json::parse(text);
}

}  // namespace

tls::ServerOptions Plan::server_options(const Config& config) const {
  return {listener_certificate,
          listener_trusted,
          listener_revoked,
          config.listener.verify_peer,
          config.listener.fail_if_no_peer_cert,
          config.listener.versions,
          config.listener.policy,
          config.listener.max_record};
}

tls::ClientOptions Plan::client_options(const Config& config) const {
  return {
      remote_trusted, config.remote.verify_peer, config.remote.versions, config.remote.server_name, config.remote.alpn,
      remote_revoked, config.remote.policy,      config.remote.groups};
}

common::Fd Plan::to_memfd() const {
  Json json{{"worker", worker},
            {"generation", generation},
            {"listeners", listeners},
            {"config_name", config_name},
            {"config_text", config_text},
            {"listener_certificate", to_json(listener_certificate)},
            {"listener_trusted", to_json(listener_trusted)},
            {"listener_revoked", to_json(listener_revoked)},
            {"remote_trusted", to_json(remote_trusted)},
            {"remote_revoked", to_json(remote_revoked)},
            {"addresses", to_json(addresses)}};
  if (overrides.remote_host) json["remote_host"] = *overrides.remote_host;
  if (overrides.remote_port) json["remote_port"] = *overrides.remote_port;
  if (overrides.log_level) json["log_level"] = *overrides.log_level;
  return sealed(json);
}

Plan Plan::from_fd(int fd) {
  const Json json = read_sealed(fd);
  Plan plan;
  plan.worker = json.at("worker");
  plan.generation = json.at("generation");
  plan.listeners = json.at("listeners");
  plan.config_name = json.at("config_name");
  plan.config_text = json.at("config_text");
  if (json.contains("remote_host")) plan.overrides.remote_host = json["remote_host"].get<std::string>();
  if (json.contains("remote_port")) plan.overrides.remote_port = json["remote_port"].get<int>();
  if (json.contains("log_level")) plan.overrides.log_level = json["log_level"].get<std::string>();
  plan.listener_certificate = pem_from(json.at("listener_certificate"));
  plan.listener_trusted = pem_from(json.at("listener_trusted"));
  plan.listener_revoked = pem_from(json.at("listener_revoked"));
  plan.remote_trusted = pem_from(json.at("remote_trusted"));
  plan.remote_revoked = pem_from(json.at("remote_revoked"));
  plan.addresses = both_from(json.at("addresses"));
  return plan;
}

std::string Order::encode() const {
  switch (what) {
    case What::addresses: return Json{{"addresses", to_json(addresses)}}.dump();
    case What::retire: return R"({"retire":true})";
    case What::drain: return R"({"drain":true})";
    case What::revoke: return R"({"revoke":true})";
    case What::disconnect: break;
  }
  return Json{{"disconnect", client_id}, {"request", request}}.dump();
}

Order Order::decode(std::string_view text) {
  const Json json = Json::parse(text);
  if (json.contains("retire")) return {What::retire, {}, "", 0};
  if (json.contains("drain")) return {What::drain, {}, "", 0};
  if (json.contains("revoke")) return {What::revoke, {}, "", 0};
  if (json.contains("disconnect"))
    return {What::disconnect, {}, json["disconnect"].get<std::string>(), json.at("request")};
  return {What::addresses, both_from(json.at("addresses")), "", 0};
}

common::Fd Revocations::to_memfd() const {
  return sealed({{"trusted", to_json(trusted)},
                 {"revoked", to_json(revoked)},
                 {"depth", policy.depth},
                 {"partial_chain", policy.partial_chain},
                 {"crl_check_chain", policy.revocation == trust::Revocation::chain}});
}

Revocations Revocations::from_fd(int fd) {
  const Json json = read_sealed(fd);
  trust::Policy policy;
  policy.depth = json.at("depth");
  policy.partial_chain = json.at("partial_chain");
  policy.revocation = json.at("crl_check_chain").get<bool>() ? trust::Revocation::chain : trust::Revocation::leaf;
  return {pem_from(json.at("trusted")), pem_from(json.at("revoked")), std::move(policy)};
}

}  // namespace relayd
