// llama.cpp's llama-server, started for one run and stopped after it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "hyperllm/base/progress.h"

namespace hyperllm::llm {

struct LocalServerOptions {
  std::filesystem::path model;  // GGUF
  bool embeddings = false;
  std::string pooling = "model";  // of embeddings: what the file says, or mean, cls, last
  std::int64_t parallel = 4;      // calls that it answers at the same time
  std::int64_t context = 4096;    // tokens for each of them
  std::int64_t threads = 0;       // 0: the server's own choice
  std::filesystem::path log;      // what it prints
};

// Finds `llama-server` (or `llama-cpp-server`) on PATH and starts it on a free loopback port; the constructor
// returns when it is ready. Throws kUnavailable if there is none, kIo if the model is missing, kUnavailable
// with the end of its log if it fails to start. The server dies with this process, however that ends.
class LocalServer {
 public:
  LocalServer(const LocalServerOptions& options, const Context& context);
  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  const std::string& base_url() const { return base_url_; }

 private:
  void wait_until_ready(const LocalServerOptions& options, const Context& context);
  void stop();
  pid_t process_ = -1;
  std::string base_url_;
};

}  // namespace hyperllm::llm
