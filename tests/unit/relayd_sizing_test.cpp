// `mqtt-relay size`: the arithmetic, worked by hand, and every error. The costs here are round numbers of the tests'
// own.
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/operator/command_line.h"
#include "relayd/admin/size.h"
#include "tests/unit/catch.h"

using namespace relayd::admin;
using Catch::Matchers::WithinRel;
using common::Milliseconds;

namespace {

// New 1000 µs, known 500 µs, 100 µs of them in keyd's thread; a message 10 µs and 2 µs a KiB; a session 8 + 4 KiB;
// a worker 2 MiB, the rest 20 MiB; 1000 ports.
FleetSize round_numbers(uint64_t devices) {
  FleetSize fleet;
  fleet.devices = devices;
  fleet.cores = 4;
  fleet.load = 0.5;
  fleet.costs = {1000, 500, 100, 10, 2, 8, 4, 2, 20, 1000};
  return fleet;
}

struct Outcome {
  int status;
  std::string out, err;
};

// Runs the words after `mqtt-relay size`, as on a terminal or into a pipe.
Outcome run(std::vector<std::string> words, bool terminal = true) {
  words.insert(words.begin(), "size");
  CLI::App app;
  SizeLine line;
  common::set_up(app);
  define_size(app, line);
  std::ostringstream out, err;
  auto* before = std::cerr.rdbuf(err.rdbuf());
  auto status = common::parse_command_line(app, words);
  if (!status)
    status = common::run_command("size", [&] { return run_size(line, out, {.terminal = terminal, .colour = false}); });
  std::cerr.rdbuf(before);
  return {*status, out.str(), err.str()};
}

std::string failure_of(const FleetSize& fleet) {
  try {
    size_of(fleet);
  } catch (const common::CommandFailed& failed) {
    return failed.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("size: memory is sessions, workers and the rest") {
  auto fleet = round_numbers(10'000);
  fleet.nodes = 2;
  const Sizing sizing = size_of(fleet);
  CHECK(sizing.all.devices == 5'000);
  CHECK(sizing.away.devices == 10'000);
  // 5,000 × 12 KiB = 60,000 KiB; 4 workers × 2 MiB + 20 MiB = 28 MiB.
  CHECK(sizing.all.memory_bytes == 60'000.0 * 1024 + 28.0 * 1024 * 1024);
  CHECK(sizing.away.memory_bytes == 120'000.0 * 1024 + 28.0 * 1024 * 1024);
}

TEST_CASE("size: connections get the processor time that messages leave") {
  auto fleet = round_numbers(9'000);
  fleet.nodes = 1;
  // Half of 4 cores, at 1000 µs each: 2,000/s. 9,000 devices need 4.5 s.
  CHECK_THAT(size_of(fleet).all.connections_per_second, WithinRel(2000.0));
  CHECK_THAT(size_of(fleet).all.reconnect_seconds, WithinRel(4.5));
  CHECK(size_of(fleet).settings.max_conn_rate == 2000);

  // 50,000 messages/s of 1 KiB at 12 µs take 0.6 cores; 1.4 are left.
  fleet.messages_per_second = 50'000;
  fleet.message_bytes = 1024;
  CHECK_THAT(size_of(fleet).all.message_cores, WithinRel(0.6));
  CHECK_THAT(size_of(fleet).all.connections_per_second, WithinRel(1400.0));

  // Of two nodes each has half of the messages.
  fleet.nodes = 2;
  CHECK_THAT(size_of(fleet).all.message_cores, WithinRel(0.3));
}

TEST_CASE("size: known devices cost less, and keyd's thread is a limit that cores do not lift") {
  auto fleet = round_numbers(9'000);
  fleet.nodes = 1;
  fleet.known = 0.5;  // 750 µs
  CHECK_THAT(size_of(fleet).all.connections_per_second, WithinRel(2e6 / 750));
  CHECK_FALSE(size_of(fleet).all.one_thread);
  fleet.cores = 64;  // by cores 42,667/s; by the thread half a core at 100 µs
  CHECK_THAT(size_of(fleet).all.connections_per_second, WithinRel(5000.0));
  CHECK(size_of(fleet).all.one_thread);
}

TEST_CASE("size: source addresses by ports and remote addresses, descriptors by max_connections and workers") {
  auto fleet = round_numbers(2'000);
  fleet.nodes = 1;
  CHECK(size_of(fleet).all.source_addresses == 2);
  CHECK(size_of(fleet).all.haproxy_addresses == 2);
  // A tenth more than 2,000 is 2,200; for each of 4 workers 550, with two descriptors each and 64.
  CHECK(size_of(fleet).settings.max_connections == 2'200);
  CHECK(size_of(fleet).all.descriptors == 2 * 550 + 64);
  CHECK(size_of(fleet).settings.limit_nofile == 524'288);
  CHECK(size_of(fleet).settings.nofile_as_shipped);
  fleet.devices = 2'001;
  CHECK(size_of(fleet).all.source_addresses == 3);
  CHECK(size_of(fleet).settings.max_connections == 2'300);
  fleet.remote_addresses = 3;
  CHECK(size_of(fleet).all.source_addresses == 1);
  CHECK(size_of(fleet).all.haproxy_addresses == 3);

  fleet.devices = 1'500'000;
  fleet.remote_addresses = 1'000;
  fleet.within = Milliseconds(3'600'000);
  // 1,650,000 in 4 workers: 412,500 each.
  CHECK(size_of(fleet).settings.limit_nofile == 2 * 412'500 + 64);
  CHECK_FALSE(size_of(fleet).settings.nofile_as_shipped);
}

TEST_CASE("size: the fewest nodes that are enough, and one that may be away") {
  auto fleet = round_numbers(120'000);
  fleet.remote_addresses = 100;
  fleet.within = Milliseconds(20'000);  // 2,000/s × 20 s: 40,000 devices a node
  CHECK(size_of(fleet).away.nodes == 3);
  CHECK(size_of(fleet).all.nodes == 4);
  fleet.devices = 120'001;
  CHECK(size_of(fleet).away.nodes == 4);
  fleet.spare = 2;
  CHECK(size_of(fleet).all.nodes == 6);
  fleet.spare = 0;
  CHECK(size_of(fleet).all.nodes == 4);
  fleet.nodes = 3;
  CHECK(size_of(fleet).away.lacks == "the devices take too long to connect again");
}

TEST_CASE("size: what a number of nodes lacks") {
  auto fleet = round_numbers(64'000);
  fleet.nodes = 1;
  CHECK(size_of(fleet).away.lacks.empty());
  fleet.devices = 64'001;
  CHECK(size_of(fleet).away.lacks == "remote.bind would need more than 64 addresses");
  fleet.remote_addresses = 2;
  CHECK(size_of(fleet).away.lacks.empty());
  fleet.messages_per_second = 200'000;  // at 10.125 µs: 2.025 cores, and 2 may be busy
  CHECK(size_of(fleet).away.lacks == "the messages alone take more than the cores may give");
  CHECK(size_of(fleet).away.reconnect_seconds == std::numeric_limits<double>::infinity());

  fleet = round_numbers(600'000);
  fleet.nodes = 1;
  fleet.cores = 1;
  fleet.remote_addresses = 100;
  fleet.within = Milliseconds(86'400'000);
  CHECK(size_of(fleet).away.lacks == "a worker would need more descriptors than fs.nr_open, 1,048,576");
}

TEST_CASE("size: errors of the whole question say what to change") {
  auto fleet = round_numbers(1'000);
  fleet.nodes = 2;
  fleet.spare = 2;
  CHECK(failure_of(fleet) == "found --spare 2 with --nodes 2; allowed: fewer spare nodes than nodes");
  fleet = round_numbers(1'000'000'000);
  CHECK(failure_of(fleet) ==
        "even 1,000 nodes are too few: remote.bind would need more than 64 addresses; allow more by --cores, "
        "--reconnect-within, --load or --remote-addresses");
}

TEST_CASE("size: a wrong word gets an error that says what is allowed") {
  using Words = std::vector<std::string>;
  const auto [words, error] = GENERATE(table<Words, std::string>({
      {Words{}, "--devices is required"},
      {{"--devices", "0"}, "--devices: found \"0\"; allowed: a whole number from 1 to 1000000000"},
      {{"--devices", "1e6"}, "--devices: found \"1e6\"; allowed: a whole number from 1 to 1000000000"},
      {{"--devices", "1.5"}, "--devices: found \"1.5\"; allowed: a whole number from 1 to 1000000000"},
      {{"--devices", "9", "--nodes", "1001"}, "--nodes: found \"1001\"; allowed: a whole number from 1 to 1000"},
      {{"--devices", "9", "--spare", "-1"}, "--spare: found \"-1\"; allowed: a whole number from 0 to 999"},
      {{"--devices", "9", "--cores", "0"}, "--cores: found \"0\"; allowed: a whole number from 1 to 1024"},
      {{"--devices", "9", "--remote-addresses", "x"},
       "--remote-addresses: found \"x\"; allowed: a whole number from 1 to 1000"},
      {{"--devices", "9", "--messages-per-second", "1/s"},
       "--messages-per-second: found \"1/s\"; allowed: a number from 0 to 1000000000"},
      {{"--devices", "9", "--message-size", "64"},
       "--message-size: found \"64\"; allowed: a size of at most 256MB with its unit, such as \"64B\" or \"1KB\""},
      {{"--devices", "9", "--message-size", "257MB"},
       "--message-size: found \"257MB\"; allowed: a size of at most 256MB with its unit, such as \"64B\" or \"1KB\""},
      {{"--devices", "9", "--known", "1.1"}, "--known: found \"1.1\"; allowed: a number from 0 to 1"},
      {{"--devices", "9", "--load", "0"}, "--load: found \"0\"; allowed: a number over 0, 1 at most"},
      {{"--devices", "9", "--reconnect-within", "10"},
       "--reconnect-within: found \"10\"; allowed: a duration over zero with its unit, such as \"90s\", \"10m\" or "
       "\"1h\""},
      {{"--devices", "9", "--reconnect-within", "0s"},
       "--reconnect-within: found \"0s\"; allowed: a duration over zero with its unit, such as \"90s\", \"10m\" or "
       "\"1h\""},
      {{"--devices", "9", "--cost", "message_us"},
       "--cost: found \"message_us\"; allowed: NAME=VALUE, where NAME is one of connection_new_us, "
       "connection_known_us, connection_thread_us, message_us, message_kib_us, session_user_kib, session_kernel_kib, "
       "worker_mib, base_mib, ports"},
      {{"--devices", "9", "--cost", "mesage_us=1"}, "did you mean message_us?"},
      {{"--devices", "9", "--cost", "message_us=1us"},
       "--cost: found \"message_us=1us\"; allowed: NAME=VALUE, where VALUE is a number from 0.001 to 1000000000, "
       "without a unit"},
      {{"--devices", "9", "--cost", "ports=0.5"},
       "--cost: found \"ports=0.5\"; allowed: NAME=VALUE, where VALUE is a number from 1 to 1000000000, without a "
       "unit"},
      {{"--devices", "9", "--cost", "base_mib=nan"}, "where VALUE is a number from 0.001 to 1000000000"},
  }));
  const Outcome outcome = run(words);
  CAPTURE(outcome.err);
  CHECK(outcome.status == 64);
  CHECK(outcome.err.find(error) != std::string::npos);
  CHECK(outcome.out.empty());
}

TEST_CASE("size: every option reaches the answer") {
  const auto json = [](const std::vector<std::string>& more) {
    std::vector<std::string> words{"--devices", "100000", "--nodes", "3"};
    if (more.empty() || more.front() != "--cores") words.insert(words.end(), {"--cores", "4"});
    words.insert(words.end(), more.begin(), more.end());
    return nlohmann::json::parse(run(words, false).out);
  };
  const auto plain = json({});
  CHECK(plain["all"]["nodes"] == 3);
  CHECK(plain["away"]["nodes"] == 2);
  CHECK(json({"--spare", "2"})["away"]["nodes"] == 1);
  CHECK(json({"--cores", "2"})["settings"]["workers"] == 2);
  const auto busy = json({"--messages-per-second", "1000.5"});
  CHECK(busy["all"]["message_cores"] > plain["all"]["message_cores"]);
  CHECK(json({"--messages-per-second", "1000.5", "--message-size", "1KB"})["all"]["message_cores"] >
        busy["all"]["message_cores"]);
  CHECK(json({"--known", "1"})["all"]["connections_per_second"] > plain["all"]["connections_per_second"]);
  CHECK(json({"--load", "0.5"})["all"]["connections_per_second"] < plain["all"]["connections_per_second"]);
  CHECK(json({"--reconnect-within", "1s"})["away"]["lacks"] == "the devices take too long to connect again");
  CHECK(json({"--remote-addresses", "2"})["away"]["source_addresses"] < plain["away"]["source_addresses"]);
  const auto dear = json({"--cost", "connection_new_us=5000", "--cost", "ports=100"});
  CHECK(dear["costs"]["connection_new_us"] == 5000);
  CHECK(dear["all"]["connections_per_second"] == 480);  // 0.6 × 4 cores
  CHECK(dear["all"]["source_addresses"] == 334);
}

TEST_CASE("size: a table on a terminal, JSON in a pipe or if asked, exit status 1 if the nodes are too few") {
  const std::vector<std::string> words{"--devices", "1000000", "--cores", "8", "--nodes", "4"};
  const Outcome table = run(words);
  CHECK(table.status == 0);
  CHECK(table.out.starts_with("1,000,000 devices on 4 nodes with 8 cores each, of which 1 may be away\n"));
  CHECK(table.out.find("\nEACH NODE                              all 4           3 left\n") != std::string::npos);
  CHECK(table.out.find("\ndevices                                250,000         333,334\n") != std::string::npos);
  CHECK(table.out.find("\n  listener.max_connections  366700\n") != std::string::npos);
  CHECK(run(words, false).out.starts_with("{\n"));
  auto asked = words;
  asked.push_back("--json");
  CHECK(run(asked).out == run(words, false).out);

  const Outcome few = run({"--devices", "1000000", "--cores", "1", "--nodes", "1"});
  CHECK(few.status == 1);
  CHECK(few.out.find("\ntoo few nodes: the devices take too long to connect again\n") != std::string::npos);
  CHECK(few.out.find(" left") == std::string::npos);
}

TEST_CASE("size: the shipped costs are those that sizing describes") {
  const Costs costs = measured_costs();
  CHECK(costs[connection_new_us] > costs[connection_known_us]);
  CHECK(costs[connection_known_us] > costs[connection_thread_us]);
  CHECK(kCosts[ports].name == "ports");
  CHECK(kCosts[session_kernel_kib].name == "session_kernel_kib");
  CHECK(kCosts[message_us].name == "message_us");
  CHECK(kCosts[message_us].what.starts_with("processor time of a message"));
}
