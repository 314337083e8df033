// What keyd costs and how long it keeps its workers waiting. The real program is asked over its socket by other
// processes.
//
//   keyd_bench [--seconds S] [--rounds N] [--first PROGRAM]
//
// Each figure is measured for S seconds in each of N rounds. With --first, another keyd with the same protocol, such as
// one of an earlier commit, is measured in turns with this one, so that both see the same noise. The output is a table
// on a terminal and JSON lines elsewhere. Rates are off. Each client is a process of its own, because keyd has one
// queue per process.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <map>

#include "tests/bench/report.h"
#include "tests/integration/harness/keyd.h"

using namespace harness;
using bench::Row;
using ipc::Status;

namespace {

struct Options {
  double seconds = 1;
  int rounds = 1;
  std::string first;
};

// Small enough that a worker can have more than keyd's limit of requests in flight without filling its socket; a full
// socket would make keyd and the worker wait for each other.
constexpr uint32_t kMaxQueue = 128;

const std::vector<std::string> kKeyTypes{"P-256", "P-384", "ED25519", "RSA:2048", "RSA:4096"};

const TestKey& key_of(const std::string& type) {
  static std::map<std::string, TestKey> made;
  const auto known = made.find(type);
  return known != made.end() ? known->second : made.emplace(type, TestKey::generate(type)).first->second;
}

// Several devices share each key, because keyd signs with one device's key on one thread at a time.
constexpr uint32_t kDevices = 8;

const std::string& device(const std::string& type, uint32_t id) {
  static std::map<std::pair<std::string, uint32_t>, std::string> names;
  return names.try_emplace({type, id % kDevices}, type + "-" + std::to_string(id % kDevices)).first->second;
}

// A keyd under test with a key of each type; the client id is the name of the type.
struct Subject {
  Subject(const std::string& n, const fs::path& program, Json configuration)
      : name(n), keyd(configuration, program, audit()) {
    for (const auto& type : kKeyTypes)
      for (uint32_t id = 0; id < kDevices; id++) keyd.give_key(device(type, id), key_of(type));
    keyd.start();
    if (clock_getcpuclockid(keyd.process().pid(), &cpu_clock) != 0) throw Failure("no CPU clock of keyd");
  }
  // A real file, because writing the audit is part of its cost.
  std::string audit() const {
    write_file(scratch / "audit", "");
    return scratch / "audit";
  }
  double cpu_us() const {
    timespec used{};
    clock_gettime(cpu_clock, &used);
    return static_cast<double>(used.tv_sec) * 1e6 + static_cast<double>(used.tv_nsec) / 1e3;
  }
  TempDir scratch;
  std::string name;
  Keyd keyd;
  clockid_t cpu_clock{};
};

// What one client has measured, in memory shared with this process.
struct Tally {
  static constexpr size_t kMost = 1 << 20;
  std::atomic<uint64_t> done, busy, other;
  std::atomic<bool> stop;
  std::array<float, kMost> latency_us;  // of the requests that were answered
};

enum class Question { lookup, sign };

ipc::Request ask_for(Question question, uint32_t id, const std::string& type) {
  // Two clients in step must not request the same key each time.
  const std::string& name = device(type, id + static_cast<uint32_t>(getpid()));
  return question == Question::lookup ? lookup_request(id, key_of(type), name) : sign_request(id, key_of(type), name);
}

// Keeps `outstanding` requests in flight until stopped; repeats a BUSY request at once.
void client(const std::string& socket, Question question, const std::string& type, uint32_t outstanding, Tally& tally) {
  KeydClient connection(socket);
  std::vector<Clock::time_point> sent(outstanding);
  const auto send = [&](uint32_t id) {
    sent[id] = Clock::now();
    connection.send(ask_for(question, id, type));
  };
  for (uint32_t id = 0; id < outstanding; id++) send(id);
  while (!tally.stop) {
    const auto answer = connection.receive();
    const std::chrono::duration<float, std::micro> took = Clock::now() - sent[answer.id];
    if (answer.status == Status::ok) tally.latency_us[tally.done++ % Tally::kMost] = took.count();
    else (answer.status == Status::busy ? tally.busy : tally.other)++;
    send(answer.id);
  }
}

struct Load {
  Question question;
  std::string type;
  uint32_t outstanding;
};

// Runs one process for each load. The row describes the first load; its rate and CPU cost are totals of the first
// `counted` loads.
void measure(Subject& subject, const Options& options, const std::vector<Load>& loads, size_t counted, Row& row) {
  std::vector<std::unique_ptr<Shared<Tally>>> tallies;
  std::vector<std::unique_ptr<Forked>> clients;
  for (const Load& load : loads) {
    Tally& tally = **tallies.emplace_back(std::make_unique<Shared<Tally>>());
    clients.push_back(std::make_unique<Forked>(
        [&] { client(subject.keyd.socket(), load.question, load.type, load.outstanding, tally); }));
  }
  const auto all_done = [&] {
    uint64_t sum = 0;
    for (size_t i = 0; i < counted; i++) sum += (*tallies[i])->done;
    return sum;
  };
  for (const auto deadline = patience(); all_done() < counted;
       usleep(1000))  // until the keys are read and the processes run
    if (deadline.over()) throw Failure(subject.name + " does not answer: " + subject.keyd.process().err().text());
  Tally& observed = **tallies.front();
  const uint64_t first = observed.done, done_before = all_done();
  const double cpu_before = subject.cpu_us();
  const auto began = Clock::now();
  usleep(static_cast<useconds_t>(options.seconds * 1e6));
  const std::chrono::duration<double> lasted = Clock::now() - began;
  const uint64_t last = observed.done, done = all_done() - done_before;
  row.cpu_us += subject.cpu_us() - cpu_before;
  row.done += done;
  row.seconds += lasted.count();
  for (uint64_t i = first; i < last; i++) row.latencies_us.push_back(observed.latency_us[i % Tally::kMost]);
  for (const auto& tally : tallies) {
    (*tally)->stop = true;
    row.busy += (*tally)->busy;
    row.failed += (*tally)->other;
  }
}

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {}

