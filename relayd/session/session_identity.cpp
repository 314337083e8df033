// Who the device is: the names in its certificate, which its client id may have to be (client_id_from), and what of
// them the broker is told.
#include "relayd/handover/username_template.h"
#include "relayd/mqtt/reader.h"
#include "relayd/session/proxy_header.h"
#include "relayd/session/session.h"

namespace relayd {
namespace {

constexpr size_t kMaxCommonName = 1024;  // bytes in a PROXY header; RFC 5280 allows 64 characters
constexpr size_t kShownNames = 200;      // bytes of a certificate's names in the log

// Single quotes: in a line of JSON, double ones are hard to read.
std::string listed(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all.append(all.empty() ? "'" : ", '").append(name).append("'");
  return all.size() > kShownNames ? all.substr(0, kShownNames) + "…" : all;
}

}  // namespace

// False: refused, because the client id is not the name in the certificate that client_id_from asks for.
bool Session::has_own_id() {
  const auto from = listener().client_id_from;
  if (from == Config::ClientIdFrom::any) return true;
  const bool cn = from == Config::ClientIdFrom::cn;
  auto [common_name, names] = tls::names_in(chain_);
  if (cn) names = common_name.empty() ? std::vector<std::string>{} : std::vector{std::move(common_name)};
  if (std::ranges::find(names, client_id_) != names.end()) return true;
  const std::string what = cn ? "common name" : "DNS or URI name";
  refuse(mqtt::Refusal::client_id_not_valid, "the client id is not a " + what + " of the device's certificate",
         "client id '" + client_id_.substr(0, kShownNames) + "', " + what + (cn ? " " : "s ") +
             (names.empty() ? "none" : listed(names)) + " (listener.client_id_from)");
  return false;
}

// The local broker learns more than the client id, before the certificate is released. False: refused.
bool Session::introduce() {
  const auto& local = services_.config.local;
  if (!local) return true;
  const bool adds_username = !local->username.empty() && !connect_.has_username;
  if (!local->proxy_protocol && !adds_username) return true;
  const std::string common_name = tls::names_in(chain_).common_name;
  if (local->proxy_protocol) {
    if (common_name.size() > kMaxCommonName) {
      refuse(mqtt::Refusal::not_authorized, "the common name in the device's certificate is too long");
      return false;
    }
    proxy_header_ = proxy::encode(endpoints(), proxy::Tls{device_.tls_version(), common_name});
  }
  return !adds_username || add_username(common_name);
}

// Whether the broker that the session may get is told of addresses.
bool Session::tells_addresses() const {
  const auto& local = services_.config.local;
  return services_.config.remote.proxy_protocol || (local && local->proxy_protocol);
}

// Where the device connected from and to, also through a load balancer.
proxy::Endpoints Session::endpoints() const {
  return {address_, accepted_at_ ? *accepted_at_ : device_.local_address()};
}

// The one change that relayd makes to a CONNECT (local.username).
bool Session::add_username(const std::string& common_name) {
  const std::string& text = services_.config.local->username;
  const auto fail = [&](std::string_view why) {
    refuse(mqtt::Refusal::not_authorized, "local.username can't be made for the device", why);
    return false;
  };
  if (common_name.empty() && uses_common_name(text)) return fail("its certificate has no common name");
  const std::string username = expand_username(text, client_id_, common_name);
  if (username.size() > UINT16_MAX || !mqtt::is_mqtt_utf8(username))
    return fail("it would be longer than 65535 bytes, or not be UTF-8 as MQTT allows it");
  const auto packet = std::span(connect_bytes_).first(connect_.size);
  auto changed = mqtt::with_username(packet, connect_, username);
  if (changed.empty()) return fail("CONNECT would be longer than MQTT allows");
  const auto size = static_cast<uint32_t>(changed.size());
  changed.insert(changed.end(), connect_bytes_.begin() + connect_.size, connect_bytes_.end());
  connect_bytes_ = std::move(changed);
  connect_.size = size;
  return true;
}

}  // namespace relayd
