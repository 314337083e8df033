// What keyd costs and how long it keeps its workers waiting. The real program is asked over its socket by other
// processes.
//
//   keyd_bench [--seconds S] [--rounds N] [--first PROGRAM]
//
// Each figure is measured for S seconds in each of N rounds. With --first, another keyd with the same protocol, such as
// one of an earlier commit, is measured in turns with this one, so that both see the same noise. The output is a table
// on a terminal and JSON lines elsewhere. Rates are off. Each client is a process of its own, because keyd has one
// queue per process. P-256 is also compared with neverbleed's design (round_trip.h): in rate, and in latency at half
// of that design's rate, timed from when each request was due.
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <map>
#include <thread>

#include "tests/bench/report.h"
#include "tests/bench/round_trip.h"
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

constexpr uint32_t kDevices = 16;  // of each type

const std::string& device(const std::string& type, uint32_t id) {
  static std::map<std::pair<std::string, uint32_t>, std::string> names;
  return names.try_emplace({type, id % kDevices}, type + "-" + std::to_string(id % kDevices)).first->second;
}

struct Tally;
struct Load;

// What is measured, and how a client puts a load on it.
struct Subject {
  explicit Subject(const std::string& n) : name(n) {}
  virtual ~Subject() = default;
  virtual void client(const Load& load, Tally& tally) const = 0;
  double cpu_us() const {
    timespec used{};
    clock_gettime(cpu_clock, &used);
    return static_cast<double>(used.tv_sec) * 1e6 + static_cast<double>(used.tv_nsec) / 1e3;
  }
  void watch(pid_t pid) {
    if (clock_getcpuclockid(pid, &cpu_clock) != 0) throw Failure("no CPU clock of " + name);
  }
  std::string name;
  clockid_t cpu_clock{};
};

// A keyd with keys of each type.
struct KeydSubject : Subject {
  KeydSubject(const std::string& n, const fs::path& program, Json configuration)
      : Subject(n), keyd(configuration, program, audit()) {
    for (const auto& type : kKeyTypes)
      for (uint32_t id = 0; id < kDevices; id++) keyd.give_key(device(type, id), key_of(type));
    keyd.start();
    watch(keyd.process().pid());
  }
  // A real file, because writing the audit is part of its cost.
  std::string audit() const {
    write_file(scratch / "audit", "");
    return scratch / "audit";
  }
  void client(const Load& load, Tally& tally) const override;
  TempDir scratch;
  Keyd keyd;
};

// neverbleed's design.
struct RoundTripSubject : Subject {
  RoundTripSubject() : Subject("round trip") {
    for (const auto deadline = patience(); *pid == 0; usleep(1000))
      if (deadline.over()) throw Failure("the server of round trips does not start");
    watch(*pid);
  }
  void client(const Load& load, Tally& tally) const override;
  TempDir scratch;
  std::string socket = scratch / "socket";
  Shared<std::atomic<pid_t>> pid;
  Forked server{[this] {
    bench::serve_round_trips(
        socket, [](void* number) { static_cast<std::atomic<pid_t>*>(number)->store(getpid()); }, &*pid);
  }};
};

// What one client has measured, in memory shared with this process.
struct Tally {
  static constexpr size_t kMost = 1 << 20;
  std::atomic<uint64_t> done, busy, other;
  std::atomic<bool> stop;
  std::array<float, kMost> latency_us;  // of the requests that were answered
};

enum class Question { lookup, sign };

struct Load {
  Question question;
  std::string type;
  uint32_t outstanding;
  bool one_key = false;
  double per_second = 0;  // 0: as many as there are answers
};

ipc::Request ask_for(const Load& load, uint32_t id) {
  const auto& [question, type, outstanding, one_key, per_second] = load;
  // Two clients in step must not request the same key each time.
  const std::string& name = device(type, one_key ? 0 : id + static_cast<uint32_t>(getpid()));
  return question == Question::lookup ? lookup_request(id, key_of(type), name) : sign_request(id, key_of(type), name);
}

void note(Tally& tally, Clock::time_point since) {
  const std::chrono::duration<float, std::micro> took = Clock::now() - since;
  tally.latency_us[tally.done % Tally::kMost] = took.count();
  tally.done++;
}

// The time at which each request of a load with a rate is due.
class Schedule {
 public:
  explicit Schedule(double per_second) : every_(1e9 / per_second) { prctl(PR_SET_TIMERSLACK, 1); }
  Clock::time_point due(uint64_t n) const {
    return began_ + std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(n) * every_));
  }
  Clock::time_point wait_for(uint64_t n) const {
    std::this_thread::sleep_until(due(n));
    return due(n);
  }

 private:
  double every_;
  Clock::time_point began_ = Clock::now();
};

