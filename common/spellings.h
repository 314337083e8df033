// Client ids and the names of key files: what can't be one, and other ways to write the same one, in other case or in
// another Unicode form. They are compared byte by byte: "dev7.pem" is not the key of "DEV7", and a file that a Mac has
// named in decomposed form (NFD) is not the key of a device that says the composed one (NFC). Such a near miss is told,
// and never acted upon.
//
// Pure; Unicode's tables are utf8proc's. Text that is not UTF-8 has no forms, and those of its bytes that are have a
// case. The process with keys never calls it: a library of its own, which the vault does not link.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace common {

std::string composed(std::string_view text);    // NFC
std::string decomposed(std::string_view text);  // NFD
std::string lower(std::string_view text);       // of each character its one other case, if there is one
std::string upper(std::string_view text);

// Equal for two names that differ in case or form only: Unicode's full case folding, composed.
std::string folded(std::string_view text);

// Why no file CLIENTID.pem can have this name (ipc::can_name_a_key), in words; "": one can.
const char* why_no_file_name(std::string_view client_id);

// The likely other spellings of a name, without itself, each once: lower case, upper case, a capital first letter, both
// forms, and both forms in lower case. At most seven. Any other mixture of case is not among them: there are 2^n.
std::vector<std::string> other_spellings(std::string_view name);

}  // namespace common
