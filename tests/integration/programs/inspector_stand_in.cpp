// Takes the inspector's place (relayd/handover/findings.h): answers with the bytes of the file beside it, whose name
// is its own and ".answer". relayd gives it no argument and no environment.
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

int main() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  if (size < 0) return 2;
  std::ifstream in(std::string(path, static_cast<size_t>(size)) + ".answer", std::ios::binary);
  const std::string answer{std::istreambuf_iterator<char>(in), {}};
  constexpr int kFindingsFd = 4;
  for (size_t sent = 0; sent < answer.size();) {
    const ssize_t written = write(kFindingsFd, answer.data() + sent, answer.size() - sent);
    if (written < 0) return 1;
    sent += static_cast<size_t>(written);
  }
  _exit(0);  // as the inspector ends
}