// Sends each request when it is due, whatever became of those before.
void paced_client(const std::string& socket, const Load& load, Tally& tally) {
  KeydClient connection(socket);
  const Schedule schedule(load.per_second);
  std::thread sender([&] {
    for (uint32_t n = 0; !tally.stop; n++) {
      schedule.wait_for(n);
      connection.send(ask_for(load, n));
    }
  });
  while (!tally.stop) {
    const auto answer = connection.receive();
    if (answer.status == Status::ok) note(tally, schedule.due(answer.id));
    else (answer.status == Status::busy ? tally.busy : tally.other)++;
  }
  sender.join();
}

// Keeps `outstanding` requests in flight until stopped; repeats a BUSY request at once.
void KeydSubject::client(const Load& load, Tally& tally) const {
  const std::string socket = keyd.socket();
  if (load.per_second > 0) return paced_client(socket, load, tally);
  KeydClient connection(socket);
  std::vector<Clock::time_point> sent(load.outstanding);
  const auto send = [&](uint32_t id) {
    sent[id] = Clock::now();
    connection.send(ask_for(load, id));
  };
  for (uint32_t id = 0; id < load.outstanding; id++) send(id);
  while (!tally.stop) {
    const auto answer = connection.receive();
    if (answer.status == Status::ok) note(tally, sent[answer.id]);
    else (answer.status == Status::busy ? tally.busy : tally.other)++;
    send(answer.id);
  }
}

void RoundTripSubject::client(const Load& load, Tally& tally) const {
  bench::RoundTrip connection(socket);
  const Schedule schedule(load.per_second);
  for (uint64_t n = 0; !tally.stop; n++) {
    const auto since = load.per_second > 0 ? schedule.wait_for(n) : Clock::now();
    connection.sign();
    note(tally, since);
  }
}

// Runs one process for each load. The row describes the first load; its rate and CPU cost are totals of the first
// `counted` loads.
void measure(Subject& subject, const Options& options, const std::vector<Load>& loads, size_t counted, Row& row) {
  std::vector<std::unique_ptr<Shared<Tally>>> tallies;
  std::vector<std::unique_ptr<Forked>> clients;
  for (const Load& load : loads) {
    Tally& tally = **tallies.emplace_back(std::make_unique<Shared<Tally>>());
    clients.push_back(std::make_unique<Forked>([&] { subject.client(load, tally); }));
  }
  const auto all_done = [&] {
    uint64_t sum = 0;
    for (size_t i = 0; i < counted; i++) sum += (*tallies[i])->done;
    return sum;
  };
  for (const auto deadline = patience(); all_done() < counted;
       usleep(1000))  // until the keys are read and the processes run
    if (deadline.over()) throw Failure(subject.name + " does not answer");
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

  // Measures the same load on every subject, in turns. The last one is the reference; returns its rate.
  double compare(const std::string& what, const std::vector<Subject*>& subjects, const std::vector<Load>& loads,
                 size_t counted) {
    std::vector<Row> rows;
    for (const Subject* subject : subjects) rows.push_back({what, subject->name});
    for (int round = 0; round < options_.rounds; round++)
      for (size_t i = 0; i < subjects.size(); i++) measure(*subjects[i], options_, loads, counted, rows[i]);
    for (Row& row : rows) report_.add(row, rows.size() > 1 ? &rows.back() : nullptr);
    return rows.back().per_second();
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
  KeydSubject keyd("keyd", Keyd::default_program(), no_limits);
  KeydSubject one("1 signer", Keyd::default_program(), signers(1)),
      two("2 signers", Keyd::default_program(), signers(2));
  RoundTripSubject round_trip;
  std::vector<Subject*> subjects{&keyd};
  std::optional<KeydSubject> first;
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
  const Load rsa{Question::sign, "RSA:2048", 32}, one_rsa{Question::sign, "RSA:2048", 32, true};
  bench.compare("RSA:2048, 16 keys", {&two, &one}, {rsa, rsa}, 2);
  bench.compare("RSA:2048, one key", {&two, &one}, {one_rsa, one_rsa}, 2);
  const Load many{Question::sign, "P-256", 64};
  const double rate = bench.compare("P-256, 1 worker, 64", {&keyd, &round_trip}, {many}, 1);
  const Load half{Question::sign, "P-256", 0, false, rate / 2};
  bench.compare("P-256, half load", {&keyd, &round_trip}, {half}, 1);
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
