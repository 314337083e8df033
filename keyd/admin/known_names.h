// The client ids that have a key file, to find the one that was meant, and those that a person would take for the same.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

namespace keyd::admin {

class KnownNames {
 public:
  // Lists the directory. Compares at most 100,000 names. Throws as FileNames.
  KnownNames(int directory, const std::string& path);
  void add(const std::string& client_id);

  // Another client id that has a key and differs from this one only in case or Unicode form; "": none.
  std::string twin_of(const std::string& client_id) const;
  // The one that was probably meant; "": none is near. Takes long, so only the first 20 calls look at all of them.
  std::string nearest_to(const std::string& client_id);

 private:
  std::unordered_multimap<std::string, std::string> by_folded_;
  std::vector<std::string> all_;
  int thorough_ = 20;
};

}  // namespace keyd::admin
