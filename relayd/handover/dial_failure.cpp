#include "relayd/handover/dial_failure.h"

namespace relayd {

void DialFailure::add(std::string_view address, std::string_view cause, Fault fault) {
  faults[static_cast<size_t>(fault)] = true;
  if (texts.size() < kMostTexts) texts.push_back(std::string(address).append(": ").append(cause));
  else omitted++;
}

void DialFailure::add(const DialFailure& later) {
  for (const std::string& text : later.texts) {
    if (texts.size() < kMostTexts) texts.push_back(text);
    else omitted++;
  }
  omitted = static_cast<uint16_t>(omitted + later.omitted);
  causes.refused |= later.causes.refused;
  causes.silent |= later.causes.silent;
  causes.no_route |= later.causes.no_route;
  for (size_t i = 0; i < faults.size(); i++) faults[i] |= later.faults[i];
}

std::string DialFailure::text() const {
  std::string all;
  for (const std::string& text : texts) all.append(all.empty() ? "" : "; ").append(text);
  if (all.empty()) return "no address is known";
  return omitted > 0 ? all + "; and " + std::to_string(omitted) + " more" : all;
}

}  // namespace relayd
