// A captured notary. It has no socket but the one to keyd, so a test's command is the transcript that keyd asks it
// about. The outcome is the problem that it answers with, which keyd writes into the audit.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/log.h"
#include "keyd/handover/notary_settings.h"
#include "keyd/handover/question.h"
#include "keyd/notary/sandbox.h"
#include "tests/captured/attacker.h"

namespace {

using namespace keyd;
using captured::Words;

void answer(uint64_t job, const std::string& problem, size_t size = sizeof(NotaryAnswer)) {
  NotaryAnswer word;
  word.job = job;
  strncpy(word.problem, problem.c_str(), sizeof word.problem - 1);
  send(kNotarySocket, &word, size, MSG_NOSIGNAL);
}

// Answers that match no question, and datagrams that are no answers.
std::string lie(uint64_t job) {
  for (uint64_t other = 0; other < 200; other++) answer(job + 1 + other, "");
  for (const size_t size : {size_t{1}, size_t{8}, sizeof(NotaryAnswer) - 1}) answer(job, "", size);
  return "done";
}

struct Command {
  Question question;
  char text[ipc::kMaxClientId + ipc::kMaxSignature + ipc::kMaxTranscript + 1];
  const char* hello() const { return text + question.client_id_size + question.signature_size; }
};

}  // namespace

int main() {
  close(kNotarySettings);
  common::log::open("captured-notary");
  enter_notary_sandbox();
  uint64_t job = 0;
  captured::Attacks attacks = captured::kernel_attacks();
  attacks.emplace("lie", [&](const Words&) { return lie(job); });
  attacks.emplace("silence", [](const Words&) { return std::string(); });
  answer(0, "");  // it can answer
  for (;;) {
    static Command command;
    const ssize_t size = recv(kNotarySocket, &command, sizeof command - 1, 0);
    if (size == 0) _exit(0);
    if (size < static_cast<ssize_t>(sizeof command.question)) continue;
    job = command.question.job;
    const auto length = static_cast<size_t>(static_cast<uint8_t>(command.hello()[3]));  // of the ClientHello
    const std::string result = captured::run(attacks, {command.hello() + 4, length});
    if (!result.empty()) answer(job, "captured: " + result);
  }
}