  // Measures the same load on every subject, in turns.
  void compare(const std::string& what, const std::vector<Subject*>& subjects, const std::vector<Load>& loads,
               size_t counted) {
    std::vector<Row> rows;
    for (const Subject* subject : subjects) rows.push_back({what, subject->name});
    for (int round = 0; round < options_.rounds; round++)
      for (size_t i = 0; i < subjects.size(); i++) measure(*subjects[i], options_, loads, counted, rows[i]);
    for (Row& row : rows) report_.add(row, rows.size() > 1 ? &rows.back() : nullptr);
  }

 private:
  const Options options_;
  bench::Report report_;
};

void run(const Options& options) {
  const Json no_limits = {{"worker_rate", "infinity"}, {"key_rate", "infinity"}, {"max_queue", kMaxQueue}};
  const auto signers = [&](int count) {
    Json configuration = no_limits;
    configuration["signers"] = count;
    return configuration;
  };
  Subject keyd("keyd", Keyd::default_program(), no_limits);
  Subject one("1 signer", Keyd::default_program(), signers(1)), two("2 signers", Keyd::default_program(), signers(2));
  std::vector<Subject*> subjects{&keyd};
  std::optional<Subject> first;
  if (!options.first.empty()) subjects.push_back(&first.emplace("first", options.first, no_limits));

  Bench bench(options);
  bench.compare("LOOKUP, one at a time", subjects, {{Question::lookup, "P-256", 1}}, 1);
  bench.compare("LOOKUP, 64 from 2", subjects, {{Question::lookup, "P-256", 32}, {Question::lookup, "P-256", 32}}, 2);
  for (const auto& type : kKeyTypes) {
    const Load one_at_a_time{Question::sign, type, 1}, many{Question::sign, type, 32};
    bench.compare(type + ", one at a time", subjects, {one_at_a_time}, 1);
    bench.compare(type + ", 64 from 2", subjects, {many, many}, 2);
  }
  // More than keyd accepts from one worker, so some requests are always refused and repeated at once. This is worse
  // than a worker that waits when it gets BUSY.
  const Load ecdsa{Question::sign, "P-256", 1}, flood{Question::sign, "RSA:4096", kMaxQueue + 22};
  bench.compare("P-256, no other load", subjects, {ecdsa}, 1);
  bench.compare("P-256, RSA-4096 flood", subjects, {ecdsa, flood}, 1);
  const Load rsa{Question::sign, "RSA:2048", 32};
  bench.compare("RSA:2048, 64 from 2", {&two, &one}, {rsa, rsa}, 2);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures keyd.");
  app.add_option("--seconds", options.seconds, "Of each measurement")->check(CLI::Range(0.01, 60.0));
  app.add_option("--rounds", options.rounds, "Of each measurement")->check(CLI::Range(1, 100));
  app.add_option("--first", options.first, "Another keyd to compare with")->check(CLI::ExistingFile);
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "keyd_bench: " << error.what() << '\n';
    return 1;
  }
}
