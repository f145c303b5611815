#include "hyperllm/net/http.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "hyperllm/base/error.h"
#include "hyperllm/net/secrets.h"
#include "tests/net/fake_server.h"

namespace hyperllm::net {
namespace {

using testing_support::FakeAnswer;
using testing_support::FakeRequest;
using testing_support::FakeServer;

FakeAnswer answer(const FakeRequest& request) {
  FakeAnswer out;
  out.body = request.method + " " + request.path + " " + request.body;
  out.headers = {{"X-Answer", " forty two "}};
  if (request.path == "/500") out.status = 500;
  if (request.path == "/half") out.fault = FakeAnswer::Fault::kHalf;
  if (request.path == "/close") out.fault = FakeAnswer::Fault::kClose;
  if (request.path == "/hang") out.fault = FakeAnswer::Fault::kHang;
  if (request.path == "/slow") out.delay_seconds = 0.1;
  return out;
}

TEST(Http, GetsAndPosts) {
  FakeServer server(answer);
  HttpReply reply = fetch({.url = server.url() + "/a"});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "GET /a ");
  EXPECT_EQ(reply.header("x-answer"), "forty two");
  EXPECT_EQ(reply.header("x-none"), "");
  reply = fetch({.url = server.url() + "/500", .body = std::string(200000, 'b')});
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.body, "POST /500 " + std::string(200000, 'b'));
}

TEST(Http, TellsFailuresApart) {
  FakeServer server(answer);
  for (const char* path : {"/half", "/close"}) {
    const HttpReply reply = fetch({.url = server.url() + path});
    EXPECT_EQ(reply.failure, HttpFailure::kConnection) << path;
    EXPECT_EQ(reply.status, 0);
    EXPECT_FALSE(reply.error.empty());
  }
  EXPECT_EQ(fetch({.url = server.url() + "/hang", .timeout = std::chrono::milliseconds(50)}).failure,
            HttpFailure::kTimeout);
  EXPECT_EQ(fetch({.url = "http://127.0.0.1:1/"}).failure, HttpFailure::kConnection);
}

TEST(Http, ManyAtOnceOnOneLoop) {
  FakeServer server(answer);
  HttpLoop loop;
  int done = 0;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i)
    loop.send({.url = server.url() + "/slow"}, [&](HttpReply&& reply) { done += reply.status == 200; });
  EXPECT_EQ(loop.in_flight(), 50);
  while (loop.in_flight() > 0) loop.turn(std::chrono::milliseconds(100));
  EXPECT_EQ(done, 50);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2)) << "not one after the other";
}

std::string deflated(std::size_t zeros) {
  const std::string bytes(zeros, '0');
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  EXPECT_EQ(compress(reinterpret_cast<Bytef*>(out.data()), &size,
                     reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()),
            Z_OK);
  out.resize(size);
  return out;
}

TEST(Http, BombsAreBrokenOff) {
  const std::string bomb = deflated(std::size_t{64} << 20), fits = deflated(std::size_t{1} << 20);
  FakeServer server([&](const FakeRequest& request) {
    FakeAnswer out;
    out.headers = {{"Content-Encoding", "deflate"}};
    if (request.path == "/bomb") out.body = bomb;
    if (request.path == "/fits") out.body = fits;
    if (request.path == "/headers")
      for (int i = 0; i < 100; ++i)
        out.headers.emplace_back("X-" + std::to_string(i), std::string(9000, 'h'));
    return out;
  });
  HttpReply reply = fetch({.url = server.url() + "/bomb"});
  EXPECT_EQ(reply.failure, HttpFailure::kTooLarge);
  EXPECT_NE(reply.error.find("larger than 16 MiB"), std::string::npos) << reply.error;
  EXPECT_LE(reply.body.size(), std::size_t{16} << 20);
  EXPECT_EQ(fetch({.url = server.url() + "/headers"}).failure, HttpFailure::kTooLarge);
  reply = fetch({.url = server.url() + "/fits", .most_bytes = std::size_t{1} << 20});
  EXPECT_EQ(reply.body.size(), std::size_t{1} << 20);
  EXPECT_EQ(fetch({.url = server.url() + "/fits", .most_bytes = (std::size_t{1} << 20) - 1}).failure,
            HttpFailure::kTooLarge);
}

TEST(Http, StopsWaitingWhenAsked) {
  std::stop_source stop;
  FakeServer server([&](const FakeRequest&) {
    stop.request_stop();
    return FakeAnswer{.fault = FakeAnswer::Fault::kHang};
  });
  EXPECT_EQ(fetch({.url = server.url()}, stop.get_token()).failure, HttpFailure::kStopped);
}

TEST(Http, HeadersHoldNoLineEnds) {
  for (const char* key : {"k\r\nX: y", "k\n", "k\x7f"})
    EXPECT_THROW(fetch({.url = "http://127.0.0.1:1/", .headers = {std::string("Authorization: ") + key}}),
                 Error);
}

TEST(Http, OnlyHttpIsSpoken) {
  EXPECT_EQ(fetch({.url = "file:///etc/hostname"}).failure, HttpFailure::kConnection);
}

