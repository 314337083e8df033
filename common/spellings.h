// Client ids and the names of key files: which texts can't be one, and other spellings of the same one, in another case
// or another Unicode form. keyd compares them byte by byte: "dev7.pem" is not the key of "DEV7", and a file that a Mac
// named in decomposed form (NFD) is not the key of a device that sends the composed form (NFC). Such a near miss is
// reported, and never acted upon.
//
// Pure functions; the Unicode tables are utf8proc's. Text that is not UTF-8 has no Unicode forms, but its valid
// characters still have a case. The process with keys never calls this code: it is a library of its own, which the
// vault does not link.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace common {

std::string composed(std::string_view text);    // NFC
std::string decomposed(std::string_view text);  // NFD
std::string lower(std::string_view text);       // character by character, where a single lower-case one exists
std::string upper(std::string_view text);

// Equal for two names that differ only in case or form: Unicode's full case folding, composed.
std::string folded(std::string_view text);

// Why no file can be named CLIENTID.pem (ipc::can_name_a_key), in words; "" if one can.
const char* why_no_file_name(std::string_view client_id);

// The likely other spellings of a name, each once and without the name itself: lower case, upper case, a capital first
// letter, both forms, and both forms in lower case. At most seven. Other mixtures of case are left out: there are 2^n.
std::vector<std::string> other_spellings(std::string_view name);

}  // namespace common
