#include "relayd/admin/init.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>

#include "common/config.h"
#include "common/operator/checks.h"
#include "relayd/admin/new_files.h"
#include "relayd/handover/config.h"
#include "relayd/supervisor/config_file.h"
#include "relayd/supervisor/config_parts.h"
#include "relayd/supervisor/status.h"
#include "relayd/tls/context.h"
#include "relayd_json.h"

namespace relayd::admin {
namespace {

using common::ConfigError;
using common::quoted;
constexpr size_t kMostCertificates = 16 * 1024 * 1024;

// ---- the answers

Config::Endpoint read_endpoint(const std::string& text, uint16_t port) {
  const auto endpoint = parse_endpoint(text, port);
  if (!endpoint) throw ConfigError("found \"" + text + "\"; expected HOST or HOST:PORT, such as broker.example:8883");
  return *endpoint;
}

// A file of certificates, and the path under which relayd reads it.
struct Certificates {
  std::string given, path, text;
  bool copied = false;
};

// The service can't read /home and /root (ProtectHome= in its unit), and files in /tmp do not last.
bool stays_readable(const std::filesystem::path& file) {
  const auto below = [](const std::string& path) { return path.starts_with("/etc/") || path.starts_with("/usr/"); };
  return below(std::filesystem::absolute(file).lexically_normal()) && below(std::filesystem::canonical(file));
}

// Judged by relayd's own code.
void judge_authorities(const tls::Pem& pem) { trust::Validator(pem, {}, {}); }
void judge_listener(const tls::Pem& pem) { tls::ServerContext({.certificates = {pem}, .verify_peer = false}); }

Certificates read_certificates(const std::string& file, const std::string& beside, void (*judge)(const tls::Pem&)) {
  if (file.empty()) throw ConfigError("found nothing; expected the name of a file");
  Certificates found{file, std::filesystem::absolute(file).lexically_normal(),
                     common::read_file(file, kMostCertificates)};
  if (found.text.find("PRIVATE KEY-----") != std::string::npos)
    throw ConfigError(file +
                      ": it contains a private key, which only keyd may read; name a file with certificates only");
  judge({file, found.text});
  if (stays_readable(file)) return found;
  found.copied = found.path != beside;
  found.path = beside;
  return found;
}

// ---- the questions

class Questions {
 public:
  Questions(const InitOptions& options, std::istream& in, std::ostream& out)
      : terminal_(options.terminal), in_(in), out_(out) {}

  // Applies `read` to the flag's value, or to answers until one is good.
  template <typename Read>
  auto ask(const std::string& flag, const std::optional<std::string>& value, const std::string& question, Read read) {
    if (value) return read_flag(flag, *value, read);
    if (!terminal_) throw MissingAnswer(flag + " is missing: " + question + ". Without a terminal nothing is asked");
    for (;;) {
      out_ << question << ": " << std::flush;
      std::string answer;
      if (!std::getline(in_, answer)) throw MissingAnswer("no answer; nothing was written");
      try {
        return read(trimmed(answer));
      } catch (const ConfigError& error) {
        out_ << "  " << common::visible(error.what()) << "\n";
      }
    }
  }

  template <typename Read>
  static auto read_flag(const std::string& flag, const std::string& value, Read read) {
    try {
      return read(value);
    } catch (const ConfigError& error) {
      throw ConfigError(flag + ": " + error.what());
    }
  }

