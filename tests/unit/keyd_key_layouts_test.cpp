// Private keys as editors, scripts and other tools write them. keyd reads what OpenSSL reads, as the same key. What
// OpenSSL refuses, keyd refuses with a cause, or it differs in white space only. Exceptions are listed with reasons.
#include <functional>
#include <map>

#include "keyd/admin/not_a_key.h"
#include "keyd/vault/key_pem.h"
#include "keyd_key_store_support.h"

using namespace keyd_test;

namespace {

using Text = std::string;

Text replaced(Text text, const Text& from, const Text& to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) text.replace(at, from.size(), to);
  return text;
}

struct Lines {
  explicit Lines(const Text& pem) {
    std::istringstream in(pem);
    for (Text line; std::getline(in, line);) body.push_back(line);
    head = body.front();
    tail = body.back();
    body = {body.begin() + 1, body.end() - 1};
  }
  Text with(const Text& before, const Text& after, const Text& head_more = "") const {
    Text text = head + head_more;
    for (const Text& line : body) text += before + line + after;
    return text + tail + "\n";
  }
  Text joined() const {
    Text text;
    for (const Text& line : body) text += line;
    return text;
  }
  Text head, tail;
  std::vector<Text> body;
};

Text utf16(const Text& text, bool little, const Text& mark) {
  Text wide = mark;
  for (const char c : text) wide += little ? Text{c, '\0'} : Text{'\0', c};
  return wide;
}

Text in_columns(const Text& base64, size_t width) {
  Text text;
  for (size_t at = 0; at < base64.size(); at += width) text += base64.substr(at, width) + "\n";
  return text;
}

struct Shape {
  const char* name;
  std::function<Text(const Text& pem)> make;
};

const Text kParameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
const Text kRequest = "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n";

