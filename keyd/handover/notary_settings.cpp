#include "keyd/handover/notary_settings.h"

#include <cstring>
#include <stdexcept>
#include <utility>

namespace keyd {
namespace {

// Each text follows its size.
class Packer {
 public:
  void text(const std::string& text) {
    const uint64_t size = text.size();
    bytes_.append(reinterpret_cast<const char*>(&size), sizeof size).append(text);
  }
  template <class Enum>
  void value(Enum value) {
    text(std::to_string(static_cast<int>(value)));
  }
  void list(const std::vector<std::string>& texts) {
    value(texts.size());
    for (const std::string& each : texts) text(each);
  }
  void authorities(const Authorities& file) {
    for (const std::string* part : {&file.path, &file.setting, &file.text}) text(*part);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Unpacker {
 public:
  explicit Unpacker(const std::string& bytes) : bytes_(bytes) {}
  std::string text() {
    uint64_t size = 0;
    if (bytes_.size() - at_ < sizeof size) fail();
    memcpy(&size, bytes_.data() + at_, sizeof size);
    at_ += sizeof size;
    if (bytes_.size() - at_ < size) fail();
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  template <class Enum>
  Enum value() {
    return static_cast<Enum>(std::stoi(text()));
  }
  std::vector<std::string> list() {
    std::vector<std::string> texts;
    for (auto left = value<size_t>(); left > 0; left--) texts.push_back(text());
    return texts;
  }
  Authorities authorities() {
    Authorities file;
    for (std::string* part : {&file.path, &file.setting, &file.text}) *part = text();
    return file;
  }
  void end() const {
    if (at_ != bytes_.size()) fail();
  }

 private:
  [[noreturn]] static void fail() { throw std::runtime_error("these are not settings of the notary"); }
  const std::string& bytes_;
  size_t at_ = 0;
};

}  // namespace

std::string NotarySettings::packed() const {
  Packer out;
  out.value(log.level);
  out.value(log.format);
  out.value(remote.has_value());
  if (remote) {
    out.list(remote->hosts);
    out.list(remote->alpn);
    out.authorities(remote->authorities);
  }
  out.value(device.has_value());
  if (device) {
    out.value(device->client_id_from);
    out.value(device->partial_chain);
    out.authorities(device->authorities);
  }
  return out.take();
}

NotarySettings NotarySettings::unpacked(const std::string& bytes) {
  Unpacker in(bytes);
  NotarySettings settings;
  settings.log.level = in.value<common::log::Level>();
  settings.log.format = in.value<common::log::Format>();
  if (in.value<bool>()) {
    auto& remote = settings.remote.emplace();
    remote.hosts = in.list();
    remote.alpn = in.list();
    remote.authorities = in.authorities();
  }
  if (in.value<bool>()) {
    auto& device = settings.device.emplace();
    device.client_id_from = in.value<BoundDevice::ClientIdFrom>();
    device.partial_chain = in.value<bool>();
    device.authorities = in.authorities();
  }
  in.end();
  return settings;
}

}  // namespace keyd
