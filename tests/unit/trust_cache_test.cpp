// A cached verdict is the one that a new validation would give.
#include "common/trust/verdict_cache.h"
#include "tests/unit/catch.h"
#include "tests/unit/trust_support.h"

namespace {

using namespace pki;
using trust::Validator;
using trust::VerdictCache;
using trust_support::accepts;
using trust_support::judge;
using trust_support::validator;

Identity device(const Identity& by, int64_t from, int64_t until, const std::string& name = "dev1") {
  return issue(by, {.subject = cn(name), .from = from, .until = until}, key("P-256", 9));
}

}  // namespace

TEST_CASE("trust cache: the same chain is validated once, and the cached answer is the same") {
  Validator devices = validator({root("Root", 1)});
  const Identity leaf = device(root("Root", 1), kNow - kDay, kNow + kDay);
  const auto first = judge(devices, {leaf}), second = judge(devices, {leaf}, kNow + 5);
  CHECK(devices.counts().computed == 1);
  CHECK(devices.counts().cached == 1);
  CHECK(first.accepted());
  CHECK(second.accepted());
  CHECK(first.from == second.from);
  CHECK(first.until == second.until);
}

TEST_CASE("trust cache: a verdict ends when the first certificate of the chain, or its anchor, expires") {
  const Identity short_root =
      self_signed({.subject = cn("Root"), .extensions = kCa, .from = kNow - 8, .until = kNow + 10}, key("P-256", 1));
  const Identity long_root = root("Root", 1);
  const Identity middle = issue(
      long_root, {.subject = cn("Int"), .extensions = kCa, .from = kNow - 9, .until = kNow + 20}, key("P-256", 2));
  Validator of_short = validator({short_root}), of_long = validator({long_root});
  const auto by_leaf = judge(of_long, {device(middle, kNow - 7, kNow + 5), middle});
  CHECK(by_leaf.from == kNow - 7);
  CHECK(by_leaf.until == kNow + 5);
  const Identity lasting = device(middle, kNow - kDay, kNow + kDay);
  const auto by_middle = judge(of_long, {lasting, middle});
  CHECK(by_middle.from == kNow - 9);
  CHECK(by_middle.until == kNow + 20);
  const auto by_root = judge(of_short, {lasting, middle});
  CHECK(by_root.from == kNow - 8);
  CHECK(by_root.until == kNow + 10);

  // To the second: notAfter itself is outside (X509_cmp_time(3)).
  CHECK(accepts(of_long, {lasting, middle}, kNow + 19));
  CHECK(judge(of_long, {lasting, middle}, kNow + 20).refusal->alert == common::tls::Alert::certificate_expired);
  CHECK(accepts(of_long, {lasting, middle}, kNow - 9));
  CHECK(!accepts(of_long, {lasting, middle}, kNow - 10));  // a clock that went back
}

TEST_CASE("trust cache: a verdict ends at the next moment at which any CRL becomes valid or expires") {
  const Identity ca = root("Root", 1), other = root("Other", 2), leaf = device(ca, kNow - kDay, kNow + 90 * kDay);
  const Crl now = crl(ca, {.until = kNow + 30}), later = crl(ca, {.revoked = {leaf}, .from = kNow + 10, .number = 2});
  const Crl foreign = crl(other, {.from = kNow - 3, .until = kNow + 20});
  Validator one = validator({ca}, {now});
  CHECK(judge(one, {leaf}).until == kNow + 30);
  Validator two = validator({ca, other}, {now, foreign});
  CHECK(judge(two, {leaf}).from == kNow - 3);
  CHECK(judge(two, {leaf}).until == kNow + 20);

  // A CRL that becomes valid tomorrow revokes tomorrow, cached chains included.
  Validator three = validator({ca}, {now, later});
  CHECK(judge(three, {leaf}).until == kNow + 10);
  CHECK(accepts(three, {leaf}, kNow + 9));
  CHECK(judge(three, {leaf}, kNow + 10).refusal->alert == common::tls::Alert::certificate_revoked);
}

TEST_CASE("trust cache: another chain, in content or in order, is another entry") {
  const Identity ca = root("Root", 1), leaf = device(ca, kNow - kDay, kNow + kDay);
  const Identity second = device(ca, kNow - kDay, kNow + kDay, "dev2"), extra = root("Extra", 3),
                 more = root("More", 4);
  Validator devices = validator({ca});
  uint64_t computed = 0;
  for (const std::vector<Identity>& chain :
       {std::vector{leaf}, std::vector{second}, std::vector{leaf, extra, more}, std::vector{leaf, more, extra}}) {
    CHECK(accepts(devices, chain));
    CHECK(devices.counts().computed == ++computed);
  }
}

TEST_CASE("trust cache: a refusal is not remembered") {
  Validator devices = validator({root("Root", 1)});
  const Identity early = device(root("Root", 1), kNow + 1, kNow + kDay);
  CHECK(!accepts(devices, {early}));
  CHECK(!accepts(devices, {early}));
  CHECK(devices.counts().computed == 2);
  CHECK(accepts(devices, {early}, kNow + 1));
}

TEST_CASE("trust cache: it is bounded and drops the least recently used entry") {
  VerdictCache cache(3);
  const auto key_of = [](uint8_t number) {
    VerdictCache::Key key{};
    key[31] = number;  // the first bytes are the same
    return key;
  };
  for (uint8_t i = 1; i <= 3; i++) cache.add(key_of(i), {0, 100});
  CHECK(cache.find(key_of(1), 50));
  cache.add(key_of(4), {0, 100});
  CHECK(cache.find(key_of(1), 50));
  CHECK(!cache.find(key_of(2), 50));
  CHECK(cache.find(key_of(3), 50));
  CHECK(cache.find(key_of(4), 50));
  CHECK(!cache.find(key_of(4), 100));  // expired
  CHECK(!cache.find(key_of(4), 50));   // and dropped
  cache.add(key_of(4), {100, 200});
  CHECK(!cache.find(key_of(4), 99));
}