// A server of openssl's with a certificate that nobody has signed but itself.
class Tls {
 public:
  Tls() : folder_(std::filesystem::path(testing::TempDir()) / ("tls_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    const std::string make =
        "cd " + folder_.string() +
        " && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 "
        "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>/dev/null";
    made_ = std::system(make.c_str()) == 0;
    port_ = 20000 + ::getpid() % 20000;
    const std::string accept = "127.0.0.1:" + std::to_string(port_), key = folder_ / "key.pem";
    const std::string certificate = cert();
    const char* words[] = {"openssl", "s_server",          "-quiet", "-www",
                           "-accept", accept.c_str(),      "-key",   key.c_str(),
                           "-cert",   certificate.c_str(), nullptr};
    if (made_)
      made_ = ::posix_spawnp(&child_, "openssl", nullptr, nullptr, const_cast<char**>(words), environ) == 0;
  }
  ~Tls() {
    if (child_ > 0) ::kill(child_, SIGTERM), ::waitpid(child_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }
  bool made() const { return made_; }
  std::string cert() const { return folder_ / "cert.pem"; }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  std::filesystem::path folder_;
  bool made_ = false;
  int port_ = 0;
  pid_t child_ = -1;
};

TEST(Http, UntrustedCertificatesAreTheirOwnFailureAndCanBeTrusted) {
  Tls server;
  if (!server.made()) GTEST_SKIP() << "openssl's program is not installed";
  HttpReply reply;
  for (int i = 0; i < 100; ++i) {  // until it listens
    reply = fetch({.url = server.url()});
    if (reply.failure == HttpFailure::kCertificate) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(reply.failure, HttpFailure::kCertificate) << reply.error;
  EXPECT_NE(reply.error.find("certificate"), std::string::npos) << reply.error;
  EXPECT_EQ(fetch({.url = server.url(), .ca_file = server.cert()}).status, 200);
}

const std::string kKey = R"(sk-4f"/Xy+z9&Q)";

TEST(Secrets, AreMaskedHoweverTheServerWritesThem) {
  const std::string key = kKey;
  const std::vector<std::string> secrets = {key};
  for (const std::string& written :
       {key, std::string(R"(sk-4f\"/Xy+z9&Q)"), std::string(R"(sk-4f\"\/Xy+z9&Q)"),
        std::string(R"(sk-4f\\\"\\\/Xy+z9&Q)"), std::string(R"(\u0073k-4f\u0022\u002FXy\u002bz9\u0026Q)"),
        std::string(R"(sk-4f\\u0022\\u002fXy+z9\\u0026Q)"), std::string("sk-4f%22%2FXy%2Bz9%26Q"),
        std::string("%73%6b-4f%2522%252FXy%252bz9%2526Q"), std::string("sk-4f&quot;&#47;Xy&#x2B;z9&amp;Q"),
        std::string(R"(sk-4f\x22/Xy+z9&Q)")})
    EXPECT_EQ(masked("a " + written + written + " b", secrets, true), "a ****** b") << written;
  EXPECT_EQ(masked("sk-4f and no more", secrets), "sk-4f and no more");
  const std::vector<std::string> escapes = {R"(12%34\56)"};
  for (const std::string& written : {std::string(R"(12%34\56)"), std::string(R"(12%34\\56)"),
                                     std::string(R"(12%2534%5C56)"), std::string(R"(12%34\u005c56)")})
    EXPECT_EQ(masked(written, escapes), "***") << written;
}

TEST(Secrets, ShortOnesThatMayBeWordsAreMaskedOnlyWhereTheyStandAlone) {
  const std::vector<std::string> secrets = {"test"};
  EXPECT_EQ(masked("tested: bad key 'test'.", secrets), "tested: bad key '***'.");
  EXPECT_EQ(masked("a test of Bearer test", secrets, true), "a test of Bearer ***");
}

TEST(Secrets, AddressesLoseUserAndPassword) {
  EXPECT_EQ(shown_url("http://me:p%40ss@host:80/v1?a@b"), "http://***@host:80/v1?a@b");
  EXPECT_EQ(shown_url("http://me:p@ss@host/v1"), "http://***@host/v1");
  EXPECT_EQ(shown_url("http://host/a@b"), "http://host/a@b");
  EXPECT_EQ(shown_url("postgresql:///db"), "postgresql:///db");
  const auto secrets = url_secrets("http://me:p%40ss@host/v1");
  EXPECT_EQ(masked("got Basic bWU6cEBzcw== and p%40ss", secrets), "got Basic ***== and ***");
  EXPECT_TRUE(url_secrets("http://host/v1").empty());
}

TEST(Secrets, MaskingIsLinear) {
  const std::vector<std::string> secrets = {"aaaaaaaaaaaaaaaaaaaab", "\\\\\\\\\\\\\\\\x"};
  for (const std::string part : {"\\", "%25", "&#", "a", "&#x"}) {
    std::string text;
    for (int i = 0; i < 1000000; ++i) text += part;
    EXPECT_EQ(masked(text, secrets), text);
  }
}

TEST(Http, RepliesNeverHoldTheKey) {
  FakeServer server([&](const FakeRequest& request) {
    FakeAnswer out{.status = 401, .body = request.head + kKey};
    out.headers = {{"X-Echo", kKey}};
    return out;
  });
  std::string address = server.url();
  address.insert(7, "someone:hidden-word@");
  const HttpReply reply = fetch({.url = address + "/v1", .headers = {"X-Key: " + kKey}, .secrets = {kKey}});
  for (const std::string& secret :
       {kKey, std::string("someone"), std::string("hidden-word"), base64_of("someone:hidden-word")}) {
    EXPECT_EQ(reply.body.find(secret), std::string::npos) << reply.body;
    EXPECT_EQ(reply.header("x-echo").find(secret), std::string::npos);
    EXPECT_EQ(reply.url.find(secret), std::string::npos) << reply.url;
  }
  EXPECT_NE(reply.body.find("Authorization: Basic ***"), std::string::npos) << reply.body;
}

}  // namespace
}  // namespace hyperllm::net
