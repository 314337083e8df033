// The load generator of the bench: many devices in one thread.
//
//   bench_load MODE --devices-file FILE --relay ADDRESS:PORT [--broker ADDRESS:PORT] [options]
//
//   connect    each device once: handshake, CONNECT, CONNACK, DISCONNECT; --passes 2: then the same devices again
//   hold       connects the devices and keeps their sessions
//   return     connects the devices; the broker cuts their sessions, and they connect again, --in-flight at a time
//   message    QoS 1: each device has --window messages in flight until --count have been acknowledged
//   latency    QoS 1 at --rate messages/s, of all devices together, for --seconds. A latency counts from the time when
//              the message should have been sent. --until-told: the last pass ends when another line comes
//   fanout     the broker sends a message to all devices, --count times
//   bulk-up, bulk-down   one device sends or gets --mib MiB in PUBLISHes of 256 KiB
//
// Prints {"ready": true} when all is prepared, works when it reads a line, and prints the result, one JSON object. The
// devices leave when standard input ends.
#include <CLI/CLI.hpp>
#include <iostream>
#include <map>

#include "tests/bench/modes.h"

namespace bench {

bool ready() {
  print({{"ready", true}});
  std::string line;
  return static_cast<bool>(std::getline(std::cin, line));
}

void print(const nlohmann::json& result) { std::cout << result.dump() << std::endl; }

nlohmann::json percentiles(std::vector<float>& us) {
  if (us.empty()) return nullptr;
  std::sort(us.begin(), us.end());
  const auto at = [&](double share) { return us[static_cast<size_t>(share * static_cast<double>(us.size() - 1))]; };
  return {{"p50", at(0.5)}, {"p99", at(0.99)}, {"p99.9", at(0.999)}, {"most", us.back()}};
}

}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  const std::map<std::string, std::function<void(const Options&)>> modes{
      {"connect", run_connect},
      {"hold", run_hold},
      {"return", run_return},
      {"message", run_message},
      {"latency", run_latency},
      {"fanout", run_fanout},
      {"bulk-up", [](const Options& options) { run_bulk(options, true); }},
      {"bulk-down", [](const Options& options) { run_bulk(options, false); }}};
  Options options;
  std::string relay, broker;
  CLI::App app("Devices that load a relay");
  app.add_option("mode", options.mode)->required()->check(CLI::IsMember(modes));
  app.add_option("--devices-file", options.devices_file, "made by bench_pki")->required();
  app.add_option("--relay", relay, "ADDRESS:PORT")->required();
  app.add_option("--broker", broker, "ADDRESS:PORT, for commands to it");
  app.add_option("--tls", options.tls)->check(CLI::IsMember({"1.2", "1.3"}));
  app.add_option("--first", options.first, "the number of the first device");
  app.add_option("--devices", options.devices)->check(CLI::PositiveNumber);
  app.add_option("--in-flight", options.in_flight, "connections that begin at a time")->check(CLI::PositiveNumber);
  app.add_option("--passes", options.passes);
  app.add_option("--window", options.window)->check(CLI::Range(1, 30'000));
  app.add_option("--size", options.size, "bytes of payload")->check(CLI::Range(0, 60'000));
  app.add_option("--count", options.count);
  app.add_option("--mib", options.mib)->check(CLI::PositiveNumber);
  app.add_option("--rate", options.rate)->check(CLI::PositiveNumber);
  app.add_option("--seconds", options.seconds)->check(CLI::PositiveNumber);
  app.add_flag("--until-told", options.until_told);
  CLI11_PARSE(app, argc, argv);
  try {
    options.relay = parse_address(relay);
    if (!broker.empty()) options.broker = parse_address(broker);
    modes.at(options.mode)(options);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "bench_load " << options.mode << ": " << error.what() << "\n";
    return 1;
  }
}
