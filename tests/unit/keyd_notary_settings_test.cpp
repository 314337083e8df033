// The notary's settings arrive as they were sent.
#include "keyd/handover/notary_settings.h"

#include "catch.h"

using keyd::NotarySettings;

TEST_CASE("the notary's settings arrive as they were sent, and nothing shorter or longer does", "[keyd][notary]") {
  NotarySettings sent{.log = {common::log::Level::warning, common::log::Format::text}};
  sent.remote = keyd::BoundRemote{{"a", "b.example"}, {"mqtt"}, {"/r.pem", std::string("x\0y", 3), "keyd.json: r"}};
  sent.device = keyd::BoundDevice{keyd::BoundDevice::ClientIdFrom::san, true, {"/d.pem", "", "keyd.json: d"}};
  const std::string bytes = sent.packed();
  const auto got = NotarySettings::unpacked(bytes);
  CHECK(got.log.level == sent.log.level);
  REQUIRE(got.remote);
  CHECK(got.remote->hosts == sent.remote->hosts);
  CHECK(got.remote->alpn == sent.remote->alpn);
  CHECK(got.remote->authorities.path == "/r.pem");
  CHECK(got.remote->authorities.text == std::string("x\0y", 3));
  CHECK(got.remote->authorities.setting == "keyd.json: r");
  REQUIRE(got.device);
  CHECK(got.device->client_id_from == keyd::BoundDevice::ClientIdFrom::san);
  CHECK(got.device->partial_chain);
  CHECK(got.device->authorities.path == "/d.pem");
  for (size_t size = 0; size < bytes.size(); size++) CHECK_THROWS(NotarySettings::unpacked(bytes.substr(0, size)));
  CHECK_THROWS(NotarySettings::unpacked(bytes + "x"));

  const auto none = NotarySettings::unpacked(NotarySettings().packed());
  CHECK_FALSE(none.remote);
  CHECK_FALSE(none.device);
}
