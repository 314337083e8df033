// The DER that tools write into a private key's PEM, built byte by byte: keyd and OpenSSL read the same key, or both
// refuse.
#include <map>

#include "keyd_key_store_support.h"

using namespace keyd_test;

namespace {

using Bytes = std::string;

Bytes item(int tag, const Bytes& content) {
  Bytes head(1, static_cast<char>(tag));
  const size_t size = content.size();
  if (size >= 0x100) head += {'\x82', static_cast<char>(size >> 8)};
  else if (size >= 0x80) head += '\x81';
  return head + static_cast<char>(size) + content;
}
Bytes sequence(const Bytes& content) { return item(0x30, content); }
Bytes octets(const Bytes& content) { return item(4, content); }
Bytes bits(const Bytes& content) { return item(3, '\0' + content); }
Bytes integer(Bytes number) {
  while (number.size() > 1 && number[0] == 0) number.erase(0, 1);
  return item(2, (number.empty() || number[0] & 0x80 ? Bytes(1, '\0') : "") + number);
}
Bytes small(char value) { return item(2, Bytes(1, value)); }

std::string pem(const std::string& label, const Bytes& der) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text = "-----BEGIN " + label + "-----";
  for (size_t i = 0; i < der.size(); i += 3) {
    if (i % 48 == 0) text += '\n';
    uint32_t word = 0;
    for (size_t j = 0; j < 3; j++) word = word << 8 | (i + j < der.size() ? static_cast<uint8_t>(der[i + j]) : 0);
    for (size_t j = 0; j < 4; j++) text += i + j <= der.size() ? kLetters[word >> (18 - 6 * j) & 63] : '=';
  }
  return text + "\n-----END " + label + "-----\n";
}

