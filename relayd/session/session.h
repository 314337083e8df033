// One device's connection: its handshake, its CONNECT, its route, and the relaying until either side stops.
//
//   proxy_header (with proxy_protocol) → device_handshake ─┬───────────────────────────► awaiting_connect → looking_up
//                                                          └─► upgrading (with websocket) ──┘
//   looking_up ─┬─► dialing → remote_handshake ─► awaiting_connack → relaying
//               ├─► dialing (local broker) ─────► awaiting_connack → relaying
//               └─► relaying (built-in empty broker)
//   awaiting_connack, relaying ─device's DISCONNECT─► parting;  every state → closing → gone
//
// MQTT bytes pass unchanged. The session itself sends only a refusing CONNACK, or a 5.0 DISCONNECT between two packets;
// it never sends a successful CONNACK to a device that has a key, and never a PINGRESP. When one side stops, the other
// is closed after it has got all pending data (closing.cpp). One thread; owned by the worker.
//
// The device is read even before its CONNECT is forwarded, so that the session notices when it leaves (waiting.cpp).
// With websocket the device's bytes are those in its frames, and every other part works as without it
// (session_websocket.cpp).
// With remote.certificate "file", looking_up first reads the certificate, then asks for its key
// (session_certificate.cpp).
// Keep alive, send_timeout and the device's rates bound a session that is up (session_limits.cpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "common/json_line.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/uv.h"
#include "ipc/client.h"
#include "relayd/handover/certificate_fault.h"
#include "relayd/handover/config.h"
#include "relayd/handover/endings.h"
#include "relayd/handover/flapping.h"
#include "relayd/handover/log_levels.h"
#include "relayd/handover/plan.h"
#include "relayd/handover/scoreboard.h"
#include "relayd/handover/session_text.h"
#include "relayd/handover/socket_address.h"
#include "relayd/mqtt/connack.h"
#include "relayd/mqtt/connack_codes.h"
#include "relayd/mqtt/connect.h"
#include "relayd/mqtt/framer.h"
#include "relayd/mqtt/packet_lister.h"
#include "relayd/mqtt/packets.h"
#include "relayd/session/address_rates.h"
#include "relayd/session/connector_client.h"
#include "relayd/session/dial.h"
#include "relayd/session/empty_broker.h"
#include "relayd/session/file_certificate.h"
#include "relayd/session/first_bytes.h"
#include "relayd/session/log_limits.h"
#include "relayd/session/proxy_header.h"
#include "relayd/session/silent_closes.h"
#include "relayd/session/small_hello.h"
#include "relayd/session/tap.h"
#include "relayd/session/token_bucket.h"
#include "relayd/session/traces.h"
#include "relayd/tls/stream.h"
#include "relayd/websocket/frames.h"

namespace relayd {

using common::Milliseconds;

class Session;

// One of Config::brokers.
struct RemoteBroker {
  tls::ClientContext context;
  SmallHello small_hello = {};
};

// What a session needs from its worker. Everything here outlives the session.
struct SessionServices {
  const int worker;  // the worker's number, as in the log and in keyd's audit
  tls::Runtime& runtime;
  ipc::Client& keyd;
  const Config& config;
  Counters& counters;
  std::span<RemoteBroker> brokers;  // in the order of Config::brokers
  const tls::ClientContext* local;  // null: the local broker is reached by plain TCP
  ConnectorClient& connector;
  void* owner;
  void (*retire)(void* owner, uint64_t session);                // the session is over: destroy it, but not at once
  void (*tell_taken)(void* owner, const Taken& taken);          // to the other workers
  Tap* tap = nullptr;                                           // null: without local.tap
  EndingsTable* endings = nullptr;                              // null: nothing is remembered
  std::unordered_map<std::string, Session*> waiting{};          // each device's newest session without an upstream
  std::unordered_map<std::string, Session*> on_empty_broker{};  // by key_of()
  SilentCloses silent_closes{};
  LogLimits log_limits{};
  Traces traces{};
  LogLevels log_levels{};
};

// Keys of on_empty_broker. digest_of(): "" for the empty id, which many devices share.
inline std::string key_of(const Taken& taken) { return {taken.device.begin(), taken.device.end()}; }
std::string digest_of(std::string_view client_id);

// The listener that a device has connected to. Outlives its sessions.
struct SessionListener {
  const Config::Listener& config;
  tls::ServerContext tls;
  Counters::Listener& counters;
  std::string shown = {};                      // its name, for the log; "": it is the only one
  AddressRates addresses;                      // of whoever connects, or by a PROXY header
  std::optional<FlappingTable> flapping = {};  // nullopt: no device is ever banned
};

class Session final : public tls::StreamHandler {
 public:
  // `socket`: accepted, non-blocking. `id` is unique in this worker's life.
  Session(SessionServices& services, SessionListener& listener, uint64_t id, common::Fd socket,
          const SocketAddress& device);
  void start();
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  // The worker is about to exit: tells the device and closes both sides. A device can't be told before its CONNECT: the
  // first call waits for that, the second does not. elsewhere: this gateway stops, and the device is told of
  // server_reference, if there is one.
  enum class Leave : uint8_t { here, elsewhere };
  void drain(Leave where);
  // The same, because the device's certificate has been revoked (crl_disconnect), or because the operator asked for it.
  void end_revoked();
  bool is_up() const { return is_up_; }
  bool end_by_operator();  // false: the session is ending already
  // One line of JSON for the operator (session_facts.cpp); all: also what only `mqtt-relay session` shows.
  enum class Facts : uint8_t { usual, all };
  std::string facts(Facts wanted) const;
  // The device has a newer connection to the built-in broker, perhaps on another worker.
  void end_taken_over(const Taken& taken);
  // The followers of the device may have changed (session_trace.cpp). greet: they are told of this session.
  void look_for_followers(bool greet);
  // The log's levels have changed, or the client id is known now.
  void look_for_log_level() { log_level_ = services_.log_levels.of(client_id_); }
  const std::string& client_id() const { return client_id_; }  // empty before CONNECT
  const Config::Listener& listener() const { return listener_.config; }
  // The device's certificate chain. With crl_disconnect kept for the session's life, otherwise until it is used.
  const tls::CertificateChain& chain() const { return chain_; }

