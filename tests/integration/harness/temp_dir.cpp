#include "tests/integration/harness/temp_dir.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "tests/integration/harness/deadline.h"

namespace harness {

TempDir::TempDir() {
  std::string name = fs::temp_directory_path() / "mqtt-relay-test.XXXXXX";
  if (!mkdtemp(name.data()) || chmod(name.c_str(), 0755) != 0) fail_errno("mkdtemp " + name);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void write_file(const fs::path& file, std::string_view content) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << content;
  out.close();
  if (!out) fail_errno("write " + file.string());
}

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) fail_errno("read " + file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace harness
