#include "relayd/session/session.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "relayd/handover/siphash.h"
#include "relayd/session/key_advice.h"

namespace relayd {
namespace {

using common::log::Level;
using mqtt::Refusal;

}  // namespace

Session::Session(SessionServices& services, SessionListener& listener, uint64_t id, common::Fd socket,
                 const SocketAddress& device)
    : services_(services),
      listener_(listener),
      id_(id),
      address_(device),
      began_(now()),
      log_level_(services.log_levels.of("")),
      deadline_(services.runtime.loop, this, common::call<&Session::on_deadline>),
      device_(services.runtime, std::move(socket), *this) {
  device_.limit_kept(listener.config.high_watermark);
  count(services_.counters.connections);
  count(listener_.counters.connections);
}

Session::~Session() {
  uncount(services_.counters.connections);
  uncount(listener_.counters.connections);
}

void Session::start() {
  if (listener().proxy_protocol) await_proxy_header();
  else shake_hands({});
}

void Session::shake_hands(std::span<const uint8_t> begun) {
  move_to(State::device_handshake);
  handshake_began_ = uv_hrtime();
  tls::SigningKey key{ipc::Role::listener, "", listener_.tls.certificates().front().spki, origin_of(address_, id_)};
  if (!device_.server_handshake(listener_.tls, std::move(key), begun)) finish("no memory for TLS", Level::error);
}

// Every wait has a deadline: the state and its timer are set together.
void Session::move_to(State state) {
  state_ = state;
  if (trace_ && state != State::closing) trace_state();
  write_log(Level::debug, "session_state", state_name(), common::log::Field{"client_id", client_id_});
  const Config& config = services_.config;
  switch (state) {
    case State::proxy_header: return deadline_.start(listener().proxy_protocol_timeout);
    case State::device_handshake:
    case State::upgrading: return deadline_.start(listener().handshake_timeout);
    case State::awaiting_connect: return deadline_.start(listener().idle_timeout);
    case State::looking_up:  // the keyd client and the dial have deadlines of their own
    case State::dialing: return deadline_.stop();
    case State::remote_handshake: return deadline_.start(dial_->share(after_this()));
    case State::awaiting_connack: return deadline_.start(config.remote.connack_timeout);
    case State::relaying: return set_keep_alive(connect_.keep_alive);
    case State::parting:
    case State::closing: return start_lingering();
  }
}

void Session::on_deadline() {
  switch (state_) {
    case State::proxy_header:
      return refuse_proxy(ProxyFault::timeout, "sent no whole PROXY header within proxy_protocol_timeout");
    case State::device_handshake: return handshake_timed_out();
    case State::upgrading:
      return refuse_websocket(websocket::Fault::timeout, "sent no whole WebSocket upgrade within handshake_timeout");
    case State::awaiting_connect:
      return finish("no CONNECT within idle_timeout", Level::info, &services_.log_limits.failed_connects);
    case State::remote_handshake: return handshake_is_late();
    case State::awaiting_connack:
      if (down_.connack_code()) return refused_by_broker();
      dial_->blame();
      return refuse(Refusal::server_unavailable, "no CONNACK within connack_timeout");
    case State::relaying: return check_keep_alive();
    case State::parting:
    case State::closing: return check_lingering();
    case State::looking_up:
    case State::dialing: return;
  }
}

// ---- streams -------------------------------------------------------------------------------------------------------

void Session::on_open(tls::Stream& stream) {
  if (&stream == &device_) {
    chain_ = device_.take_peer_chain();
    proof_ = device_.take_proof();
    services_.counters.device_handshake.observe(uv_hrtime() - handshake_began_);
    if (!chain_.empty() && common::log::enabled(Level::info))
      identity_ = std::make_unique<tls::Identity>(tls::identity_of(chain_));
    return move_to(listener().websocket ? State::upgrading : State::awaiting_connect);
  }
  of_broker(services_.counters.broker_handshake).observe(uv_hrtime() - handshake_began_);
  if (unanswered_) note_small_hello();
  else if (to_remote_ && hello_ == tls::Hello::usual && !stream.took_hybrid())
    remote().small_hello.want(now(), SmallHello::kPredicted);
  release_identity();
  send_connect();
}

void Session::release_identity() {
  from_file_.reset();
  if (!listener().crl_disconnect) chain_ = {};
}

void Session::on_data(tls::Stream& stream, std::span<const uint8_t> bytes) {
  if (&stream == upstream_.get()) {
    note_renegotiation();
    if (relays() || state_ == State::parting) forward_down(bytes);
  } else if (websocket_) {
    read_frames(bytes);
  } else {
    from_device(bytes);
  }
}

void Session::from_device(std::span<const uint8_t> bytes) {
  if (state_ == State::proxy_header) {
    read_proxy_header(bytes);
  } else if (state_ == State::upgrading) {
    read_upgrade(bytes);
  } else if (state_ == State::awaiting_connect) {
    read_connect(bytes);
  } else if (waits_for_upstream()) {
    hold(bytes);
  } else if (relays()) {
    heard_at_ = now();
    if (empty_broker_) feed_empty_broker(bytes);
    else forward_up(bytes);
  }
}

void Session::on_drained(tls::Stream& stream) {
  if (websocket_ && &stream == &device_) send_pong();
  if (empty_broker_ || &stream == upstream_.get()) resume_device();
  else if (upstream_) upstream_->resume();
}

void Session::on_end(tls::Stream& stream, const tls::End& end) {
  if (&stream == upstream_.get()) return upstream_ended(end);
  if (waits_for_upstream() && has_said_all()) return;
  if (end.cause == tls::End::Cause::timed_out) count(services_.counters.send_timeouts);
  if (state_ == State::proxy_header) return left_before_proxy_header(end);
  if (state_ == State::device_handshake) return left_before_tls(end);
  if (state_ == State::parting && end.cause == tls::End::Cause::closed) return upstream_->end_writing();
  device_left("device: " + end.text, end.is_ordinary() ? Level::info : Level::warning);
}

void Session::on_closed(tls::Stream&) {
  if (device_.closed() && (!upstream_ || upstream_->closed())) services_.retire(services_.owner, id_);
}

// ---- CONNECT -------------------------------------------------------------------------------------------------------

void Session::read_connect(std::span<const uint8_t> bytes) {
  // Bounded: the parser refuses a CONNECT larger than max_connect_size once it has the protocol level.
  connect_bytes_.insert(connect_bytes_.end(), bytes.begin(), bytes.end());
  const auto result = mqtt::parse_connect(connect_bytes_, listener().max_connect_size);
  if (std::holds_alternative<mqtt::NeedMore>(result)) return;
  if (const auto* bad = std::get_if<mqtt::BadConnect>(&result)) {
    to_device(mqtt::encode_connack(*bad).bytes());
    const auto refusal = static_cast<size_t>(mqtt::refusal_for(bad->error));
    count(services_.counters.refused[refusal]);
    refused_ = true;
    std::string why = "bad CONNECT: " + std::string(bad->why);
    if (!websocket_ && what_speaks(connect_bytes_) == Speaks::http)
      why += "; it spoke HTTP, and MQTT over WebSocket needs " + listener().setting_of("websocket");
    return finish(why, Level::warning, &services_.log_limits.refusals[refusal]);
  }
  on_connect(std::get<mqtt::Connect>(result));
}

void Session::on_connect(const mqtt::Connect& connect) {
  connect_time_ = uv_hrtime();
  connect_ = connect;
  client_id_ = connect.client_id;
  connect_.client_id = client_id_;
  up_ = mqtt::Framer(connect.version, listener().max_packet_size);
  down_ = mqtt::Framer(connect.version);
  look_for_log_level();
  look_for_followers(true);
  if (client_id_.size() > listener().max_clientid_len)
    return refuse(Refusal::client_id_not_valid, "the client id is longer than max_clientid_len", "",
                  "raise listener.max_clientid_len, or shorten the client id");
  if (chain_.empty())
    return refuse(Refusal::not_authorized, "the device showed no certificate", "",
                  "configure certificate and key at the device");
  if (!has_own_id()) return;
  if (banned())
    return refuse(Refusal::banned, "its sessions ended too often (flapping_detect)", "",
                  "find out why it ends them (its earlier lines say how); the ban ends after flapping_detect.ban_time");
  if (leaving_)
    return refuse(goes_elsewhere(*leaving_) ? Refusal::use_another_server : Refusal::server_unavailable, "draining");
  set_limits();
  hold_back();
  if (listener().route == Config::Listener::Route::by_key) return look_up();
  proof_ = {};  // nobody asks for it
  stay_local();
}

// `spki`: of the certificate that the remote broker will see.
void Session::ask_for_key(const ipc::Spki& spki) {
  const std::string spellings = other_spellings();
  const auto proof = services_.keyd.require_presence() ? proof_.view() : ipc::Proof{};
  const ipc::Lookup lookup{ipc::Role::device, spki, origin_of(address_, id_), client_id_, spellings, proof};
  lookup_ = services_.keyd.lookup(lookup, [this](const ipc::Client::Answer& answer) { on_lookup(answer); });
  if (!lookup_)
    refuse(Refusal::server_busy, "too many requests are waiting for keyd", "",
           "see why keyd is slow: `mqtt-relay check`");
}

void Session::on_lookup(const ipc::Client::Answer& answer) {
  lookup_.reset();
  const tls::DeviceProof proof = std::exchange(proof_, {});  // keyd remembers what it has seen
  if (!answer.arrived)
    return refuse(Refusal::server_unavailable, "keyd did not answer within sign_timeout", "",
                  "start keyd, or see what holds it up: `mqtt-relay check keyd`");
  if (answer.status == ipc::Status::not_found) {  // the one answer that makes a device local
    if (!answer.payload.empty()) warn_of_other_spelling(answer.payload);
    else warn_of_certificate_without_key();
    return stay_local();
  }
  if (refused_for_file(answer.status)) return;
  if (answer.status == ipc::Status::ok) {
    if (!has_proof(proof)) return;
    return claim() ? dial(true) : supersede();
  }
  const auto [problem, fix] = advice_on_key(answer.status, client_id_, shown_chain().spki);
  refuse(refusal_of(answer.status), "keyd refused the device's key", problem, fix);
}

// Refuses the device if keyd wants a proof of its presence and there is none.
bool Session::has_proof(const tls::DeviceProof& proof) {
  if (!services_.keyd.require_presence() || !proof.empty()) return true;
  refuse(Refusal::server_unavailable, proof.why_empty());
  return false;
}

void Session::stay_local() {
  if (!listener().local_without_key)
    return refuse(Refusal::not_authorized, "the device has no key on this gateway (listener.no_key)", "",
                  "if it should have one: `mqtt-relay keys import`");
  const bool newest = claim();
  if (newest && !introduce()) return;
  release_identity();
  if (!newest) return supersede();
  if (!services_.config.local) empty_as_ = digest_of(client_id_);
  client_id_.resize(std::min(client_id_.size(), ipc::kMaxClientId));  // from here on only the log uses it
  connect_.client_id = client_id_;
  if (services_.config.local) dial(false);
  else start_empty_broker();
}

// ---- upstream ------------------------------------------------------------------------------------------------------

void Session::dial(bool remote) {
  to_remote_ = remote;
  device_hash_ = siphash({}, {reinterpret_cast<const uint8_t*>(client_id_.data()), client_id_.size()});
  if (remote && services_.config.remote.proxy_protocol) proxy_header_ = proxy::encode(endpoints(), std::nullopt);
  move_to(State::dialing);
  dial_ = std::make_unique<Dial>(services_.connector, remote ? channel::Target::remote : channel::Target::local,
                                 services_.config.remote.connect_timeout, this, common::call<&Session::on_dialed>,
                                 device_hash_);
}

void Session::on_dialed(common::Fd socket, const DialFailure& failure) {
  if (!socket) count(of_broker(services_.counters.dials_failed));
  if (!socket)
    return refuse(failure.busy() ? Refusal::server_busy : Refusal::server_unavailable, broker() + " can't be reached",
                  failure.text());
  upstream_ = std::make_unique<tls::Stream>(services_.runtime, std::move(socket), *this);
  upstream_->limit_kept(listener().high_watermark);
  upstream_->set_user_timeout(listener().send_timeout);
  upstream_->send_first(proxy_header_);
  handshake_began_ = uv_hrtime();
  if (!to_remote_) return meet_local();
  broker_ = static_cast<uint8_t>(dial_->broker());
  const tls::ClientContext& context = remote().context;
  const bool small = unanswered_ || remote().small_hello.wanted(now());
  hello_ = small && context.has_small_hello() ? tls::Hello::small : tls::Hello::usual;
  move_to(State::remote_handshake);
  tls::SigningKey key{ipc::Role::device, client_id_, shown_chain().spki, origin_of(address_, id_)};
  if (upstream_->client_handshake(context, shown_chain(), std::move(key), hello_)) return;
  if (upstream_->exhausted()) refuse(Refusal::server_busy, "no memory for a TLS handshake");
  else
    refuse(Refusal::server_unavailable, "the device's certificate can't be used for a connection to the broker",
           from_file_ ? certificate_file() : "");
}

// Without the device's certificate: the local broker learns who it is from CONNECT, and from the PROXY header.
void Session::meet_local() {
  if (!services_.local) {
    upstream_->plain();
    return send_connect();
  }
  hello_ = services_.local->has_small_hello() ? tls::Hello::small : tls::Hello::usual;
  move_to(State::remote_handshake);
  if (!upstream_->own_handshake(*services_.local, origin_of(address_, id_), hello_))
    refuse(Refusal::server_busy, "no memory for a TLS handshake");
}

// An address that accepts the connection but then fails in TLS, or stays silent, is as useless as one that refuses. No
// CONNECT has been sent, so the next address may be tried. If a large ClientHello got no byte back, all later ones are
// small, and a sole address is tried again.
void Session::try_next_address(std::string_view why) {
  using common::log::Field;
  write_log(Level::debug, "broker_tried", "an address of the broker is of no use", Field{"client_id", client_id_},
            Field{"why", why});
  const auto last = upstream_->first_bytes().empty() ? after_this() : Dial::Last::final;
  unanswered_ |= last == Dial::Last::again;
  upstream_->close();  // destroyed when the next stream replaces it
  move_to(State::dialing);
  dial_->try_next(why, last);
}

Dial::Last Session::after_this() const {
  const bool large = to_remote_ && hello_ == tls::Hello::usual && remote().context.has_small_hello();
  return large ? Dial::Last::again : Dial::Last::final;
}

void Session::note_small_hello() {
  if (!remote().small_hello.wanted(now()))
    common::log::warning(
        "small_client_hello",
        "the remote broker answers a small ClientHello, but not one of over 1,400 bytes with X25519MLKEM768's key; for "
        "an hour it gets small ones, which offer X25519MLKEM768 without a key. A firewall or proxy on the way may drop "
        "a ClientHello that spans two packets: repair it, or remove X25519MLKEM768 from remote.groups");
  remote().small_hello.want(now());
}

void Session::handshake_is_late() {
  // The time that keyd takes does not count against the address. If the broker has answered and no other address is
  // left, this handshake gets the share that was reserved for a small ClientHello.
  const bool signs = upstream_->awaits_signature();
  const bool answers = !upstream_->first_bytes().empty() && !dial_->has_more();
  const auto left = dial_->left();
  if ((signs || answers) && left > Milliseconds(0)) return deadline_.start(left);
  if (signs) return refuse(Refusal::server_unavailable, "no signature for the device within connect_timeout");
  try_next_address(
      why_no_tls({tls::End::Cause::timed_out, "no TLS handshake within its share of connect_timeout", {}}));
}

void Session::send_connect() {
  leave_waiting();
  proxy_header_ = {};
  move_to(State::awaiting_connack);
  std::vector<uint8_t> first;
  first.swap(connect_bytes_);
  connect_.client_id = {};
  if (connect_.version == mqtt::Version::v5_0) connack_.emplace();
  if (to_remote_ && services_.tap) begin_tap();
  forward_up(first);
  if (state_ == State::awaiting_connack) resume_device();
}

}  // namespace relayd