 private:
  static std::string trimmed(const std::string& text) {
    const size_t from = text.find_first_not_of(" \t\r"), to = text.find_last_not_of(" \t\r");
    return from == std::string::npos ? "" : text.substr(from, to - from + 1);
  }
  bool terminal_;
  std::istream& in_;
  std::ostream& out_;
};

// ---- writing

std::string json_of(const std::string& text) { return nlohmann::json(text).dump(); }

void fill_in(std::string& text, const std::string& name, const std::string& value) {
  const std::string mark = "@" + name + "@";
  text.replace(text.find(mark), mark.size(), value);
}

// Keeps an operator's own settings; a file that can't be read may have some.
void refuse_to_replace(const std::string& file) {
  if (access(file.c_str(), F_OK) != 0) return;
  std::vector<Config::Broker> brokers;
  try {
    brokers = read_config(file, {}).brokers;
  } catch (const ConfigError& error) {
    throw ConfigError(std::string(error.what()) + "; --force replaces it, and keeps it as " + file + ".old");
  }
  if (!brokers.empty())
    throw ConfigError(file + ": remote_host is set already, to \"" + names_of(brokers) +
                      "\"; --force replaces the file, and keeps " + "it as " + file + ".old");
}

struct Answers {
  Config::Endpoint remote;
  Certificates remote_ca, device_ca;
  std::string listener_certificate, bind;
  std::optional<Config::Endpoint> local;
};

std::string configuration_of(const Answers& answers) {
  std::string text = kRelaydJsonTemplate;
  const auto& [host, port] = answers.remote;
  fill_in(text, "REMOTE", "\"remote_host\": " + json_of(host) + ", \"remote_port\": " + std::to_string(port) + ",");
  fill_in(text, "REMOTE_CA", json_of(answers.remote_ca.path));
  fill_in(text, "BIND", json_of(answers.bind));
  fill_in(text, "LISTENER_CERTIFICATE", json_of(answers.listener_certificate));
  fill_in(text, "DEVICE_CA", json_of(answers.device_ca.path));
  const auto& local = answers.local;
  fill_in(text, "LOCAL",
          local
              ? "\"local\": { \"host\": " + json_of(local->host) + ", \"port\": " + std::to_string(local->port) + " },"
              : "// \"local\": { \"host\": \"127.0.0.1\", \"port\": 1883 },");
  return text;
}

bool is_there(const std::string& file) { return access(file.c_str(), F_OK) == 0; }

void tell_next_steps(const Answers& answers, const std::string& directory, std::ostream& out) {
  const std::string key = directory + "/listener.key", &certificate = answers.listener_certificate;
  out << "\nNext:\n";
  if (!is_there(certificate))
    out << "    install -m 644 LISTENER-CHAIN.pem " << quoted(certificate) << "  # what devices get\n";
  if (!is_there(key)) out << "    install -o mqtt-keyd -m 600 LISTENER.key " << quoted(key) << "  # its private key\n";
  out << "    install -o mqtt-keyd -m 600 DEVICE.key " << quoted(directory + "/keys/CLIENTID.pem")
      << "  # the key of each device\n"
      << "    mqtt-relay check\n"
      << "    systemctl start mqtt-relayd\n";
}

}  // namespace

void init(const InitOptions& options, std::istream& in, std::ostream& out) {
  const std::string config = std::filesystem::absolute(options.config).lexically_normal();
  const std::string directory = common::parent_of(config);
  if (!options.force) refuse_to_replace(config);

  Questions questions(options, in, out);
  const auto endpoint = [](uint16_t port) {
    return [port](const std::string& text) { return read_endpoint(text, port); };
  };
  const auto certificates = [&](const char* name, void (*judge)(const tls::Pem&) = judge_authorities) {
    return [judge, beside = directory + "/" + name](const std::string& file) {
      return read_certificates(file, beside, judge);
    };
  };
  Answers answers;
  answers.remote = questions.ask("--remote", options.remote, "The remote broker, HOST or HOST:PORT", endpoint(8883));
  answers.remote_ca =
      questions.ask("--remote-ca", options.remote_ca, "PEM file of the CAs of the remote broker's certificate",
                    certificates("remote-ca.pem"));
  answers.device_ca =
      questions.ask("--device-ca", options.device_ca, "PEM file of the CAs that issue device certificates",
                    certificates("device-ca.pem"));
  answers.bind = options.bind.value_or("0.0.0.0:8883");
  answers.listener_certificate = directory + "/listener.pem";
  std::vector<Certificates> all{answers.remote_ca, answers.device_ca};
  if (options.listener_certificate) {
    all.push_back(Questions::read_flag("--listener-certificate", *options.listener_certificate,
                                       certificates("listener.pem", judge_listener)));
    answers.listener_certificate = all.back().path;
  }
  if (options.local) answers.local = Questions::read_flag("--local", *options.local, endpoint(1883));

  const std::string text = configuration_of(answers);
  parse_config(text, config, {});  // checks --bind
  std::vector<NewFile> files;
  for (const Certificates& one : all)
    if (one.copied) files.push_back({one.path, one.text});
  for (const NewFile& file : files)
    if (!options.force && replaces(file))
      throw ConfigError(file.path + ": the file exists with other content; --force replaces it, and keeps it as " +
                        file.path + ".old");
  // The configuration is written last, when the files that it names exist. The shipped one is not worth keeping.
  const NewFile shipped{config, kRelaydJsonShipped};
  files.push_back({config, text, replaces(shipped)});
  for (const NewFile& file : files) {
    const bool kept = write_new(file);
    out << "written: " << file.path << (kept ? ", and the old one is now " + file.path + ".old" : "") << "\n";
  }
  tell_next_steps(answers, directory, out);
}

}  // namespace relayd::admin
