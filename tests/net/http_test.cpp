#include "hyperllm/net/http.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace hyperllm::net
