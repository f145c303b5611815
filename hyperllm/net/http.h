// HTTP, spoken by libcurl: many requests in flight on one event loop. The one place that makes connections.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hyperllm::net {

struct HttpRequest {
  std::string url = {};
  std::string body = {};                  // empty: GET, else POST
  std::vector<std::string> headers = {};  // "Name: value"
  std::chrono::milliseconds timeout{600000};
  std::chrono::milliseconds connect_timeout{10000};
  std::size_t most_bytes = std::size_t{16} << 20;  // of the reply's body, inflated
  std::string ca_file = {};                        // authorities to trust instead of the system's list
  std::vector<std::string> secrets = {};           // beside those of the address: the reply never holds them
};

enum class HttpFailure {
  kNone,
  kTimeout,
  kConnection,
  kCertificate,  // nothing was sent
  kTooLarge,     // more than most_bytes
  kStopped,      // by the user; fetch() alone
};

struct HttpReply {
  int status = 0;  // 0 if no whole reply came
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  HttpFailure failure = HttpFailure::kNone;
  std::string error;  // libcurl's words if there was a failure
  std::string url;    // of the request, without user and password
  double seconds = 0;

  // The header's value, "" if absent; `name` in lower case.
  std::string_view header(std::string_view name) const;
};

// An event loop for one thread. Connections are kept and used again. Destroying it drops what is in flight.
class HttpLoop {
 public:
  using Done = std::function<void(HttpReply&&)>;

  HttpLoop();
  ~HttpLoop();
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;

  // Starts a request; `done` is called from turn(), exactly once, unless the loop is destroyed before.
  // Redirects are not followed, so that no key goes where it was not meant to. In body, headers and error
  // every secret of the request is replaced by "***". Throws kInvalidArgument for a header with a control
  // character.
  void send(HttpRequest request, Done done);
  // Waits until something happens, at most `wait`, and calls what is done. Callbacks may send.
  void turn(std::chrono::milliseconds wait);
  int in_flight() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Seconds since 1970 of a date as HTTP writes it; -1 if it is none.
double parse_http_date(std::string_view text);

// One request, waited for until it is done or the user wants to stop.
HttpReply fetch(HttpRequest request, const std::stop_token& stop = {});

}  // namespace hyperllm::net