const Shape kShapes[] = {
    {"plain", [](const Text& pem) { return pem; }},
    {"CRLF", [](const Text& pem) { return replaced(pem, "\n", "\r\n"); }},
    {"CRCRLF", [](const Text& pem) { return replaced(pem, "\n", "\r\r\n"); }},
    {"lone CR", [](const Text& pem) { return replaced(pem, "\n", "\r"); }},
    {"no newline at the end", [](const Text& pem) { return pem.substr(0, pem.size() - 1); }},
    {"UTF-8 with a byte order mark", [](const Text& pem) { return "\xef\xbb\xbf" + pem; }},
    {"UTF-16LE with a byte order mark", [](const Text& pem) { return utf16(pem, true, "\xff\xfe"); }},
    {"UTF-16BE with a byte order mark", [](const Text& pem) { return utf16(pem, false, "\xfe\xff"); }},
    {"UTF-16LE", [](const Text& pem) { return utf16(pem, true, ""); }},
    {"UTF-16BE", [](const Text& pem) { return utf16(pem, false, ""); }},
    {"END in the last line of the body", [](const Text& pem) { return Lines(pem).with("\n", "", ""); }},
    {"blank first line",
     [](const Text& pem) {
       const Lines l(pem);
       return l.head + "\n\n" + in_columns(l.joined(), 64) + l.tail + "\n";
     }},
    {"blank line between",
     [](const Text& pem) {
       const Lines l(pem);
       return l.head + "\n" + in_columns(l.joined(), 32).insert(33, "\n") + l.tail + "\n";
     }},
    {"blank line before END",
     [](const Text& pem) {
       const Lines l(pem);
       return l.head + "\n" + in_columns(l.joined(), 64) + "\n" + l.tail + "\n";
     }},
    {"blank lines everywhere", [](const Text& pem) { return replaced(pem, "\n", "\n\n"); }},
    {"blank lines around", [](const Text& pem) { return "\n\n" + pem + "\n\n"; }},
    {"trailing spaces", [](const Text& pem) { return replaced(pem, "\n", "   \n"); }},
    {"trailing tabs", [](const Text& pem) { return replaced(pem, "\n", "\t\n"); }},
    {"indented by spaces", [](const Text& pem) { return "    " + replaced(pem, "\n", "\n    "); }},
    {"body indented by spaces", [](const Text& pem) { return Lines(pem).with("    ", "\n", "\n"); }},
    {"body indented by tabs", [](const Text& pem) { return Lines(pem).with("\t", "\n", "\n"); }},
    {"body in one line",
     [](const Text& pem) {
       const Lines l(pem);
       return l.head + "\n" + l.joined() + "\n" + l.tail + "\n";
     }},
    {"all in one line", [](const Text& pem) { return replaced(pem, "\n", ""); }},
    {"spaces for newlines", [](const Text& pem) { return replaced(pem, "\n", " "); }},
    {"76 columns",
     [](const Text& pem) {
       const Lines l(pem);
       return l.head + "\n" + in_columns(l.joined(), 76) + l.tail + "\n";
     }},
    {"4 columns",
     [](const Text& pem) {
       const Lines l(pem);
       return l.head + "\n" + in_columns(l.joined(), 4) + l.tail + "\n";
     }},
    {"backslash n for newlines", [](const Text& pem) { return replaced(pem, "\n", "\\n"); }},
    {"a JSON string", [](const Text& pem) { return "\"" + replaced(pem, "\n", "\\n") + "\""; }},
    {"explanatory text",
     [](const Text& pem) { return "Bag Attributes\n    friendlyName: x\nKey Attributes: <No Attributes>\n" + pem; }},
    {"text after", [](const Text& pem) { return pem + "this key was made on a Monday\n"; }},
    {"a comment after the hyphens", [](const Text& pem) { return replaced(pem, "KEY-----\n", "KEY----- # mine\n"); }},
    {"a hyphen less", [](const Text& pem) { return pem.substr(1); }},
    {"en dashes for hyphens", [](const Text& pem) { return replaced(pem, "-----", "\u2013\u2013-"); }},
    {"NUL at the end", [](const Text& pem) { return pem + Text(1, '\0'); }},
    {"END of another label", [](const Text& pem) { return replaced(pem, "-----END ", "-----END MY "); }},
    {"no END", [](const Text& pem) { return pem.substr(0, pem.rfind("-----END")); }},
    {"a character lost",
     [](const Text& pem) {
       Text t = pem;
       t.erase(t.find('\n') + 10, 1);
       return t;
     }},
    {"a line lost",
     [](const Text& pem) {
       const Lines l(pem);
       return l.head + "\n" + in_columns(l.joined().substr(64), 64) + l.tail + "\n";
     }},
    {"a character that is not base64",
     [](const Text& pem) {
       Text t = pem;
       t[t.find('\n') + 10] = '!';
       return t;
     }},
    {"EC PARAMETERS before", [](const Text& pem) { return kParameters + pem; }},
    {"a request before and after", [](const Text& pem) { return kRequest + pem + kRequest; }},
    {"a certificate before and after",
     [](const Text& pem) {
       const Text c = witness::certificate(Key::generate("P-256"));
       return c + pem + c;
     }},
    {"a certificate that is cut off after", [](const Text& pem) { return pem + "-----BEGIN CERTIFICATE-----\nMAA"; }},
    {"twice", [](const Text& pem) { return pem + pem; }},
};

// What OpenSSL refuses and we read: these differ from PEM in white space only, which has no meaning (RFC 7468 section 2
// lets a lax parser skip it), so that nothing can be misread.
constexpr const char* kOnlyWhiteSpace[] = {"lone CR",
                                           "END in the last line of the body",
                                           "blank line between",
                                           "blank line before END",
                                           "blank lines everywhere",
                                           "indented by spaces",
                                           "all in one line",
                                           "spaces for newlines"};
// What OpenSSL reads and we refuse: it takes the first of two keys and silently drops the other.
constexpr const char* kStricter[] = {"twice"};

bool among(const char* name, std::span<const char* const> list) {
  return std::any_of(list.begin(), list.end(), [&](const char* each) { return std::string(each) == name; });
}

}  // namespace

TEST_CASE("a key is read in every layout in which OpenSSL reads it, and as the same key", "[keyd][key_layouts]") {
  Vault vault;
  size_t layouts = 0, both_read = 0, both_refuse = 0;
  const std::pair<const char*, Form> kKeys[] = {{"P-256", Form::pkcs8},
                                                {"P-256", Form::traditional},
                                                {"P-521", Form::encrypted_pkcs8},
                                                {"RSA:2048", Form::traditional},
                                                {"ED25519", Form::pkcs8}};
  for (const auto& [type, form] : kKeys) {
    const Key key = Key::generate(type);
    for (const Shape& shape : kShapes) {
      const Text text = shape.make(key.text(form));
      const auto theirs = witness::read_private_key(text, witness::kPassphrase);
      std::string problem;
      const auto ours = parse(text, vault, problem, witness::kPassphrase);
      INFO(type << " " << static_cast<int>(form) << ", " << shape.name << ": OpenSSL " << (theirs ? "reads" : "refuses")
                << " it; ours: " << problem);
      layouts++;
      both_read += theirs && ours;
      both_refuse += !theirs && !ours;
      if (ours) CHECK(ours->info().spki == key.spki());
      if (theirs) CHECK(*theirs == key.spki());
      CHECK(problem.empty() == static_cast<bool>(ours));
      CHECK((theirs.has_value() == static_cast<bool>(ours) ||
             (ours ? among(shape.name, kOnlyWhiteSpace) : among(shape.name, kStricter))));
    }
  }
  WARN(layouts << " layouts: both read " << both_read << ", both refuse " << both_refuse << ", "
               << layouts - both_read - both_refuse << " differ as listed");
  CHECK(layouts >= 200);
}

