#include "keyd/admin/device_signer.h"

#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "ipc/codec.h"
#include "keyd/vault/signer.h"

namespace keyd::admin {
namespace {

constexpr timeval kPatience{180, 0};  // the other half may have to look up eight names first, at 10 s each

class DeviceSigner {
 public:
  DeviceSigner(std::shared_ptr<PrivateKey> key, const DeviceSignerOptions& options)
      : key_(std::move(key)), client_id_(options.client_id), left_(options.signatures) {}

  bool done() const { return left_ == 0; }

  // Bytes of the answer in `out`.
  size_t answer(std::span<const uint8_t> datagram, ipc::ResponseBuffer& out) {
    const auto request = ipc::decode_request(datagram);
    if (!request) return ipc::encode(ipc::Response{0, ipc::Status::malformed, 0, {}}, out);
    if (request->op() == ipc::Op::hello) {
      const auto welcome = ipc::encode_welcome({.require_presence = false});
      return ipc::encode(ipc::Response{request->id, ipc::Status::ok, 0, welcome}, out);
    }
    SignatureBuffer signature;
    const auto* asked = std::get_if<ipc::Sign>(&request->body);
    const auto size = asked && may_have(*asked) ? signer_.sign(*key_, *asked, signature) : std::nullopt;
    if (!size) return ipc::encode(ipc::Response{request->id, ipc::Status::denied, 0, {}}, out);
    left_--;
    return ipc::encode(ipc::Response{request->id, ipc::Status::ok, 0, std::span(signature).first(*size)}, out);
  }

 private:
  bool may_have(const ipc::Sign& sign) const {
    return sign.key.role == ipc::Role::device && sign.key.client_id == client_id_ &&
           sign.kind == ipc::Kind::tls13_client && may_ask(sign, Rules()) && may_sign(sign, key_->info());
  }

  const std::shared_ptr<PrivateKey> key_;
  const std::string client_id_;
  size_t left_;
  Signer signer_;
};

// The next datagram, in `buffer`; empty: the other end is closed.
std::span<const uint8_t> next(int socket, ipc::RequestBuffer& buffer) {
  for (;;) {
    const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (got >= 0) return std::span(buffer).first(static_cast<size_t>(got));
    if (errno == EAGAIN) throw std::runtime_error("nothing was asked for in 180 s");
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "recv");
  }
}

}  // namespace

void sign_as_device(const ConfiguredPath& keys_dir, KeyReader& reader, const DeviceSignerOptions& options, int socket) {
  const KeyStore::Place place = open_keys_dir(keys_dir);
  const std::string name = options.client_id + ".pem";
  const KeyFile file = reader.read(place.directory.get(), name, place.path + "/" + name);
  if (!file.key) throw std::runtime_error(name + ": " + file.problem);
  if (setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) != 0)
    throw std::system_error(errno, std::generic_category(), "setsockopt");
  DeviceSigner signer(file.key, options);
  ipc::RequestBuffer request;
  ipc::ResponseBuffer response;
  while (!signer.done()) {
    const auto datagram = next(socket, request);
    if (datagram.empty()) return;
    const size_t size = signer.answer(datagram, response);
    if (::send(socket, response.data(), size, MSG_NOSIGNAL) < 0) return;
  }
}

}  // namespace keyd::admin
