#include "relayd/handover/plan.h"

#include <sys/stat.h>

#include <algorithm>
#include <numeric>

#include "common/config_error.h"
#include "common/program.h"
#include "relayd/handover/archive.h"

namespace trust {

template <class Archive>
void fields(Archive& archive, relayd::Of<Archive, Pem>& pem) {
  archive(pem.path, pem.text, pem.setting);
}

template <class Archive>
void fields(Archive& archive, relayd::Of<Archive, Policy>& p) {
  archive(p.purpose, p.name, p.depth, p.partial_chain, p.revocation, p.asked_time);
}

}  // namespace trust

namespace common {

template <class Archive>
void fields(Archive& archive, relayd::Of<Archive, Rate>& rate) {
  archive(rate.count, rate.per);
}

}  // namespace common

namespace relayd {

template <class Archive>
void fields(Archive& archive, Of<Archive, Config::Endpoint>& e) {
  archive(e.host, e.port);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Network>& n) {
  archive(n.address, n.prefix);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Config::Flapping>& f) {
  archive(f.max_count, f.window_time, f.ban_time);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Config::Websocket>& w) {
  archive(w.mqtt_path, w.max_frame_size, w.allowed_origins);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Config::Listener>& l) {
  archive(l.name, l.setting, l.route, l.bind, l.bind_given, l.certfiles, l.cacertfile, l.crlfile, l.proxy_protocol,
          l.proxy_protocol_timeout, l.trusted_proxies, l.verify_peer, l.policy, l.fail_if_no_peer_cert, l.versions,
          l.groups, l.ciphers, l.backlog, l.handshake_timeout, l.idle_timeout, l.max_connect_size, l.max_packet_size,
          l.max_clientid_len, l.max_record, l.max_connections, l.max_conn_rate, l.max_conn_rate_per_address,
          l.messages_rate, l.bytes_rate, l.send_timeout, l.high_watermark, l.keepalive_multiplier, l.client_id_from,
          l.local_without_key, l.crl_disconnect, l.flapping_detect, l.websocket);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Config::Broker>& b) {
  archive(b.at, b.server_name, b.cacertfile);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Config::Proxy>& p) {
  archive(p.type, p.at, p.credentials_file, p.connect_timeout);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Config::Remote>& r) {
  archive(r.strategy, r.bind, r.proxy, r.cacertfile, r.crlfile, r.verify_peer, r.policy, r.versions, r.server_name,
          r.certificate, r.certs_dir, r.alpn, r.groups, r.ciphers, r.proxy_protocol, r.connect_timeout,
          r.connack_timeout);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Config::LocalTls>& t) {
  archive(t.cacertfile, t.crlfile, t.verify_peer, t.policy, t.versions, t.server_name, t.alpn, t.groups);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Config::Local>& l) {
  archive(l.broker, l.tls, l.proxy_protocol, l.tap, l.tap_prefix, l.tap_queue, l.username);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Config>& c) {
  archive(c.brokers, c.remote, c.listeners, c.local, c.keyd_socket, c.sign_timeout, c.shutdown_timeout,
          c.server_reference, c.retire_timeout, c.workers, c.max_restarts, c.restart_window, c.worker_watchdog,
          c.resolve_interval, c.worker_max_memory, c.require_sandbox, c.reload_on_change, c.max_generations,
          c.control_socket, c.metrics, c.log.level, c.log.format);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, PemFiles::Listener>& pem) {
  archive(pem.certificates, pem.trusted, pem.revoked);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, PemFiles>& pem) {
  archive(pem.listeners, pem.remote_trusted, pem.remote_revoked, pem.local_trusted, pem.local_revoked,
          pem.local_certificate);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Plan::Sockets>& s) {
  archive(s.count, s.passed, s.paused);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, LogLevels::Client>& client) {
  archive(client.id, client.level);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, LogLevels>& log) {
  archive(log.level, log.clients);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Plan>& plan) {
  archive(plan.worker, plan.sockets, plan.config, plan.pem, plan.log);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Taken>& taken) {
  archive(taken.device, taken.at);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, FeedRequest>& feed) {
  archive(feed.what, feed.client_id, feed.session, feed.limit, feed.topics);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Order>& order) {
  archive(order.what, order.client_id, order.session, order.request, order.taken, order.feed, order.listener,
          order.log);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Revocations::Listener>& listener) {
  archive(listener.name, listener.trusted, listener.revoked, listener.policy);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Revocations>& revocations) {
  archive(revocations.listeners);
}

void require_supervisor(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
    throw common::ConfigError("mqtt-relayd starts this program itself: run mqtt-relayd --config FILE");
}

common::Fd Plan::to_memfd() const { return common::sealed(archived(*this)); }
Plan Plan::from_memfd(int fd) {
  auto plan = from_archive<Plan>(common::read_sealed(fd));
  if (plan.pem.listeners.size() != plan.config.listeners.size())
    throw BadArchive("not one set of PEM texts a listener");
  return plan;
}

int Plan::all_sockets() const {
  return std::accumulate(sockets.begin(), sockets.end(), 0, [](int sum, const Sockets& s) { return sum + s.count; });
}

std::string Order::encode() const { return archived(*this); }

Order Order::decode(std::string_view message) {
  auto order = from_archive<Order>(message);
  if (order.what > What::log) throw BadArchive("an order of kind " + std::to_string(static_cast<int>(order.what)));
  const auto bad = [](const LogLevels::Client& client) { return client.level > LogLevels::Level::error; };
  if (bad({{}, order.log.level}) || std::ranges::any_of(order.log.clients, bad)) throw BadArchive("no level of a log");
  if (order.feed.what > FeedRequest::What::trace)
    throw BadArchive("a feed of kind " + std::to_string(static_cast<int>(order.feed.what)));
  return order;
}

common::Fd Revocations::to_memfd() const { return common::sealed(archived(*this)); }
Revocations Revocations::from_memfd(int fd) { return from_archive<Revocations>(common::read_sealed(fd)); }

}  // namespace relayd