 private:
  enum class State : uint8_t {
    proxy_header,
    device_handshake,
    upgrading,
    awaiting_connect,
    looking_up,
    dialing,
    remote_handshake,
    awaiting_connack,
    relaying,
    parting,  // the device has sent DISCONNECT; the broker may still answer
    closing,
  };

  // How much a stream's peer had taken at the last check, and since when that has not changed.
  struct Progress {
    uint64_t delivered = 0, at = 0;
    void begin(const tls::Stream& stream, uint64_t now) { *this = {stream.delivered(), now}; }
    Milliseconds idle(const tls::Stream& stream, uint64_t now);
  };

  std::string broker_name() const;
  void add_details(common::JsonLine& line) const;
  common::JsonLine trace_line(std::string_view event) const;
  void tell_followers(const std::string& line) const;
  void trace_state() const;
  void trace_end(std::string_view why, std::string_view fix) const;
  void trace_packets(bool up, const mqtt::Framer& framer, std::span<const uint8_t> bytes);

  void move_to(State state);
  template <typename Array>
  auto& of_broker(Array& numbers) const {
    return numbers[static_cast<size_t>(to_remote_ ? Upstream::remote : Upstream::local)];
  }
  void on_deadline();

  void on_open(tls::Stream& stream) override;
  void on_data(tls::Stream& stream, std::span<const uint8_t> bytes) override;
  void on_drained(tls::Stream& stream) override;
  void on_end(tls::Stream& stream, const tls::End& end) override;
  void on_closed(tls::Stream& stream) override;

  void await_proxy_header();
  void read_proxy_header(std::span<const uint8_t> bytes);
  std::string why_no_header(std::string_view flaw) const;
  void left_before_proxy_header(const tls::End& end);
  void refuse_proxy(ProxyFault fault, std::string_view why);
  void shake_hands(std::span<const uint8_t> begun);
  void was_probe();
  void left_before_tls(const tls::End& end);
  void spoke_no_tls(Speaks speaks);
  void handshake_timed_out();

  void read_upgrade(std::span<const uint8_t> bytes);
  void read_frames(std::span<const uint8_t> bytes);
  void send_frame(std::span<const uint8_t> payload, size_t most_in_record);
  void send_pong();
  void send_close(uint16_t code);
  void websocket_ended(const websocket::Frames::End& end);
  void refuse_websocket(websocket::Fault fault, std::string_view why);
  // The device's bytes, and bytes for it: MQTT, with or without websocket.
  void from_device(std::span<const uint8_t> bytes);
  void to_device(std::span<const uint8_t> bytes, size_t most_in_record = SIZE_MAX) {
    if (websocket_) send_frame(bytes, most_in_record);
    else device_.write(bytes, most_in_record);
  }
  bool device_has_ended() const { return device_.ended() || (websocket_ && websocket_->closed()); }

