#include "keyd/admin/known_names.h"

#include "common/nearest.h"
#include "common/spellings.h"
#include "keyd/admin/file_names.h"
#include "keyd/admin/key_scan.h"

namespace keyd::admin {
namespace {

constexpr size_t kMostCompared = 100'000;

}  // namespace

KnownNames::KnownNames(int directory, const std::string& path) {
  FileNames names(directory, path);
  while (const char* name = names.next())
    if (const std::string id = client_id_of(name); !id.empty()) add(id);
}

void KnownNames::add(const std::string& client_id) {
  if (all_.size() >= kMostCompared) return;
  by_folded_.emplace(common::folded(client_id), client_id);
  all_.push_back(client_id);
}

std::string KnownNames::twin_of(const std::string& client_id) const {
  const auto [begin, end] = by_folded_.equal_range(common::folded(client_id));
  for (auto at = begin; at != end; ++at)
    if (at->second != client_id) return at->second;
  return "";
}

std::string KnownNames::nearest_to(const std::string& client_id) {
  if (std::string twin = twin_of(client_id); !twin.empty()) return twin;
  return thorough_-- > 0 ? common::nearest(client_id, all_) : "";
}

}  // namespace keyd::admin
