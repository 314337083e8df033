// local.username: the user name that relayd adds to a local device's CONNECT, from what is known of the device.
//
// "{clientid}" and "{cn}" stand for the client id and the certificate's common name; "{{" and "}}" for braces. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relayd {

// Empty, or what is wrong with the template: static text.
std::string_view flaw_in_username(std::string_view text);
// Precondition: no flaw.
std::string expand_username(std::string_view text, std::string_view client_id, std::string_view common_name);
bool uses_common_name(std::string_view text);

}  // namespace relayd
