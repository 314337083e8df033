// Near misses of a name: its other cases and Unicode forms.
#include "common/spellings.h"

#include <algorithm>

#include "ipc/codec.h"
#include "tests/unit/catch.h"

using namespace common;

namespace {

bool has(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

TEST_CASE("spellings: both Unicode forms of a name lead to each other") {
  struct Pair {
    const char *nfc, *nfd;
  };
  for (const auto& [nfc, nfd] :
       {Pair{"Z\u00e4hler-7", "Za\u0308hler-7"}, Pair{"\u00c5ngstr\u00f6m", "A\u030angstro\u0308m"},
        Pair{"\u304c\u3071", "\u304b\u3099\u306f\u309a"},                                // Japanese
        Pair{"\ud55c\uae00\uac00", "\u1112\u1161\u11ab\u1100\u1173\u11af\u1100\u1161"},  // Hangul
        Pair{"\u1ea5", "a\u0302\u0301"},                                                 // Vietnamese: two marks
        Pair{"\u0439\u0451", "\u0438\u0306\u0435\u0308"}}) {                             // Cyrillic
    CAPTURE(nfc);
    CHECK(composed(nfd) == nfc);
    CHECK(composed(nfc) == nfc);
    CHECK(decomposed(nfc) == nfd);
    CHECK(decomposed(nfd) == nfd);
    CHECK(has(other_spellings(nfc), nfd));
    CHECK(has(other_spellings(nfd), nfc));
    CHECK(folded(nfc) == folded(nfd));
  }
}

TEST_CASE("spellings: the order of marks, and characters without a single other case, make no difference") {
  CHECK(composed("a\u0302\u0323") == "\u1ead");
  CHECK(composed("a\u0323\u0302") == "\u1ead");
  CHECK(folded("a\u0302\u0323") == folded("\u1eac"));
  CHECK(folded("STRASSE") == folded("stra\u00dfe"));
  CHECK(folded("\u03a3\u03a3") == folded("\u03c3\u03c2"));  // Greek final sigma
  CHECK(folded("\u10a0") == folded("\u2d00"));              // Georgian
  CHECK(folded("\U0001e900") == folded("\U0001e922"));      // Adlam, beyond 16 bits
  CHECK(folded("dev7") != folded("dev8"));
}

TEST_CASE("spellings: lower case, upper case and a capital letter are tried") {
  CHECK(other_spellings("Dev7") == std::vector<std::string>{"dev7", "DEV7"});
  CHECK(other_spellings("dev7") == std::vector<std::string>{"DEV7", "Dev7"});
  CHECK(other_spellings("DEV-a") == std::vector<std::string>{"dev-a", "DEV-A", "Dev-a"});
  CHECK(other_spellings("17").empty());
  CHECK(other_spellings("").empty());
  CHECK(has(other_spellings("Z\u00c4HLER"), "z\u00e4hler"));
  CHECK(has(other_spellings("Z\u00c4HLER"), "za\u0308hler"));
  CHECK(upper("z\u00e4hler \u017e\u0101\u03b1\u0434\u0451") == "Z\u00c4HLER \u017d\u0100\u0391\u0414\u0401");
  CHECK(lower("Z\u00c4HLER \u017d\u0100\u0391\u0414\u0401") == "z\u00e4hler \u017e\u0101\u03b1\u0434\u0451");
}

TEST_CASE("spellings: bytes that are not UTF-8 are kept") {
  const std::string odd = "a\xff\xc3(\xe4\xb8";
  CHECK(composed(odd) == odd);
  CHECK(decomposed(odd) == odd);
  CHECK(upper(odd) == "A\xff\xc3(\xe4\xb8");
  for (int first = 0; first < 256; first++)
    for (int second = 0; second < 256; second++) {
      const std::string two{static_cast<char>(first), static_cast<char>(second)};
      REQUIRE(lower(upper(two)).size() <= 2 * two.size());
      REQUIRE(other_spellings(two).size() <= 7);
    }
}

TEST_CASE("spellings: whether a client id can be a file's name, and why not, is what keyd says") {
  for (const std::string& id : {std::string(""), std::string("a/b"), std::string("."), std::string(".."),
                                std::string("a\nb"), std::string("\x7f"), std::string(252, 'x')}) {
    CAPTURE(id);
    CHECK_FALSE(ipc::can_name_a_key(id));
    CHECK(std::string(why_no_file_name(id)) != "");
  }
  for (const std::string& id : {std::string("a"), std::string("..."), std::string("a b"), std::string("\xff"),
                                std::string("\u00e4"), std::string(251, 'x')}) {
    CAPTURE(id);
    CHECK(ipc::can_name_a_key(id));
    CHECK(std::string(why_no_file_name(id)) == "");
  }
}
