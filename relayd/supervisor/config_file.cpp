#include "relayd/supervisor/config_file.h"

#include <algorithm>
#include <thread>

#include "common/config.h"
#include "common/log_settings.h"
#include "relayd/supervisor/config_parts.h"
#include "relayd/supervisor/config_sections.h"

namespace relayd {
namespace {

using common::Section;

Config::Endpoint parse_metrics(Section section) {
  auto endpoint = parse_bind(section, "bind", "127.0.0.1:9464");
  section.finish();
  return endpoint;
}

// One reference: MQTT section 4.11 allows several, which few clients read.
std::string parse_server_reference(Section& root) {
  std::string reference = root.string("server_reference", "");
  if (reference.size() > Config::kMaxServerReference || reference.find_first_of(" \t\r\n") != std::string::npos)
    root.fail("server_reference", "found \"" + reference.substr(0, Config::kMaxServerReference) +
                                      "\"; expected another gateway's \"HOST:PORT\", at most " +
                                      std::to_string(Config::kMaxServerReference) + " bytes");
  return reference;
}

template <typename Parse>
auto parse_required(Section& root, std::string_view key, Parse parse) {
  auto section = root.section(key);
  if (!section) root.fail(key, "missing: add the object \"" + std::string(key) + "\": { … }");
  return parse(std::move(*section));
}

bool can_name_a_listener(const std::string& name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_-";
  return !name.empty() && name.size() <= 32 && name.find_first_not_of(kAllowed) == std::string::npos;
}

// `listener`, or `listeners`: an object by name.
std::vector<Config::Listener> parse_listeners(Section& root) {
  auto one = root.section("listener"), several = root.section("listeners");
  if (one && several)
    root.fail("listeners", "found beside `listener`; give that one a name, and move it into `listeners`");
  if (!several && !one) root.fail("listener", "missing: add the object \"listener\": { … }");
  std::vector<Config::Listener> listeners;
  if (one) listeners.push_back(parse_listener(std::move(*one), "default"));
  if (!several) return listeners;
  const auto names = several->keys();
  if (names.empty() || names.size() > Config::kMaxListeners)
    root.fail("listeners", "found " + std::to_string(names.size()) + " listeners; expected 1 to " +
                               std::to_string(Config::kMaxListeners));
  for (const auto& name : names) {
    if (!can_name_a_listener(name))
      root.fail("listeners", "found the name \"" + name + "\"; expected 1 to 32 of the characters a-z, 0-9, _ and -");
    listeners.push_back(parse_listener(std::move(*several->section(name)), name));
    const auto same = std::ranges::find(listeners, listeners.back().bind, &Config::Listener::bind);
    if (same != std::prev(listeners.end()))
      root.fail(listeners.back().setting_of("bind"),
                "found the address of " + same->setting + "; expected an address or a port of its own");
  }
  return listeners;
}

void require_connections(const Section& root, const Config& config) {
  for (const auto& listener : config.listeners)
    if (const auto most = listener.max_connections; most && *most < static_cast<uint64_t>(config.workers))
      root.fail(listener.setting_of("max_connections"),
                "found " + std::to_string(*most) + ", but there are " + std::to_string(config.workers) +
                    " workers; expected at least one connection for each (or fewer workers)");
}

}  // namespace

Config parse_config(Section root, const Overrides& overrides) {
  Config config;
  config.remote = parse_required(root, "remote", parse_remote);
  config.brokers = parse_brokers(root, overrides, config.remote);
  config.listeners = parse_listeners(root);
  if (auto local = root.section("local")) config.local = parse_local(std::move(*local));
  config.keyd_socket = root.string("keyd_socket", "/run/mqtt-keyd/sign.sock");
  config.sign_timeout = root.duration("sign_timeout", "5s");
  config.shutdown_timeout = root.duration("shutdown_timeout", "10s");
  config.server_reference = parse_server_reference(root);
  config.retire_timeout = root.duration("retire_timeout", "24h");
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  config.workers =
      static_cast<int>(root.integer("workers", std::min(cores, Config::kMaxWorkers), 1, Config::kMaxWorkers));
  require_connections(root, config);
  config.max_restarts = static_cast<int>(root.integer("max_restarts", 10, 0, 1000));
  config.restart_window = root.duration("restart_window", "1m");
  config.worker_watchdog = root.duration("worker_watchdog", "10s");
  config.worker_max_memory = root.size("worker_max_memory", "1GB");
  config.require_sandbox = root.boolean("require_sandbox", false);
  config.reload_on_change = root.boolean("reload_on_change", false);
  config.resolve_interval = root.duration("resolve_interval", "30s");
  config.max_generations = static_cast<int>(root.integer("max_generations", 16, 2, 1000));
  config.control_socket = root.string("control_socket", "");
  if (auto metrics = root.section("metrics")) config.metrics = parse_metrics(std::move(*metrics));
  const auto level = root.one_of("log_level", "info", {"debug", "info", "warning", "error"});
  const auto format = root.one_of("log_format", "auto", {"auto", "json", "text"});
  config.log = common::log::settings_of(overrides.log_level.value_or(level), overrides.log_format.value_or(format));
  root.finish();
  return config;
}

Config parse_config(const std::string& text, const std::string& name, const Overrides& overrides) {
  return parse_config(Section::parse(text, name), overrides);
}

Config read_config(const std::string& file, const Overrides& overrides, common::ConfigSources* sources) {
  Section root = Section::load(file, common::kRelaydVariables);
  if (sources) *sources = root.sources();
  return parse_config(std::move(root), overrides);
}

}  // namespace relayd