  void read_connect(std::span<const uint8_t> bytes);
  void on_connect(const mqtt::Connect& connect);
  bool awaits_connect() const { return state_ <= State::awaiting_connect; }
  // The device's CONNECT has come, and no broker has it yet.
  bool waits_for_upstream() const {
    return state_ == State::looking_up || state_ == State::dialing || state_ == State::remote_handshake;
  }
  bool relays() const { return state_ == State::awaiting_connack || state_ == State::relaying; }
  bool is_ending() const { return state_ == State::parting || state_ == State::closing; }
  void hold(std::span<const uint8_t> bytes);
  void hold_back();
  bool has_said_all() const;
  bool claim();
  void supersede();
  void leave_waiting();
  std::string other_spellings() const;
  std::string keyless() const;
  void warn_of_impossible_id();
  void warn_of_other_spelling(std::span<const uint8_t> key);
  bool has_own_id();
  bool introduce();
  bool tells_addresses() const;
  proxy::Endpoints endpoints() const;
  bool add_username(const std::string& common_name);
  void look_up();
  void on_certificate(FileCertificate::Result found);
  void ask_for_key(const ipc::Spki& spki);
  bool refused_for_file(ipc::Status status);
  void refuse_file(CertificateFault fault, std::string_view problem);
  void warn_of_certificate_without_key();
  std::string certificate_file() const;
  std::string shown_from() const;
  // Which the remote broker sees; empty: there is none that can be used.
  const tls::CertificateChain& shown_chain() const { return from_file_ ? from_file_->found.chain : chain_; }
  void on_lookup(const ipc::Client::Answer& answer);
  void dial(bool remote);
  RemoteBroker& remote() const { return services_.brokers[dial_->broker()]; }
  void broker_is_well();
  void broker_closed_silently();
  void on_dialed(common::Fd socket, const DialFailure& failure);
  void try_next_address(std::string_view why);
  Dial::Last after_this() const;
  void note_small_hello();
  void handshake_is_late();
  void meet_local();
  void send_connect();
  void stay_local();
  void start_empty_broker();
  void take_over();
  void leave_empty_broker();

  void forward_up(std::span<const uint8_t> bytes);
  void begin_tap();
  void copy_to_tap(std::span<const uint8_t> bytes);
  void forward_down(std::span<const uint8_t> bytes);
  // The device has a CONNACK, or part of some packet, so the relay can't send a CONNACK of its own.
  bool broker_answered() const { return down_.packets(mqtt::PacketType::connack) > 0 || !down_.at_boundary(); }
  void feed_empty_broker(std::span<const uint8_t> bytes);
  void apply(const EmptyBroker::Outcome& outcome);

  uint64_t now() const { return uv_now(services_.runtime.loop); }  // milliseconds, CLOCK_MONOTONIC
  void set_limits();
  void resume_device();
  void follow_connack(std::span<const uint8_t> bytes);
  Milliseconds longest_silence() const { return std::max(listener().send_timeout, keep_alive_); }
  void follow_refusal(std::span<const uint8_t> bytes);
  void refused_by_broker();
  std::string why_no_tls(const tls::End& end) const;
  std::string advised(const tls::End& end) const;
  std::string broker() const { return to_remote_ ? "the remote broker" : "the local broker"; }
  void set_keep_alive(uint16_t seconds);
  void check_keep_alive();
  void watch_sends();
  void check_sends();
  bool stalls(tls::Stream& stream, Progress& progress, Milliseconds& left);
  void charge(size_t bytes, uint64_t messages);
  bool banned();
  void note_flapping();

  void end(mqtt::Refusal before_connack, mqtt::DisconnectReason after, std::string_view why);
  static mqtt::Refusal refusal_of(std::optional<ipc::Status> status);
  void note_renegotiation();
  void upstream_ended(const tls::End& end);
  bool goes_elsewhere(Leave where) const { return where == Leave::elsewhere && !other_server().empty(); }
  std::string_view other_server() const { return services_.config.server_reference; }
  void refuse(mqtt::Refusal refusal, std::string_view why, std::string_view detail = {}, std::string_view fix = {});
  void disconnect(mqtt::DisconnectReason reason, std::string_view why);
  void part();
  void start_lingering();
  void check_lingering();
  bool is_over(const tls::Stream& stream, Progress& progress, Milliseconds& left);
  void device_left(std::string_view why, common::log::Level level = common::log::Level::info);
  void finish(std::string_view why, common::log::Level level = common::log::Level::info,
              common::LogLimit* limit = nullptr, std::string_view fix = {});
  void log_end(std::string_view why, common::log::Level level, common::LogLimit* limit,
               std::string_view fix = {}) const;
  void log_up(std::string_view address) const;
  void remember_end(std::string_view why, std::string_view fix, const std::string& claimed = {}) const;
  bool logs(common::log::Level level) const { return level >= log_level_; }
  // `fields` follow those that say which session it is.
  template <typename... Fields>
  void write_log(common::log::Level level, std::string_view event, std::string_view message,
                 const Fields&... fields) const {
    if (!logs(level)) return;
    const std::string device = address_.text(), session = session_text(id_), &listener = listener_.shown;
    if (listener.empty())
      common::log::write(level, event, message,
                         {{"worker", services_.worker}, {"session", session}, {"device", device}, fields...});
    else
      common::log::write(
          level, event, message,
          {{"worker", services_.worker}, {"listener", listener}, {"session", session}, {"device", device}, fields...});
  }
  // The broker accepted the device.
  void session_up();
  std::string_view route() const;
  const char* state_name() const;  // as in the diagram above
  const char* ending() const;
  void close_streams();
  void release_identity();
  bool has_proof(const tls::DeviceProof& proof);

