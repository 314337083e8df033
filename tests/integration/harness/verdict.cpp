#include "tests/integration/harness/verdict.h"

#include <exception>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
// Catch2 v2 declares its listeners' interface only with this macro set before its header: no precompiled header here.
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <catch2/catch.hpp>
#define MQTT_RELAY_CATCH_V2
#endif

namespace {

bool failed = false;

#ifdef MQTT_RELAY_CATCH_V2
class Listener : public Catch::TestEventListenerBase {
 public:
  using TestEventListenerBase::TestEventListenerBase;
  void testCaseStarting(const Catch::TestCaseInfo&) override { failed = false; }
  bool assertionEnded(const Catch::AssertionStats& stats) override {
    failed |= !stats.assertionResult.isOk();
    return true;
  }
};
#else
class Listener : public Catch::EventListenerBase {
 public:
  using EventListenerBase::EventListenerBase;
  void testCaseStarting(const Catch::TestCaseInfo&) override { failed = false; }
  void assertionEnded(const Catch::AssertionStats& stats) override { failed |= !stats.assertionResult.isOk(); }
};
#endif
CATCH_REGISTER_LISTENER(Listener)

}  // namespace

namespace harness {

bool test_has_failed() { return failed || std::uncaught_exceptions() > 0; }

}  // namespace harness