TEST_CASE("a key that is encrypted in any variant of PBES2 with AES-CBC opens", "[keyd][key_layouts]") {
  Vault vault;
  const Key key = Key::generate("P-384");
  for (const char* cipher : {"AES-128-CBC", "AES-192-CBC", "AES-256-CBC"})
    for (const char* hash : {"SHA1", "SHA224", "SHA256", "SHA384", "SHA512"}) {
      const Text text = key.encrypted(cipher, hash);
      INFO(cipher << " " << hash);
      REQUIRE(witness::read_private_key(text, witness::kPassphrase));
      std::string problem;
      const auto ours = parse(text, vault, problem, witness::kPassphrase);
      INFO(problem);
      REQUIRE(ours);
      CHECK(ours->info().spki == key.spki());
      CHECK_FALSE(parse(text, vault, problem, "not it"));
      check_contains(problem, {"key_passphrase_file does not open it"});
    }
}

TEST_CASE("a file without a key is named for what it is, with the command that converts it", "[keyd][key_layouts]") {
  Vault vault;
  const Key key = Key::generate("P-256");
  const Text pem = key.text(Form::pkcs8), certificate = witness::certificate(key);
  const Text body = Lines(certificate).joined();
  const std::tuple<Text, std::string, std::string> kFiles[] = {
      {utf16(pem, true, "\xff\xfe"), "UTF-16", "iconv -f UTF-16 "},
      {utf16(pem, false, "\xfe\xff"), "UTF-16", "iconv -f UTF-16 "},
      {utf16(pem, true, ""), "UTF-16", "iconv -f UTF-16 "},
      {utf16(pem, false, ""), "UTF-16", "iconv -f UTF-16 "},
      {kRequest, "a certificate request, not a private key", ""},
      {replaced(kRequest, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"), "a certificate request, not a private key",
       ""},
      {certificate, "a certificate, not a private key", ""},
      {replaced(certificate, "CERTIFICATE", "TRUSTED CERTIFICATE"), "a certificate, not a private key", ""},
      {key.text(Form::public_key), "a public key, not a private key", ""},
      {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB x@y\n", "an OpenSSH public key", ".pub"},
      {"ecdsa-sha2-nistp256 AAAA x@y\n", "an OpenSSH public key", ".pub"},
      {"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbg==\n-----END OPENSSH PRIVATE KEY-----\n", "an OpenSSH key",
       "ssh-keygen -p -m PKCS8"},
      {key.text(Form::der), "binary (DER)", "openssl pkey -inform DER -in FILE -out NEW"},
      {"\x30\x82\x01\x02\x30" + Text(300, 'x'), "binary (DER), a certificate or a request", ""},
      {"\x30\x82\x01\x02\x02\x01\x03\x30" + Text(300, 'x'), "PKCS#12", "openssl pkcs12 -in FILE -nocerts -nodes"},
      {key.text(Form::encrypted_traditional), "traditional encrypted PEM (DEK-Info)", "openssl pkcs8 -topk8 -v2"},
      {key.encrypted("DES-EDE3-CBC", "SHA256"), "encrypted by other means", "openssl pkcs8 -topk8 -v2 aes-256-cbc"},
      {replaced(pem, "-----", "\u2013\u2013-"), "five hyphens", ""},
      {replaced(pem, "\n", "\\n"), "found '\\' in line 1", "printf '%b'"},
      {" \r\n\t\n", "it is empty", ""},
  };
  for (const auto& [text, what, command] : kFiles) {
    std::string problem;
    INFO(text.substr(0, 40));
    CHECK_FALSE(parse(text, vault, problem, witness::kPassphrase));
    check_contains(problem == keyd::kNotPem ? keyd::admin::what_it_is(text) : problem, {what, command});
  }
}
