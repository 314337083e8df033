// An audit file made by hand, with another implementation of SHA-256, so that tests can damage it.
#pragma once

#include <nlohmann/json.hpp>

#include "keyd_support.h"

namespace keyd_test {

struct AuditFile {
  std::string previous = std::string(64, '0');
  uint64_t seq = 0;
  std::vector<std::string> lines;  // each with its newline

  static std::string line(uint64_t number, const std::string& prev, const std::string& event,
                          nlohmann::ordered_json more) {
    nlohmann::ordered_json json = {
        {"time", "2026-11-23T16:20:00.123456Z"}, {"seq", number}, {"prev", prev}, {"event", event}};
    json.update(more);
    return json.dump() + "\n";
  }
  AuditFile& add(const std::string& event, const nlohmann::ordered_json& more = nlohmann::ordered_json::object()) {
    return raw(line(seq, previous, event, more));
  }
  // Appends `text` as it is; it takes one number of the sequence.
  AuditFile& raw(const std::string& text) {
    lines.push_back(text);
    previous = witness::sha256_hex(text);
    seq++;
    return *this;
  }
  AuditFile& run(int signatures) {
    add("start", {{"version", "1"}, {"pid", 7}});
    for (int i = 0; i < signatures; i++)
      add("sign", {{"worker", i % 2}, {"client_id", "dev" + std::to_string(i)}, {"result", "ok"}, {"reason", ""}});
    return *this;
  }
  std::string text(size_t from = 0, size_t to = SIZE_MAX) const {
    std::string all;
    for (size_t i = from; i < std::min(to, lines.size()); i++) all += lines[i];
    return all;
  }
};

}  // namespace keyd_test
