#include "common/config_layers.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "common/config.h"
#include "common/config_text.h"

namespace common {
namespace {

using Json = nlohmann::json;
using Origin = ConfigLayers::Origin;

bool is_within(std::string_view path, std::string_view outer) {
  return path.starts_with(outer) &&
         (path.size() == outer.size() || path[outer.size()] == '.' || path[outer.size()] == '[');
}

class Merger {
 public:
  explicit Merger(ConfigLayers& layers) : layers_(layers) {}

  void add(ConfigText text, const std::string& name) {
    lines_ = std::move(text.lines);
    name_ = name;
    merge(layers_.object, std::move(text.object), "");
  }

  // `text` at the path, through objects that are made where there is none.
  void add(const std::vector<std::string>& keys, const std::string& text, const Origin& origin) {
    Json* at = &layers_.object;
    std::string path;
    for (const std::string& key : keys) {
      path = path_of(path, key);
      const Origin* above = at->contains(key) ? layers_.origin_of(path) : nullptr;
      if (above && above->variable() && !((*at)[key].is_object() && &key != &keys.back()))
        throw ConfigError(origin.name + ": " + above->name + " is set as well; unset one of the two");
      at = &(*at)[key];
      if (at->is_object() && &key != &keys.back()) continue;
      forget(path);
      layers_.origins[path] = origin;
      *at = &key == &keys.back() ? Json(text) : Json::object();
    }
  }

 private:
  void merge(Json& base, Json layer, const std::string& path) {
    for (auto& [key, value] : layer.items()) {
      const std::string inner = path_of(path, key);
      Json& old = base[key];
      if (old.is_object() && value.is_object()) {
        merge(old, std::move(value), inner);
        continue;
      }
      forget(inner);
      note(inner);
      old = std::move(value);
    }
  }

  void forget(const std::string& path) {
    auto& origins = layers_.origins;
    for (auto it = origins.lower_bound(path); it != origins.end() && it->first.starts_with(path);)
      it = is_within(it->first, path) ? origins.erase(it) : std::next(it);
  }

  void note(const std::string& path) {
    for (auto it = lines_.lower_bound(path); it != lines_.end() && it->first.starts_with(path); ++it)
      if (is_within(it->first, path)) layers_.origins[it->first] = {name_, it->second};
  }

  ConfigLayers& layers_;
  std::map<std::string, size_t, std::less<>> lines_;
  std::string name_;
};

std::vector<std::string> drop_ins_of(const std::string& file) {
  const std::string directory = file + ".d";
  std::error_code error;
  std::filesystem::directory_iterator entries(directory, error);
  if (error == std::errc::no_such_file_or_directory) return {};
  std::vector<std::string> found;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (name.ends_with(".json") && !name.starts_with('.')) found.push_back(entries->path().string());
  }
  if (error)
    throw ConfigError(directory + ": the drop-ins can't be listed: " + error.message() +
                      "; it must be a directory that this user can read");
  if (found.size() > kMaxDropIns)
    throw ConfigError(directory + ": found " + std::to_string(found.size()) + " drop-ins; expected at most " +
                      std::to_string(kMaxDropIns));
  std::sort(found.begin(), found.end());
  return found;
}

// Those that begin with the prefix and are not empty, sorted: name and text.
std::vector<std::pair<std::string, std::string>> variables_with(std::string_view prefix) {
  std::vector<std::pair<std::string, std::string>> found;
  for (char** entry = environ; entry && *entry; entry++) {
    const std::string_view text = *entry;
    const size_t mark = text.find('=');
    if (text.starts_with(prefix) && mark != text.npos && mark + 1 < text.size())
      found.emplace_back(text.substr(0, mark), text.substr(mark + 1));
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> keys_of(const std::string& variable, std::string_view prefix) {
  std::vector<std::string> keys{""};
  for (size_t at = prefix.size(); at < variable.size(); at++) {
    const char c = variable[at];
    if (c >= 'a' && c <= 'z')
      throw ConfigError(variable + ": found small letters in a variable's name; write it in capitals");
    if (c == '_' && at + 1 < variable.size() && variable[at + 1] == '_') {
      keys.emplace_back();
      at++;
      continue;
    }
    keys.back() += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (std::find(keys.begin(), keys.end(), "") != keys.end())
    throw ConfigError(variable + ": it names no setting; expected " + std::string(prefix) +
                      " and a setting, with __ between the keys of its path");
  return keys;
}

}  // namespace

const Origin* ConfigLayers::origin_of(std::string_view path) const {
  for (;;) {
    if (const auto it = origins.find(path); it != origins.end()) return &it->second;
    const size_t end = path.find_last_of(".[");
    if (end == path.npos) return nullptr;
    path = path.substr(0, end);
  }
}

ConfigLayers layers_of_text(std::string_view text, const std::string& name) {
  ConfigLayers layers{name, Json::object(), {}, {}};
  Merger(layers).add(parse_config_text(text, name), name);
  return layers;
}

ConfigLayers load_layers(const std::string& file, std::string_view prefix) {
  ConfigLayers layers = layers_of_text(read_file(file, kMaxConfigFile), file);
  Merger merger(layers);
  layers.sources.drop_ins = drop_ins_of(file);
  for (const std::string& one : layers.sources.drop_ins)
    merger.add(parse_config_text(read_file(one, kMaxConfigFile), one), one);
  for (const auto& [name, text] : variables_with(prefix)) {
    merger.add(keys_of(name, prefix), text, {name, 0, std::string(prefix)});
    layers.sources.variables.push_back(name);
  }
  return layers;
}

std::string in_words(const ConfigSources& sources) {
  std::string text;
  for (const auto* list : {&sources.drop_ins, &sources.variables})
    for (const std::string& one : *list) text.append(text.empty() ? "" : ", ").append(one);
  return text;
}

std::string variable_of(std::string_view prefix, std::string_view path) {
  std::string name(prefix);
  for (const char c : path)
    if (c == '.') name += "__";
    else name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

}  // namespace common
