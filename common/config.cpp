#include "common/config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "common/config_layers.h"
#include "common/config_text.h"
#include "common/fd.h"
#include "common/nearest.h"

namespace common {
namespace {

using Json = nlohmann::json;

template <typename Range>
std::string joined(const Range& words) {
  std::string text;
  for (const auto& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

template <typename Unit, size_t N>
std::optional<uint64_t> parse_quantity(std::string_view text, const std::array<Unit, N>& units) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  for (const auto& [name, factor] : units)
    if (unit == name && number <= (uint64_t{1} << 53) / factor) return number * factor;
  return std::nullopt;
}

using Unit = std::pair<std::string_view, uint64_t>;
constexpr std::array<Unit, 5> kDurations{{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 4> kSizes{{{"B", 1}, {"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}}};

}  // namespace

std::optional<Milliseconds> parse_duration(std::string_view text) {
  const auto value = parse_quantity(text, kDurations);
  return value ? std::optional(Milliseconds(*value)) : std::nullopt;
}

std::optional<uint64_t> parse_size(std::string_view text) { return parse_quantity(text, kSizes); }

namespace {

template <size_t N>
std::optional<Rate> parse_rate_in(std::string_view text, const std::array<Unit, N>& units, uint64_t most) {
  if (text == "infinity") return Rate{};
  const size_t slash = text.find('/');
  if (slash == text.npos || text.find_first_of("0123456789", slash) != text.npos) return std::nullopt;
  const auto count = parse_quantity(text.substr(0, slash), units);
  const auto per = parse_duration("1" + std::string(text.substr(slash + 1)));
  if (!count || *count == 0 || *count > most || !per || per->count() == 1) return std::nullopt;
  return Rate{*count, *per};
}

}  // namespace

std::optional<Rate> parse_rate(std::string_view text) { return parse_rate_in<1>(text, {{{"", 1}}}, 1'000'000); }

std::optional<Rate> parse_byte_rate(std::string_view text) { return parse_rate_in(text, kSizes, uint64_t{1} << 40); }

std::string about_missing_credential(const std::string& file) {
  const char* directory = getenv("CREDENTIALS_DIRECTORY");
  const std::string of_unit = directory ? std::string(directory) + "/" : "";
  if (!file.starts_with("/run/credentials/") && (of_unit.empty() || !file.starts_with(of_unit))) return "";
  const std::string name = file.substr(file.rfind('/') + 1);
  if (!directory)
    return "; it is a credential, and none was passed: start the systemd unit whose LoadCredential= names \"" + name +
           "\"";
  return "; the credential \"" + name + "\" was not passed: the unit needs LoadCredential=" + name +
         ":FILE, and that file must be there when it starts; those that were passed are in " + directory;
}

std::string read_file(const std::string& file, size_t limit) {
  const auto fail = [&](const std::string& cause) -> std::string {
    throw ConfigError(file + ": can't be read: " + cause);
  };
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // O_NONBLOCK: a FIFO must not hang the start
  if (!fd) return fail(strerror(errno) + (errno == ENOENT ? about_missing_credential(file) : ""));
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return fail(strerror(errno));
  if (!S_ISREG(info.st_mode)) return fail("it is not a regular file");
  std::string text;
  char chunk[16384];
  ssize_t got;
  while ((got = ::read(fd.get(), chunk, sizeof chunk)) > 0) {
    text.append(chunk, static_cast<size_t>(got));
    if (text.size() > limit)
      return fail("it is larger than " + std::to_string(limit) + " bytes, the most that is read; name the right file");
  }
  return got < 0 ? fail(strerror(errno)) : text;
}

struct Section::Node {
  std::shared_ptr<ConfigLayers> layers;  // keeps `object` alive
  Json* object;
  std::string path;  // this object's in the document
  std::set<std::string, std::less<>> known = {};
};

Section::Section(std::unique_ptr<Node> node) : node_(std::move(node)) {}
Section::Section(Section&&) noexcept = default;
Section::~Section() = default;

Section Section::of(ConfigLayers layers) {
  auto shared = std::make_shared<ConfigLayers>(std::move(layers));
  Json* object = &shared->object;
  return Section(std::make_unique<Node>(Node{std::move(shared), object, ""}));
}

Section Section::load(const std::string& file, std::string_view prefix) { return of(load_layers(file, prefix)); }
Section Section::parse(std::string_view text, const std::string& name) { return of(layers_of_text(text, name)); }

std::string Section::origin(std::string_view key) const {
  const std::string path = path_of(node_->path, key);
  const auto* origin = node_->layers->origin_of(path);
  return (origin ? origin->name : node_->layers->file) + ": " + path;
}

void Section::fail(std::string_view key, const std::string& problem) const {
  const std::string path = path_of(node_->path, key);
  const auto* origin = node_->layers->origin_of(path);
  const bool exact = origin && origin->line > 0 && node_->layers->origins.contains(path);
  throw ConfigError((origin ? origin->name : node_->layers->file) + ": " +
                    (exact ? "line " + std::to_string(origin->line) + ": " : "") + path + ": " + problem);
}

void Section::fail_type(std::string_view key, const Json& found, std::string_view expected) const {
  fail(key, "found " + shown(found) + "; expected " + std::string(expected));
}

Json* Section::find(std::string_view key, As as) {
  node_->known.emplace(key);
  const auto it = node_->object->find(std::string(key));
  if (it == node_->object->end()) return nullptr;
  const auto origin = node_->layers->origins.find(path_of(node_->path, key));
  if (as != As::text && it->is_string() && origin != node_->layers->origins.end() && origin->second.variable()) {
    Json value = Json::parse(it->get_ref<const std::string&>(), nullptr, /*allow_exceptions=*/false);
    if (value.is_array() || (as == As::value && !value.is_discarded() && !value.is_string())) *it = std::move(value);
  }
  return &*it;
}

bool Section::has(std::string_view key) const { return node_->object->contains(std::string(key)); }

std::vector<std::string> Section::keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : node_->object->items()) keys.push_back(key);
  return keys;
}

std::string Section::path() const { return node_->path; }

const ConfigSources& Section::sources() const { return node_->layers->sources; }

std::optional<std::string> Section::string(std::string_view key) {
  const Json* value = find(key, As::text);
  if (!value) return std::nullopt;
  if (!value->is_string()) fail_type(key, *value, "a string");
  auto text = value->get<std::string>();
  if (text.find('\0') != std::string::npos) fail_type(key, *value, "a string without a NUL character");
  return text;
}

std::string Section::string(std::string_view key, std::string_view fallback) {
  return string(key).value_or(std::string(fallback));
}

std::string Section::required_string(std::string_view key, std::string_view what) {
  auto text = string(key);
  if (!text || text->empty()) fail(key, (text ? "empty" : "missing") + (": set it to " + std::string(what)));
  return *text;
}

int64_t Section::integer(std::string_view key, int64_t fallback, int64_t least, int64_t most) {
  const Json* value = find(key, As::value);
  if (!value) return fallback;
  const bool fits = value->is_number_integer() &&
                    (!value->is_number_unsigned() || value->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
  if (!fits || value->get<int64_t>() < least || value->get<int64_t>() > most)
    fail_type(key, *value, "an integer from " + std::to_string(least) + " to " + std::to_string(most));
  return value->get<int64_t>();
}

std::optional<uint64_t> Section::count_or_infinity(std::string_view key, uint64_t most) {
  const Json* value = find(key, As::value);
  if (!value || *value == "infinity") return std::nullopt;
  if (!value->is_number_unsigned() || value->get<uint64_t>() < 1 || value->get<uint64_t>() > most)
    fail_type(key, *value, "an integer from 1 to " + std::to_string(most) + ", or \"infinity\"");
  return value->get<uint64_t>();
}

double Section::number(std::string_view key, double fallback, double least, double most) {
  const Json* value = find(key, As::value);
  if (!value) return fallback;
  if (!value->is_number() || value->get<double>() < least || value->get<double>() > most)
    fail_type(key, *value, "a number from " + Json(least).dump() + " to " + Json(most).dump());
  return value->get<double>();
}

bool Section::boolean(std::string_view key, bool fallback) {
  const Json* value = find(key, As::value);
  if (!value) return fallback;
  if (!value->is_boolean()) fail_type(key, *value, "true or false");
  return value->get<bool>();
}

Milliseconds Section::duration(std::string_view key, std::string_view fallback) {
  const Json* value = find(key, As::value);
  if (!value) return *parse_duration(fallback);
  const auto parsed = value->is_string() ? parse_duration(value->get<std::string>()) : std::nullopt;
  if (!parsed || parsed->count() == 0)
    fail_type(key, *value, "a duration over zero with its unit, such as \"500ms\", \"15s\", \"5m\", \"1h\" or \"1d\"");
  return *parsed;
}

uint64_t Section::size(std::string_view key, std::string_view fallback) {
  const Json* value = find(key, As::value);
  if (!value) return *parse_size(fallback);
  const auto parsed = value->is_string() ? parse_size(value->get<std::string>()) : std::nullopt;
  if (!parsed || *parsed == 0)
    fail_type(key, *value, "a size over zero with its unit, such as \"512B\", \"64KB\", \"1MB\" or \"1GB\"");
  return *parsed;
}

Rate Section::rate(std::string_view key, std::string_view fallback) {
  const Json* value = find(key, As::value);
  if (!value) return *parse_rate(fallback);
  const auto parsed = value->is_string() ? parse_rate(value->get<std::string>()) : std::nullopt;
  if (!parsed)
    fail_type(key, *value, "a rate from 1 to 1000000, such as \"1000/s\", \"60/m\" or \"10/h\", or \"infinity\"");
  return *parsed;
}

Rate Section::byte_rate(std::string_view key, std::string_view fallback) {
  const Json* value = find(key, As::value);
  if (!value) return *parse_byte_rate(fallback);
  const auto parsed = value->is_string() ? parse_byte_rate(value->get<std::string>()) : std::nullopt;
  if (!parsed) fail_type(key, *value, "a rate from 1B to 1024GB, such as \"100KB/s\" or \"1MB/m\", or \"infinity\"");
  return *parsed;
}

std::string Section::one_of(std::string_view key, std::string_view fallback,
                            const std::vector<std::string_view>& allowed) {
  auto text = string(key, fallback);
  if (std::find(allowed.begin(), allowed.end(), text) == allowed.end())
    fail(key, "found \"" + text + "\"; allowed: " + joined(allowed));
  return text;
}

std::vector<std::string> Section::strings(std::string_view key, const std::vector<std::string>& fallback) {
  const Json* value = find(key, As::value);
  if (!value) return fallback;
  const auto is_string = [](const Json& item) { return item.is_string(); };
  if (!value->is_array() || !std::all_of(value->begin(), value->end(), is_string))
    fail_type(key, *value, "a list of strings");
  return value->get<std::vector<std::string>>();
}

std::vector<std::string> Section::string_or_strings(std::string_view key) {
  if (const Json* value = find(key, As::list); !value || !value->is_string()) return strings(key, {});
  return {*string(key)};
}

std::vector<std::variant<std::string, Section>> Section::strings_or_sections(std::string_view key) {
  std::vector<std::variant<std::string, Section>> items;
  Json* value = find(key, As::value);
  if (!value) return items;
  const auto is_item = [](const Json& item) { return item.is_string() || item.is_object(); };
  if (!value->is_array() || !std::all_of(value->begin(), value->end(), is_item))
    fail_type(key, *value, "a list of strings or objects { … }");
  for (Json& item : *value) {
    if (item.is_string()) items.emplace_back(item.get<std::string>());
    else items.emplace_back(inside(item, path_of(node_->path, key) + "[" + std::to_string(items.size()) + "]"));
  }
  return items;
}

Section Section::inside(Json& object, std::string path) const {
  return Section(std::make_unique<Node>(Node{node_->layers, &object, std::move(path)}));
}

std::optional<Section> Section::section(std::string_view key) {
  Json* value = find(key, As::value);
  if (!value) return std::nullopt;
  if (!value->is_object()) fail_type(key, *value, "an object { … }");
  return inside(*value, path_of(node_->path, key));
}

void Section::finish() {
  for (const auto& [key, value] : node_->object->items()) {
    if (node_->known.contains(key)) continue;
    std::string near = nearest(key, {node_->known.begin(), node_->known.end()});
    const std::string path = path_of(node_->path, key);
    if (const auto* origin = node_->layers->origin_of(path); origin && origin->variable() && !near.empty())
      near = variable_of(origin->prefix, path_of(node_->path, near)) +
             origin->name.substr(std::min(origin->name.size(), variable_of(origin->prefix, path).size()));
    fail(key, "unknown key; " + (near.empty() ? "" : "did you mean \"" + near + "\"? ") +
                  "known here: " + joined(node_->known));
  }
}

}  // namespace common
