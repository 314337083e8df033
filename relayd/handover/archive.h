// Serialises values between two of our processes of the same build: numbers in this machine's byte order, texts and
// lists after a 32-bit count.
//
// One function per structure names its members, for both directions:
//
//   template <class Archive> void fields(Archive& archive, Of<Archive, Endpoint>& e) { archive(e.host, e.port); }
//
// The reader trusts no count: it allocates nothing larger than the remaining bytes, and finish() refuses leftover
// bytes. It throws BadArchive.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace relayd {

class BadArchive : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class Archive, class T>
using Of = std::conditional_t<Archive::kWrites, const T, T>;

template <class T>
concept PlainValue = std::is_arithmetic_v<T> || std::is_enum_v<T>;

class ArchiveWriter {
 public:
  static constexpr bool kWrites = true;

  template <class... Ts>
  void operator()(const Ts&... values) {
    (put(values), ...);
  }
  std::string take() { return std::move(bytes_); }

 private:
  void count(size_t size) { put(static_cast<uint32_t>(size)); }

  template <PlainValue T>
  void put(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put(const std::string& text) {
    count(text.size());
    bytes_ += text;
  }
  template <class T>
  void put(const std::vector<T>& list) {
    count(list.size());
    for (const T& item : list) put(item);
  }
  template <class T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <class T, size_t N>
  void put(const std::array<T, N>& list) {
    for (const T& item : list) put(item);
  }
  void put(const std::chrono::milliseconds& duration) { put(duration.count()); }
  template <class T>
  requires std::is_class_v<T>
  void put(const T& structure) { fields(*this, structure); }

  std::string bytes_;
};

class ArchiveReader {
 public:
  static constexpr bool kWrites = false;

  explicit ArchiveReader(std::string_view bytes) : left_(bytes) {}

  template <class... Ts>
  void operator()(Ts&... values) {
    (get(values), ...);
  }
  void finish() const {
    if (!left_.empty()) throw BadArchive(std::to_string(left_.size()) + " bytes too many");
  }

 private:
  std::string_view take(size_t size) {
    if (size > left_.size())
      throw BadArchive(std::to_string(size) + " bytes expected, " + std::to_string(left_.size()) + " left");
    const auto taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  uint32_t count() {
    uint32_t size = 0;
    get(size);
    return size;
  }

  template <PlainValue T>
  void get(T& value) {
    memcpy(&value, take(sizeof value).data(), sizeof value);
  }
  void get(bool& value) {
    uint8_t byte = 0;
    get(byte);
    if (byte > 1) throw BadArchive("a boolean of value " + std::to_string(byte));
    value = byte == 1;
  }
  void get(std::string& text) { text = take(count()); }
  template <class T>
  void get(std::vector<T>& list) {
    list.clear();
    for (uint32_t left = count(); left > 0; left--) {
      if (left_.empty()) throw BadArchive(std::to_string(left) + " more items expected");
      get(list.emplace_back());
    }
  }
  template <class T>
  void get(std::optional<T>& value) {
    bool has = false;
    get(has);
    value.reset();
    if (!has) return;
    T item{};  // clang 14 finds no emplace() for a nested class whose members have initialisers
    get(item);
    value = std::move(item);
  }
  template <class T, size_t N>
  void get(std::array<T, N>& list) {
    for (T& item : list) get(item);
  }
  void get(std::chrono::milliseconds& duration) {
    std::chrono::milliseconds::rep count = 0;
    get(count);
    duration = std::chrono::milliseconds(count);
  }
  template <class T>
  requires std::is_class_v<T>
  void get(T& structure) { fields(*this, structure); }

  std::string_view left_;
};

template <class T>
std::string archived(const T& value) {
  ArchiveWriter writer;
  writer(value);
  return writer.take();
}

template <class T>
T from_archive(std::string_view bytes) {
  T value{};
  ArchiveReader reader(bytes);
  reader(value);
  reader.finish();
  return value;
}

}  // namespace relayd
