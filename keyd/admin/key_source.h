// Where `mqtt-relay keys import` reads from: files of the operator's. One may be anything: a link, a FIFO, a device, a
// file that never ends. None is waited for except standard input, and of none are more than 64 KiB read.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "keyd/startup/key_places.h"

namespace keyd::admin {

// One file's content, in locked memory. Reused for file after file, and wiped before each and at the end.
class KeyBytes {
 public:
  KeyBytes();  // throws as LockedMemory
  // Reads to the end of `fd`. Returns "", or why it can't: then it holds nothing.
  std::string read(int fd);
  // Opens a file beneath `directory` and reads it, if it is a regular one. Links lead nowhere outside `directory`.
  std::string read(int directory, const std::string& name);
  std::span<const uint8_t> bytes() const { return memory_.bytes().first(size_); }
  std::string_view text() const { return {reinterpret_cast<const char*>(memory_.bytes().data()), size_}; }

 private:
  LockedMemory memory_;
  size_t size_ = 0;
};

// A file that should hold one device's key.
struct KeySource {
  int directory = -1;     // KeySources has it open; -1: standard input, or the file is not there
  std::string name;       // in the directory
  std::string path;       // for the operator
  std::string client_id;  // whose key it is; "": no client id has that file name
  std::string problem{};  // why it can't be read; "": nothing known yet
};

// All files that the command line means.
class KeySources {
 public:
  // Each of `paths` is a directory, of which every *.pem is meant and nothing below it, or a file named CLIENTID.pem.
  // With `as`, the one path is the key of that client id, whatever its name; "-" is standard input. A path may itself
  // be a link. Throws std::runtime_error if a directory can't be listed.
  explicit KeySources(const std::vector<std::string>& paths, const std::optional<std::string>& as = {});

  const std::vector<KeySource>& files() const { return files_; }  // by name within each directory
  uint64_t others() const { return others_; }  // in the directories: neither *.pem nor the certificate (*.crt) of one

 private:
  void add(const std::string& path, const std::optional<std::string>& as);
  void add_all_of(int directory, const std::string& path);
  std::map<std::string, common::Fd> directories_;
  std::vector<KeySource> files_;
  uint64_t others_ = 0;
};

// What a text says of the public key that belongs to its private key.
struct Certified {
  std::optional<ipc::Spki> spki;  // of its first certificate
  std::string problem;            // there is a certificate, and it can't be read
};
Certified certified_in(std::string_view pem);

}  // namespace keyd::admin
