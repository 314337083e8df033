#include "tests/integration/harness/keyd.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include "test_paths.h"

namespace harness {
namespace {

using PrivateKey = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;

PrivateKey make_key(const std::string& type) {
  EVP_PKEY* key = type.starts_with("RSA:") ? EVP_RSA_gen(static_cast<unsigned>(std::stoul(type.substr(4))))
                  : type.starts_with("P-") ? EVP_EC_gen(type.c_str())
                                           : EVP_PKEY_Q_keygen(nullptr, nullptr, type.c_str());
  if (!key) throw Failure("OpenSSL can't make a key of type " + type);
  return {key, EVP_PKEY_free};
}

ipc::Scheme scheme_of(const std::string& type) {
  if (type.starts_with("RSA:")) return ipc::Scheme::rsa_pss_rsae_sha256;
  if (type == "ED25519") return ipc::Scheme::ed25519;
  return type == "P-256"   ? ipc::Scheme::ecdsa_sha256
         : type == "P-384" ? ipc::Scheme::ecdsa_sha384
                           : ipc::Scheme::ecdsa_sha512;
}

void write_secret(const fs::path& file, std::string_view text) {
  write_file(file, text);
  if (chmod(file.c_str(), 0600) != 0) fail_errno("chmod " + file.string());
}

}  // namespace

TestKey TestKey::generate(const std::string& type) {
  const PrivateKey key = make_key(type);
  TestKey made;
  made.scheme = scheme_of(type);
  const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  made.pem.assign(text, static_cast<size_t>(size));
  unsigned char* der = nullptr;
  const int der_size = i2d_PUBKEY(key.get(), &der);
  EVP_Digest(der, static_cast<size_t>(der_size), made.spki.data(), nullptr, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  return made;
}

fs::path Keyd::default_program() { return fs::path(MQTT_RELAY_PROGRAMS) / "keyd"; }

TestKey TestKey::encrypted(const std::string& passphrase, int rounds) const {
  const std::unique_ptr<BIO, int (*)(BIO*)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free),
      out(BIO_new(BIO_s_mem()), BIO_free);
  const PrivateKey key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  PKCS8_PRIV_KEY_INFO* info = EVP_PKEY2PKCS8(key.get());
  X509_ALGOR* how = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), rounds, nullptr, 0, nullptr, NID_hmacWithSHA256);
  X509_SIG* sealed = PKCS8_set0_pbe(passphrase.data(), static_cast<int>(passphrase.size()), info, how);
  PEM_write_bio_PKCS8(out.get(), sealed);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  TestKey made = *this;
  made.pem.assign(text, static_cast<size_t>(size));
  X509_SIG_free(sealed);
  PKCS8_PRIV_KEY_INFO_free(info);
  return made;
}

Keyd::Keyd(const Json& configuration, const fs::path& program, const std::string& audit_file)
    : program_(program), audit_file_(audit_file) {
  fs::create_directory(keys());
  write_secret(directory_ / "listener.key", TestKey::generate("P-256").pem);
  Json whole = {{"private_keys_dir", keys()},
                {"listener_keyfile", directory_ / "listener.key"},
                {"socket", socket()},
                {"allowed_users", {std::to_string(geteuid())}},
                {"require_presence", false}};  // there are no devices
  whole.merge_patch(configuration);
  write_file(directory_ / "keyd.json", whole.dump(2));
}

void Keyd::give_key(const std::string& client_id, const TestKey& key) {
  write_secret(directory_ / "new-key", key.pem);
  fs::rename(directory_ / "new-key", keys() / (client_id + ".pem"));
}

ProcessOptions Keyd::command(const std::vector<int>& sockets) const {
  return {.argv = {program_, "--config", directory_ / "keyd.json"},
          .environment = environment,
          .stdout_file = audit_file_,
          .sockets = sockets,
          .before_exec = before_exec};
}

Finished Keyd::run_with(const std::vector<int>& sockets) { return run(command(sockets)); }

std::chrono::microseconds Keyd::start(const std::vector<int>& sockets) {
  process_.reset();
  const auto began = Clock::now();
  process_ = std::make_unique<Process>(command(sockets));
  process_->err().wait_text("\"ready\"");
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began);
}

KeydClient::KeydClient(const std::string& path, std::chrono::milliseconds timeout)
    : fd_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (fd_ < 0 || connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail_errno("connect " + path);
  const ipc::Hello hello{.timeout_ms = static_cast<uint32_t>(timeout.count())};
  if (ask({0, hello}).status != ipc::Status::ok) throw Failure("keyd refused HELLO");
}

KeydClient::~KeydClient() { close(fd_); }

void KeydClient::send(const ipc::Request& request) {
  ipc::RequestBuffer datagram;
  const size_t size = ipc::encode(request, datagram);
  if (::send(fd_, datagram.data(), size, MSG_NOSIGNAL) < 0) fail_errno("send to keyd");
}

bool KeydClient::try_send(const ipc::Request& request) {
  ipc::RequestBuffer datagram;
  const size_t size = ipc::encode(request, datagram);
  if (::send(fd_, datagram.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
  if (errno != EAGAIN) fail_errno("send to keyd");
  return false;
}

ipc::Response KeydClient::receive() {
  const ssize_t got = recv(fd_, buffer_.data(), buffer_.size(), 0);
  if (got < 0) fail_errno("receive from keyd");
  const auto response = ipc::decode_response(std::span(buffer_).first(static_cast<size_t>(got)));
  if (!response) throw Failure(got == 0 ? "keyd closed the connection" : "keyd's answer is malformed");
  return *response;
}

ipc::Request lookup_request(uint32_t id, const TestKey& key, std::string_view client_id) {
  return {id, ipc::Lookup{ipc::Role::device, key.spki, {}, client_id}};
}

ipc::Request sign_request(uint32_t id, const TestKey& key, std::string_view client_id) {
  static constexpr std::array<uint8_t, 32> kTranscriptHash{1, 2, 3};
  return {id, ipc::Sign{
                  {ipc::Role::device, key.spki, {}, client_id}, ipc::Kind::tls13_client, key.scheme, kTranscriptHash}};
}

Forked::~Forked() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool Forked::succeeded() {
  int status = 0;
  if (waitpid(std::exchange(pid_, -1), &status, 0) < 0) fail_errno("waitpid");
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

pid_t Forked::begin() {
  const pid_t parent = getpid(), pid = fork();
  if (pid < 0) fail_errno("fork");
  if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)) _exit(1);
  return pid;
}

// _exit(2): neither destructors nor a sanitizer's report on the parent's memory may run in the child.
void Forked::end(bool good) { _exit(good ? 0 : 1); }

void Forked::complain(const char* what) { std::cerr << "in a child of the test: " << what << std::endl; }

void* shared_memory(size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail_errno("mmap");
  return memory;
}

void free_shared_memory(void* memory, size_t size) { munmap(memory, size); }

}  // namespace harness
