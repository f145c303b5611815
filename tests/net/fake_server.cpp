#include "tests/net/fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <stdexcept>

namespace hyperllm::testing_support {
namespace {

using Clock = std::chrono::steady_clock;

struct Connection {
  std::string in, out;
  bool close_after = false;
  std::uint64_t serial = 0;
};

// The first whole request in `in`, which loses it; false if it is not whole yet.
bool take_request(std::string& in, FakeRequest& request) {
  const std::size_t end = in.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  request.head = in.substr(0, end);
  std::size_t length = 0;
  if (const std::size_t at = request.head.find("Content-Length: "); at != std::string::npos)
    length = std::stoul(request.head.substr(at + 16));
  if (in.size() < end + 4 + length) return false;
  const std::size_t blank = in.find(' '), second = in.find(' ', blank + 1);
  request.method = in.substr(0, blank);
  request.path = in.substr(blank + 1, second - blank - 1);
  request.body = in.substr(end + 4, length);
  in.erase(0, end + 4 + length);
  return true;
}

std::string wire(const FakeAnswer& answer) {
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " X\r\nContent-Type: application/json\r\n";
  for (const auto& [name, value] : answer.headers) text += name + ": " + value + "\r\n";
  text += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n";
  const bool half = answer.fault == FakeAnswer::Fault::kHalf;
  return text + (half ? answer.body.substr(0, answer.body.size() / 2) : answer.body);
}

// The sockets and timers of one running server.
class Loop {
 public:
  Loop(int listener, int wake, const FakeServer::Handler& handler, std::atomic<std::int64_t>& requests)
      : listener_(listener), wake_(wake), handler_(handler), requests_(requests), poll_(::epoll_create1(0)) {
    watch(listener_, EPOLLIN);
    watch(wake_, EPOLLIN);
  }
  ~Loop() {
    for (const auto& [descriptor, connection] : connections_) ::close(descriptor);
    ::close(poll_);
  }

  void run() {
    std::array<epoll_event, 256> events;
    while (true) {
      const int count = ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), wait());
      for (int i = 0; i < count; ++i) {
        const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
        if (descriptor == wake_) return;
        if (descriptor == listener_)
          accept_all();
        else
          receive(descriptor);
      }
      answer_due();
    }
  }

 private:
  void watch(int descriptor, std::uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.fd = descriptor;
    ::epoll_ctl(poll_, EPOLL_CTL_ADD, descriptor, &event);
  }

  int wait() const {
    if (due_.empty()) return -1;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(due_.begin()->first - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(0, left.count() + 1));
  }

  void accept_all() {
    for (int fd; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      const int one = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      connections_[fd].serial = ++serial_;
      watch(fd, EPOLLIN);
    }
  }

  void drop(int descriptor) {
    connections_.erase(descriptor);
    // A forked child may hold the same connection; closing ours alone would leave it watched for ever.
    ::epoll_ctl(poll_, EPOLL_CTL_DEL, descriptor, nullptr);
    ::close(descriptor);
  }

  void receive(int descriptor) {
    const auto found = connections_.find(descriptor);
    if (found == connections_.end()) return;
    std::array<char, 65536> buffer;
    const ssize_t got = ::recv(descriptor, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EAGAIN) return;  // the event was about a closed connection of the same number
    if (got <= 0) return drop(descriptor);
    found->second.in.append(buffer.data(), static_cast<std::size_t>(got));
    FakeRequest request;
    if (!take_request(found->second.in, request)) return;
    ++requests_;
    const FakeAnswer answer = handler_(request);
    if (answer.fault == FakeAnswer::Fault::kHang) return;
    if (answer.delay_seconds <= 0 && !answer.held_until) return give(descriptor, answer);
    give_in(answer.delay_seconds, descriptor, found->second.serial, answer);
  }

  void give_in(double seconds, int descriptor, std::uint64_t serial, const FakeAnswer& answer) {
    const auto delay = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    due_.emplace(Clock::now() + delay, std::tuple(descriptor, serial, answer));
  }

  void give(int descriptor, const FakeAnswer& answer) {
    if (answer.fault == FakeAnswer::Fault::kClose) return drop(descriptor);
    const std::string text = wire(answer);
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t sent = ::send(descriptor, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return drop(descriptor);
      at += sent > 0 ? static_cast<std::size_t>(sent) : 0;
    }
    if (answer.fault == FakeAnswer::Fault::kHalf) drop(descriptor);
  }

  void answer_due() {
    while (!due_.empty() && due_.begin()->first <= Clock::now()) {
      const auto [descriptor, serial, answer] = due_.begin()->second;
      due_.erase(due_.begin());
      const auto found = connections_.find(descriptor);
      if (found == connections_.end() || found->second.serial != serial) continue;
      if (answer.held_until && !answer.held_until())
        give_in(0.001, descriptor, serial, answer);
      else
        give(descriptor, answer);
    }
  }

  int listener_, wake_;
  const FakeServer::Handler& handler_;
  std::atomic<std::int64_t>& requests_;
  int poll_;
  std::uint64_t serial_ = 0;
  std::map<int, Connection> connections_;
  std::multimap<Clock::time_point, std::tuple<int, std::uint64_t, FakeAnswer>> due_;
};

}  // namespace

FakeServer::FakeServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(listener_, 512) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw std::runtime_error("no loopback socket for the fake server");
  port_ = ntohs(address.sin_port);
  wake_ = ::eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { serve(); });
}

FakeServer::~FakeServer() {
  const std::uint64_t one = 1;
  if (::write(wake_, &one, sizeof one) != sizeof one) std::terminate();
  thread_.join();
  ::close(listener_);
  ::close(wake_);
}

void FakeServer::serve() {
  const Handler alone = [this](const FakeRequest& request) {
    const std::lock_guard lock(handling_);
    return handler_(request);
  };
  Loop(listener_, wake_, alone, requests_).run();
}

}  // namespace hyperllm::testing_support