  SessionServices& services_;
  SessionListener& listener_;
  const uint64_t id_;
  SocketAddress address_;  // the device's: whoever connected, until a PROXY header says otherwise
  const uint64_t began_;   // now()
  State state_ = State::device_handshake;
  common::log::Level log_level_;  // the least that is written
  std::optional<Leave> leaving_;  // see drain()
  common::Timer deadline_;
  tls::Stream device_;
  tls::CertificateChain chain_;  // the device's; released after the remote handshake, unless crl_disconnect is on
  tls::DeviceProof proof_;       // the device's; released after the lookup
  std::unique_ptr<tls::Identity> identity_;       // for the log; released once the session is up
  std::unique_ptr<websocket::Frames> websocket_;  // from the upgrade on; null: MQTT directly in TLS

  // From CONNECT on.
  // CONNECT and the bytes after it, until they are forwarded; before that, the PROXY header, then the upgrade request.
  std::vector<uint8_t> connect_bytes_;
  uint64_t handshake_began_ = 0;                                  // nanoseconds: the device's, then the broker's
  HandshakeFailure handshake_failure_ = HandshakeFailure::other;  // should the device's fail
  uint64_t connect_time_ = 0;  // nanoseconds: which of a device's connections is newer
  mqtt::Connect connect_;
  std::string client_id_;
  std::unique_ptr<SocketAddress> accepted_at_;  // where the device connected to, as a PROXY header says; null: unknown
  std::vector<uint8_t> proxy_header_;           // for the broker, before anything else; empty: none
  std::string waits_as_;                        // its key in SessionServices::waiting; empty: it is not there
  bool to_remote_ = false;
  uint8_t broker_ = 0;        // the place in Config::brokers, once it is dialed
  uint64_t device_hash_ = 0;  // of the client id, the same in every worker
  tls::Hello hello_ = tls::Hello::usual;
  bool unanswered_ = false;  // a large ClientHello went unanswered
  bool renegotiation_logged_ = false;
  struct FromFile {
    std::unique_ptr<FileCertificate> asked;  // null: answered
    FileCertificate::Result found{};
  };
  std::unique_ptr<FromFile> from_file_;  // with remote.certificate "file", until the remote handshake is done
  std::optional<ipc::Client::Ticket> lookup_;
  std::unique_ptr<Dial> dial_;             // until the session is up
  std::unique_ptr<tls::Stream> upstream_;  // the remote, or the local broker
  std::unique_ptr<EmptyBroker> empty_broker_;
  struct Tapped {
    mqtt::PublishCopier copier;
    std::vector<uint8_t> early{};  // copies of what came before a successful CONNACK
    uint64_t early_count = 0;      // messages
  };
  std::unique_ptr<Tapped> tapped_;  // null: nothing of this session is copied
  std::string empty_as_;            // its key in SessionServices::on_empty_broker; empty: it is not there
  mqtt::Framer up_{mqtt::Version::v5_0}, down_{mqtt::Version::v5_0};

  struct Traced {
    std::optional<mqtt::PacketLister> up{}, down{};
  };
  std::unique_ptr<Traced> trace_;  // null: nobody follows the device

  // From a successful CONNACK on.
  bool is_up_ = false;
  bool refused_ = false;                        // the device got a refusing CONNACK
  bool device_ended_ = false;                   // the device ended the session, not the broker or the relay
  std::optional<mqtt::ConnackReader> connack_;  // 5.0: until CONNACK is complete
  Milliseconds keep_alive_{};                   // longest silence allowed, multiplier included; 0: no limit
  uint64_t heard_at_ = 0;                       // when the device's last bytes came
  struct Rates {
    TokenBucket messages, bytes;
  };
  std::unique_ptr<Rates> rates_;                       // null: no limits
  std::unique_ptr<common::Timer> throttle_, stalled_;  // created when first needed
  Progress device_progress_{}, upstream_progress_{};
  FlappingTable::Device flapping_id_ = 0;
};

}  // namespace relayd
