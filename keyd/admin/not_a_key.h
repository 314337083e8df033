// What a file without a private key is instead, judged by its first bytes, and the command that makes a key of it. keyd
// itself says only that it is not PEM: it parses no more than it must.
#pragma once

#include <string>
#include <string_view>

namespace keyd::admin {

// Precondition: `text` has no PEM block.
std::string what_it_is(std::string_view text);

// The problem that keyd has with a file beneath `directory`; if it is kNotPem, says what the file is, which it reads
// once more.
std::string explained(std::string problem, int directory, const std::string& name);

}  // namespace keyd::admin
