#include "common/trust/names.h"
#include "tests/pki/certificates.h"
#include "tests/unit/catch.h"

using trust::names_in;

namespace {

trust::Names names_of(const pki::Name& subject, const std::string& extensions = "") {
  pki::Template shape;
  shape.subject = subject;
  shape.extensions = std::string(pki::kDevice) + extensions;
  return names_in(pki::self_signed(shape, pki::key("P-256")).der());
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("names: the common name is the subject's first one, in UTF-8, whatever its encoding") {
  CHECK(names_of(pki::cn("dev1")).common_name == "dev1");
  CHECK(names_of({{"O", "Acme"}, {"CN", "dev1"}, {"CN", "dev2"}}).common_name == "dev1");
  CHECK(names_of(pki::cn("M\xC3\xBChle")).common_name == "M\xC3\xBChle");
  CHECK(names_of(pki::cn("M\xFChle", V_ASN1_T61STRING)).common_name == "M\xC3\xBChle");
  CHECK(names_of({{"O", "Acme"}}).common_name == "");
  CHECK(names_of({}).common_name == "");
}

TEST_CASE("names: a NUL in a common name does not end it") {
  CHECK(names_of(pki::cn(std::string("dev1\0.example", 13))).common_name == std::string("dev1\0.example", 13));
}

TEST_CASE("names: alternative names are DNS names and URIs, as they are written") {
  const auto names = names_of(pki::cn("dev1"),
                              "subjectAltName=DNS:Dev1.example,URI:urn:dev:mac:0024befffe804ff1,email:a@b.example,"
                              "IP:192.0.2.1\n");
  CHECK(names.alternative == Texts{"Dev1.example", "urn:dev:mac:0024befffe804ff1"});
  CHECK(names_of(pki::cn("dev1")).alternative == Texts{});
}

TEST_CASE("names: what is no certificate has none") {
  CHECK(names_in({}).common_name == "");
  const std::vector<uint8_t> bytes{0x30, 0x82, 0x01, 0x00, 0x02};
  CHECK(names_in(bytes).alternative == Texts{});
}