const Bytes kEd25519("\x06\x03\x2b\x65\x70", 5), kRsa("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 13),
    kElliptic("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", 9), kP256("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10),
    kP384("\x06\x05\x2b\x81\x04\x00\x22", 7), kP521("\x06\x05\x2b\x81\x04\x00\x23", 7);
// PKCS#9 friendlyName, and the key usage that Windows writes.
const Bytes kAttributes =
    item(0xa0, sequence(Bytes("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x14", 11) + item(0x31, item(0x0c, "My key"))));
const Bytes kKeyUsage =
    item(0xa0, sequence(Bytes("\x06\x03\x55\x1d\x0f", 5) + item(0x31, Bytes("\x03\x02\x00\x80", 4))));

Bytes pkcs8(const Bytes& algorithm, const Bytes& key, const Bytes& more = "", char version = 0) {
  return sequence(small(version) + sequence(algorithm) + octets(key) + more);
}

struct Expected {
  bool read;
  std::string problem;      // when refused
  bool openssl_too = true;  // false: OpenSSL 3.0 differs, for the reason given there
};

void compare(const std::string& what, const std::string& text, const ipc::Spki& spki, const Expected& expected) {
  static Vault vault;
  std::string problem;
  const auto ours = parse(text, vault, problem);
  const auto theirs = witness::read_private_key(text, "");
  INFO(what << ": " << problem);
  CHECK(static_cast<bool>(ours) == expected.read);
  CHECK(theirs.has_value() == (expected.openssl_too == expected.read));
  if (ours) CHECK(ours->info().spki == spki);
  if (!ours) check_contains(problem, {expected.problem});
}

}  // namespace

TEST_CASE("an Ed25519 key is read with attributes and with its public key, and refused with another's",
          "[keyd][key_der]") {
  const Key key = Key::generate("ED25519"), other = Key::generate("ED25519");
  const Bytes seed = octets(key.number("priv")), point = key.number("pub");
  const Bytes implicit = item(0x81, '\0' + point), expl = item(0xa1, bits(point));
  const std::string broken = "found an Ed25519 key that is broken", wrong = "whose public half is another key's";
  // OpenSSL 3.0 refuses every OneAsymmetricKey of version 2; RFC 8410 section 10.3 has one as its example.
  const bool not_openssl = false;
  const std::tuple<const char*, Bytes, Expected> kLayouts[] = {
      {"version 1", pkcs8(kEd25519, seed), {true, ""}},
      {"attributes", pkcs8(kEd25519, seed, kAttributes), {true, ""}},
      {"key usage", pkcs8(kEd25519, seed, kKeyUsage), {true, ""}},
      {"attributes, said to be version 2", pkcs8(kEd25519, seed, kAttributes, 1), {true, ""}},
      {"version 2", pkcs8(kEd25519, seed, implicit, 1), {true, "", not_openssl}},
      {"version 2, attributes", pkcs8(kEd25519, seed, kAttributes + implicit, 1), {true, "", not_openssl}},
      {"version 2, explicit as ring wrote it", pkcs8(kEd25519, seed, expl, 1), {true, "", not_openssl}},
      {"version 2, another's", pkcs8(kEd25519, seed, item(0x81, '\0' + other.number("pub")), 1), {false, wrong}},
      {"explicit, another's", pkcs8(kEd25519, seed, item(0xa1, bits(other.number("pub"))), 1), {false, wrong}},
      {"version 2, the point cut off",
       pkcs8(kEd25519, seed, item(0x81, '\0' + point.substr(0, 31)), 1),
       {false, wrong}},
      {"31 bytes", pkcs8(kEd25519, octets(key.number("priv").substr(1))), {false, broken}},
      {"64 bytes", pkcs8(kEd25519, octets(key.number("priv") + point)), {false, broken}},
      {"not wrapped", pkcs8(kEd25519, key.number("priv")), {false, broken}},
      {"no key", pkcs8(kEd25519, ""), {false, broken}},
  };
  for (const auto& [what, der, expected] : kLayouts) compare(what, pem("PRIVATE KEY", der), key.spki(), expected);
}

TEST_CASE("an elliptic key is read with any form of its point or none, and refused with another's", "[keyd][key_der]") {
  for (const auto& [type, curve] : std::map<std::string, Bytes>{{"P-256", kP256}, {"P-384", kP384}, {"P-521", kP521}}) {
    const Key key = Key::generate(type), other = Key::generate(type);
    const Bytes number = key.number("priv"), point = key.number("pub"), x = point.substr(1, point.size() / 2);
    const size_t size = x.size();
    const Bytes full = Bytes(size - number.size(), '\0') + number;
    const char parity = point.back() & 1;
    const Bytes named = item(0xa0, curve);
    const auto with = [](const Bytes& bytes) { return item(0xa1, bits(bytes)); };
    const auto sec1 = [](const Bytes& scalar, const Bytes& more) { return sequence(small(1) + octets(scalar) + more); };
    const Bytes compressed = static_cast<char>(2 | parity) + x,
                hybrid = static_cast<char>(6 | parity) + point.substr(1);
    const std::string wrong = "whose public half is another key's", broken = "key that is broken";
    const std::tuple<const char*, Bytes, Expected> kKeys[] = {
        {"uncompressed", sec1(full, named + with(point)), {true, ""}},
        {"compressed", sec1(full, named + with(compressed)), {true, ""}},
        {"hybrid", sec1(full, named + with(hybrid)), {true, ""}},
        {"no point", sec1(full, named), {true, ""}},
        {"number padded", sec1('\0' + full, named + with(point)), {true, ""}},
        {"number without leading zeros", sec1(number, named + with(point)), {true, ""}},
        {"another's point", sec1(full, named + with(other.number("pub"))), {false, wrong}},
        {"the other parity", sec1(full, named + with(static_cast<char>(3 - parity) + x)), {false, wrong}},
        {"hybrid with the other parity",
         sec1(full, named + with(static_cast<char>(7 - parity) + point.substr(1))),
         {false, wrong}},
        {"a point that is cut off", sec1(full, named + with(point.substr(0, 20))), {false, wrong}},
        {"number 0", sec1(Bytes(size, '\0'), named), {false, broken}},
        {"a number beyond the group", sec1(Bytes(size, '\xff'), named), {false, broken}},
        {"a number that is too long", sec1('\1' + full, named), {false, broken}},
    };
    for (const auto& [what, der, expected] : kKeys) {
      compare(type + " SEC1, " + what, pem("EC PRIVATE KEY", der), key.spki(), expected);
      compare(type + " PKCS#8, " + what, pem("PRIVATE KEY", pkcs8(kElliptic + curve, der)), key.spki(), expected);
    }
    const Bytes bare = sec1(full, with(point));
    compare("no curve", pem("EC PRIVATE KEY", bare), key.spki(), {false, "does not name its curve"});
    compare("curve outside only", pem("PRIVATE KEY", pkcs8(kElliptic + curve, bare)), key.spki(), {true, ""});
    compare("attributes", pem("PRIVATE KEY", pkcs8(kElliptic + curve, bare, kKeyUsage)), key.spki(), {true, ""});
    // As for Ed25519: OpenSSL 3.0 knows no version 2.
    compare("version 2", pem("PRIVATE KEY", pkcs8(kElliptic + curve, sec1(full, ""), item(0x81, '\0' + point), 1)),
            key.spki(), {true, "", false});
    compare("version 2, another's",
            pem("PRIVATE KEY", pkcs8(kElliptic + curve, bare, item(0x81, '\0' + other.number("pub")), 1)), key.spki(),
            {false, wrong});
    // OpenSSL reads it, and refuses every certificate of it (X509_V_ERR_EC_KEY_EXPLICIT_PARAMS).
    compare("explicit curve parameters", key.spelled_out(), key.spki(), {false, "-param_enc named_curve", false});
  }
}

TEST_CASE("a key belongs to a certificate with its point compressed, and to no other", "[keyd][key_der]") {
  static Vault vault;
  for (const char* type : {"P-256", "P-384", "P-521", "ED25519"}) {
    const Key key = Key::generate(type), other = Key::generate(type);
    std::string problem;
    const auto ours = parse(key.text(Form::pkcs8), vault, problem);
    REQUIRE(ours);
    CHECK(ours->info().is_of(key.spki()));
    CHECK(ours->info().is_of(key.compressed_spki()));
    CHECK_FALSE(ours->info().is_of(other.spki()));
    CHECK_FALSE(ours->info().is_of(other.compressed_spki()));
    CHECK_FALSE(ours->info().is_of({}));
  }
}

TEST_CASE("an RSA key whose numbers do not belong together is refused, whichever of them is wrong", "[keyd][key_der]") {
  const Key key = Key::generate("RSA:2048");
  const char* kNumbers[] = {
      "n", "e", "d", "rsa-factor1", "rsa-factor2", "rsa-exponent1", "rsa-exponent2", "rsa-coefficient1"};
  const auto write = [&](const std::map<std::string, Bytes>& wrong) {
    Bytes numbers = small(0);
    for (const char* name : kNumbers) numbers += integer(wrong.contains(name) ? wrong.at(name) : key.number(name));
    return sequence(numbers);
  };
  compare("right", pem("RSA PRIVATE KEY", write({})), key.spki(), {true, ""});
  compare("right, PKCS#8", pem("PRIVATE KEY", pkcs8(kRsa, write({}))), key.spki(), {true, ""});
  compare("attributes", pem("PRIVATE KEY", pkcs8(kRsa, write({}), kKeyUsage)), key.spki(), {true, ""});
  for (const char* name : kNumbers) {
    Bytes number = key.number(name);
    for (const size_t at : {number.size() - 1, number.size() / 2}) {
      number[at] = static_cast<char>(number[at] ^ 2);
      const Expected expected{false, "found an RSA key "};
      compare(std::string("another ") + name, pem("RSA PRIVATE KEY", write({{name, number}})), key.spki(), expected);
      compare(std::string("another ") + name + ", PKCS#8", pem("PRIVATE KEY", pkcs8(kRsa, write({{name, number}}))),
              key.spki(), expected);
    }
    compare(std::string("0 for ") + name, pem("RSA PRIVATE KEY", write({{name, Bytes(1, '\0')}})), key.spki(),
            {false, "found an RSA key "});
  }
  const Key other = Key::generate("RSA:3072");
  compare("another's d", pem("RSA PRIVATE KEY", write({{"d", other.number("d")}})), key.spki(),
          {false, "do not belong together"});
}

TEST_CASE("DER that is cut off or garbage is refused and reads nothing beyond its end", "[keyd][key_der]") {
  const Key key = Key::generate("P-256");
  const Bytes whole = pkcs8(kElliptic + kP256, sequence(small(1) + octets(Bytes(32, '\1'))));
  static Vault vault;
  std::string problem;
  REQUIRE(parse(pem("PRIVATE KEY", whole), vault, problem));
  for (size_t size = 1; size < whole.size(); size++) {
    CHECK_FALSE(parse(pem("PRIVATE KEY", whole.substr(0, size)), vault, problem));
    CHECK_FALSE(problem.empty());
  }
  for (size_t at = 0; at < whole.size(); at++)
    for (const int value : {0, 0x80, 0x84, 0xff}) {
      Bytes changed = whole;
      changed[at] = static_cast<char>(value);
      parse(pem("PRIVATE KEY", changed), vault, problem);  // must not read beyond the end; the sanitizers check it
    }
}
