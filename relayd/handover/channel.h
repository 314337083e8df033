// What a worker may ask its connector (relayd/connector) for, and what it gets: everything that the two say to each
// other.
//
// A worker can't name an address or a port, only "a remote broker", "the local broker" or "keyd". The addresses in
// these messages are numbers that the connector made; it accepts only those of the target's own addresses. Nor can it
// name a file, only the device whose certificate it needs. A worker may be hostile: a message that is not one of these
// ends its channel. Once a dial has its connection, the connector keeps nothing of it. If the worker needs another
// connection, it dials with the numbers of the addresses that are left.
//
// Transport: a SOCK_SEQPACKET pair for each worker process; one datagram is one message. Integers are big-endian and of
// a fixed width (ipc/wire.h). The supervisor holds the connector's end as well, so that a new connector continues it.
//
//   question   op:1 id:8 body
//     BEGIN      (empty)                                  the answer to BEGAN; what was asked before it is void
//     DIAL       target:1 budget_ms:4 device:8 numbers    no numbers: all addresses of the target
//     CANCEL     (empty)                                  the DIAL, KEYD or CERTIFICATE with this id
//     JUDGE      target:1 address:8 good:1                whether a connection to this address was of use
//     KEYD       (empty)
//     CERTIFICATE text                                    remote.certs_dir/TEXT.crt; ipc::can_name_a_key(TEXT)
//   answer     op:1 id:8 body
//     BEGAN      (empty)                                  a connector serves this channel from now on
//     CONNECTED  address:8 broker:1 doubtful:1 text numbers failure
//                                                         and one descriptor: a connected TCP socket
//     FAILED     failure
//     KEYD       text                                     no text: and one descriptor, on which HELLO has been sent
//     CERTIFICATE found:1 text size:2 bytes               the file's bytes, only if it is there and holds no key; the
//                                                         text says why it is of no use, only if it is
//   numbers    count:1 (address:8)*count                  the addresses that are left, the next one first
//   failure    causes:1 faults:1 omitted:2 count:1 text*count
//   text       length:1 bytes
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "relayd/handover/dial_failure.h"

namespace relayd::channel {

inline constexpr size_t kMaxAddresses = 16;  // of one target
inline constexpr uint32_t kMaxBudgetMs = 86'400'000;
inline constexpr size_t kMaxCertificateFile = 32 * 1024;          // bytes
inline constexpr size_t kMaxQuestion = 512;                       // bytes; the longest is CERTIFICATE
inline constexpr size_t kMaxAnswer = kMaxCertificateFile + 1024;  // bytes; the longest is CERTIFICATE

enum class Target : uint8_t { remote = 1, local = 2 };

struct Begin {};
struct Dial {
  Target target = Target::remote;
  uint32_t budget_ms = 0;  // for all attempts together; at most kMaxBudgetMs
  uint64_t device = 0;     // a hash of its client id, for Config::Strategy::hash_clientid
  std::vector<uint64_t> addresses = {};
};
struct Cancel {};
struct Judge {
  Target target = Target::remote;
  uint64_t address = 0;
  bool good = false;
};
struct Keyd {};
struct Certificate {
  std::string client_id;
};

struct Question {
  using Body = std::variant<Begin, Dial, Cancel, Judge, Keyd, Certificate>;
  uint64_t id = 0;
  Body body;
};

struct Began {};
struct Connected {
  uint64_t address = 0;
  uint8_t broker = 0;     // whose address it is: its place in Config::brokers, below Config::kMaxBrokers
  bool doubtful = false;  // it has failed: the connector wants to know (JUDGE) if it is good again
  std::string text;       // the address, for the log
  std::vector<uint64_t> left = {};
  DialFailure failure = {};  // of the attempts before
};
struct Failed {
  DialFailure failure;
};
struct KeydAnswer {
  std::string problem;  // "": here it is
};

// A device's certificate file, as it was read just now.
struct CertificateAnswer {
  enum class Found : uint8_t { file, missing, unusable };
  Found found = Found::missing;
  std::string problem;  // unusable: why, for the log
  std::string pem;      // file: its content, 1 to kMaxCertificateFile bytes
};

struct Answer {
  using Body = std::variant<Began, Connected, Failed, KeydAnswer, CertificateAnswer>;
  uint64_t id = 0;
  Body body;
};

// Texts are cut at DialFailure::kMostText, and lists at their bound.
std::vector<uint8_t> encode(const Question& question);
std::vector<uint8_t> encode(const Answer& answer);
// nullopt: not exactly one message that the encoder makes.
std::optional<Question> decode_question(std::span<const uint8_t> datagram);
std::optional<Answer> decode_answer(std::span<const uint8_t> datagram);

}  // namespace relayd::channel
