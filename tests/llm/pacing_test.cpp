#include "hyperllm/llm/pacing.h"

#include <gtest/gtest.h>

#include "hyperllm/base/error.h"

namespace hyperllm::llm {
namespace {

net::HttpReply with(std::vector<std::pair<std::string, std::string>> headers) {
  net::HttpReply reply;
  reply.headers = std::move(headers);
  return reply;
}

TEST(Pacing, ReadsDurations) {
  EXPECT_DOUBLE_EQ(parse_duration("12ms"), 0.012);
  EXPECT_DOUBLE_EQ(parse_duration("6m0s"), 360);
  EXPECT_DOUBLE_EQ(parse_duration("1h2m3.5s"), 3723.5);
  EXPECT_DOUBLE_EQ(parse_duration("7"), 7);
  for (const char* bad : {"", "abc", "-1s", "5 parsecs", "nan"}) EXPECT_EQ(parse_duration(bad), -1) << bad;
}

TEST(Pacing, ReadsRetryAfterInItsThreeForms) {
  EXPECT_DOUBLE_EQ(retry_after(with({{"retry-after-ms", "250"}, {"retry-after", "9"}}), 0), 0.25);
  EXPECT_DOUBLE_EQ(retry_after(with({{"retry-after", "9"}}), 0), 9);
  EXPECT_DOUBLE_EQ(retry_after(with({{"retry-after", "Thu, 01 Jan 1970 00:01:40 GMT"}}), 40), 60);
  EXPECT_DOUBLE_EQ(retry_after(with({{"retry-after", "Thu, 01 Jan 1970 00:00:10 GMT"}}), 40), 0);
  EXPECT_EQ(retry_after(with({{"retry-after", "soon"}}), 0), -1);
  EXPECT_EQ(retry_after(with({{"retry-after", "-5"}}), 0), -1);
  EXPECT_EQ(retry_after(with({}), 0), -1);
}

TEST(Pacing, KeepsToWhatTheServerSaysIsLeft) {
  Pacer pacer({.concurrency = 100});
  pacer.learn(with({{"x-ratelimit-remaining-requests", "2"}, {"x-ratelimit-reset-requests", "10s"}}), 0);
  EXPECT_TRUE(pacer.may_send(0, 0, 1));
  pacer.sent(0, 1);
  pacer.sent(0, 1);
  EXPECT_FALSE(pacer.may_send(0, 2, 1));
  EXPECT_DOUBLE_EQ(pacer.wait(4), 6);
  EXPECT_TRUE(pacer.may_send(10.1, 2, 1));
  pacer.learn(with({{"x-ratelimit-remaining-tokens", "500"}, {"x-ratelimit-reset-tokens", "1s"}}), 20);
  EXPECT_FALSE(pacer.may_send(20, 1, 600));
  EXPECT_TRUE(pacer.may_send(20, 0, 600)) << "alone, even a large request must go some time";
  EXPECT_TRUE(pacer.may_send(20, 1, 400));
}

TEST(Pacing, NonsenseHeadersAreUnknown) {
  for (const auto& [left, reset] :
       std::vector<std::pair<std::string, std::string>>{{"-1", "1s"}, {"0", ""}, {"0", "0s"}, {"x", "1s"}}) {
    Pacer pacer({.concurrency = 4});
    pacer.learn(with({{"x-ratelimit-remaining-requests", left}, {"x-ratelimit-reset-requests", reset}}), 0);
    EXPECT_TRUE(pacer.may_send(0, 0, 1)) << left << " " << reset;
  }
}

TEST(Pacing, KeepsToTheUsersOwnLimits) {
  Pacer pacer({.concurrency = 1000, .requests_per_minute = 600, .tokens_per_minute = 0});
  int sent = 0;
  for (double now = 0; now < 60; now += 0.01)
    while (pacer.may_send(now, 0, 10)) pacer.sent(now, 10), ++sent;
  EXPECT_NEAR(sent, 600, 15);
  Pacer tokens({.concurrency = 1000, .requests_per_minute = 0, .tokens_per_minute = 6000});
  sent = 0;
  for (double now = 0; now < 60; now += 0.01)
    while (tokens.may_send(now, 0, 50)) tokens.sent(now, 50), ++sent;
  EXPECT_NEAR(sent, 120, 4);
}

TEST(Pacing, OverloadHalvesOnceAWaveAndRecovers) {
  Pacer pacer({.concurrency = 64});
  for (int i = 0; i < 40; ++i) pacer.overloaded(1.0 + i * 0.001, -1);
  EXPECT_DOUBLE_EQ(pacer.allowed(), 32);
  pacer.overloaded(2, 3);
  EXPECT_DOUBLE_EQ(pacer.allowed(), 16);
  EXPECT_FALSE(pacer.may_send(4.9, 0, 1));
  EXPECT_TRUE(pacer.may_send(5.1, 0, 1));
  for (int i = 0; i < 5000; ++i) pacer.succeeded();
  EXPECT_DOUBLE_EQ(pacer.allowed(), 64);
}

TEST(Pacing, BacksOffWithJitterUnlessTheServerSaysWhen) {
  Random random(1, "test");
  for (int failures = 1; failures <= 12; ++failures) {
    const double full = std::min(0.5 * (1 << (failures - 1)), 30.0);
    const double delay = backoff(failures, -1, 0.5, random);
    EXPECT_GE(delay, full / 2);
    EXPECT_LE(delay, full);
  }
  EXPECT_DOUBLE_EQ(backoff(3, 7, 0.5, random), 7);
  EXPECT_LE(backoff(1, 100000, 0.5, random), 0.5) << "a wish for a day is not granted";
}

TEST(Budget, IsReadAndRefused) {
  const Budget budget = Budget::parse({"tokens=2M", "cost=4.5", "minutes=30"});
  EXPECT_EQ(budget.tokens, 2e6);
  EXPECT_EQ(budget.cost, 4.5);
  EXPECT_EQ(budget.minutes, 30);
  EXPECT_EQ(budget.text(), "tokens=2e+06,cost=4.5,minutes=30");
  for (const char* bad : {"", "5", "tokens", "tokens=", "tokens=-1", "tokens=2X", "dollars=5", "cost=0"}) {
    try {
      Budget::parse({bad});
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("option 'budget'"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace hyperllm::llm
