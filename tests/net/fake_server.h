// A web server on loopback whose every answer, delay and fault is the test's.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hyperllm::testing_support {

struct FakeRequest {
  std::string method;
  std::string path;
  std::string head;  // request line and headers as received
  std::string body;
};

struct FakeAnswer {
  enum class Fault {
    kNone,
    kHalf,   // headers and half the body, then the connection closes
    kClose,  // the connection closes without a word
    kHang,   // no answer ever
  };
  int status = 200;
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  double delay_seconds = 0;
  std::function<bool()> held_until = {};  // looked at every millisecond, after the delay
  Fault fault = Fault::kNone;
};

// One thread, epoll, HTTP/1.1 with kept connections. The handler runs on the server's thread.
class FakeServer {
 public:
  using Handler = std::function<FakeAnswer(const FakeRequest&)>;
  explicit FakeServer(Handler handler);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::int64_t requests() const { return requests_; }
  // Calls `change` while no handler runs: for what the handler reads. A run that has ended early may have
  // left requests behind, which are still being answered.
  template <typename Change>
  void change(const Change& change) {
    const std::lock_guard lock(handling_);
    change();
  }

 private:
  void serve();
  Handler handler_;
  std::mutex handling_;
  int listener_ = -1, wake_ = -1, port_ = 0;
  std::atomic<std::int64_t> requests_ = 0;
  std::thread thread_;
};

}  // namespace hyperllm::testing_support
