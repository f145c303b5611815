#include "hyperllm/llm/runner.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "hyperllm/base/error.h"
#include "hyperllm/llm/replies.h"
#include "tests/llm/child_process.h"
#include "tests/llm/fake_model.h"
#include "tests/llm/running.h"
#include "tests/llm/temporary_postgres.h"

namespace hyperllm::llm {
namespace {

using namespace testing_support;
using nlohmann::json;
using Fault = FakeAnswer::Fault;

TEST_F(Running, EveryKindOfFaultIsOvercome) {
  AskedLog log, answered;
  timeout_ = std::chrono::milliseconds(3000);
  FakeServer server([&](const FakeRequest& request) {
    const json body = json::parse(request.body);
    const std::string subject = subject_of(body);
    log.add(subject);
    const int before = log.counts()[subject];
    if (request.head.find("Authorization: Bearer secret") == std::string::npos)
      return FakeAnswer{.status = 401};
    const int number = std::stoi(subject.substr(1));
    if (before == 1) {
      switch (number % 10) {
        case 1:
          return FakeAnswer{.status = 429, .body = "{}", .headers = {{"Retry-After-Ms", "5"}}};
        case 2:
          return FakeAnswer{.status = 429, .body = R"({"error": {"message": "slow down"}})"};
        case 3:
          return FakeAnswer{.status = 500, .body = "oops"};
        case 4:
          return FakeAnswer{.status = 200, .body = chat_answer("x"), .fault = Fault::kHalf};
        case 5:
          return FakeAnswer{.status = 200, .body = {}, .fault = Fault::kClose};
        case 6:
          return FakeAnswer{.status = 200, .body = {}, .fault = number == 6 ? Fault::kHang : Fault::kNone};
        case 7:
          return FakeAnswer{.status = 200, .body = "{\"choices\": [{\"mess"};
        case 8:
          answered.add(subject);
          return FakeAnswer{.status = 200, .body = chat_answer(R"({"wrong": "schema"})")};
        default:
          break;
      }
    }
    if (number % 10 == 8) {  // the repair
      EXPECT_EQ(body["messages"].size(), 3u);
      EXPECT_EQ(body["messages"][1]["content"], R"({"wrong": "schema"})");
      EXPECT_EQ(last_message(body), "Mend: \"summary\" is missing.");
    }
    answered.add(subject);
    return FakeAnswer{.status = 200, .body = chat_answer(item_completion(subject))};
  });
  const RunTotals totals = run(server.url(), 200);
  EXPECT_EQ(totals.done, 200);
  EXPECT_EQ(totals.dead, 0);
  for (const auto& [subject, count] : answered.counts())
    EXPECT_EQ(count, std::stoi(subject.substr(1)) % 10 == 8 ? 2 : 1) << subject;
  const KindReport kind = report();
  EXPECT_EQ(kind.done, 200);
  EXPECT_EQ(kind.after_repair, 20);
  EXPECT_EQ(kind.first_try, 180);
  // 20 of each of seven failures but the hangs, and 20 repairs.
  EXPECT_EQ(kind.attempts, totals.requests);
  EXPECT_EQ(kind.prompt_tokens, totals.prompt_tokens);
  EXPECT_EQ(run(server.url(), 200).requests, 0) << "all is known";
}

TEST_F(Running, RepairThenRetryThenDeadLetter) {
  std::vector<json> bodies;
  FakeServer server([&](const FakeRequest& request) {
    bodies.push_back(json::parse(request.body));
    return FakeAnswer{.status = 200, .body = chat_answer("nonsense")};
  });
  const RunTotals totals = run(server.url(), 1);
  EXPECT_EQ(totals.dead, 1);
  ASSERT_EQ(bodies.size(), 3u);
  EXPECT_EQ(bodies[0]["messages"].size(), 1u);
  EXPECT_EQ(bodies[1]["messages"].size(), 3u) << "repair";
  EXPECT_EQ(bodies[2]["messages"].size(), 1u) << "afresh";
  EXPECT_NE(bodies[2]["seed"], bodies[0]["seed"]);
  EXPECT_GT(bodies[2]["temperature"], bodies[0]["temperature"]);
  auto store = CallStore::open(file_);
  const StoreReport told = store->report();
  ASSERT_EQ(told.dead.size(), 1u);
  EXPECT_EQ(told.dead[0].subject, "S0");
  EXPECT_EQ(told.dead[0].problem, "The reply contains no JSON object.");
  EXPECT_EQ(store->reopen_dead(), 1);
}

TEST_F(Running, HopelessServersStopTheRunWithTheReason) {
  std::atomic<int> status = 401;
  FakeServer server([&](const FakeRequest&) {
    return FakeAnswer{.status = status, .body = R"({"error": {"message": "because"}})"};
  });
  expect_unavailable([&] { run(server.url(), 50); }, "refuses the key (HTTP 401: because)");
  status = 404;
  expect_unavailable([&] { run(server.url(), 50); }, "--model");
  expect_unavailable([&] { run(server.url(), 50); }, "try --base-url " + server.url() + "/v1/v1", false);
  status = 402;
  expect_unavailable([&] { run(server.url(), 50); }, "wants to be paid");
  status = 500;
  expect_unavailable([&] { run(server.url(), 50); }, "has not answered any of 6 tries (HTTP 500: because)");
  expect_unavailable([&] { run("http://127.0.0.1:1", 5); }, "run the same command to go on");
  EXPECT_EQ(report().dead, 0);
  status = 400;
  expect_unavailable([&] { run(server.url(), 500); }, "refuses every request: HTTP 400: because");
  EXPECT_GE(report().dead, kHopeless);
  EXPECT_LE(report().dead, kHopeless + options_.pace.concurrency)
      << "before it was clear that all are refused";
}

TEST_F(Running, OneRefusedOrPoisonousQuestionIsADeadLetter) {
  FakeServer server([&](const FakeRequest& request) {
    const std::string subject = subject_of(json::parse(request.body));
    if (subject == "S30") return FakeAnswer{.status = 400, .body = R"({"error": "too long"})"};
    if (subject == "S31") return FakeAnswer{.status = 500, .body = ""};
    return FakeAnswer{.status = 200, .body = chat_answer(item_completion(subject)), .delay_seconds = 0.005};
  });
  const RunTotals totals = run(server.url(), 600);
  EXPECT_EQ(totals.done, 598);
  const auto dead = CallStore::open(file_)->report().dead;
  ASSERT_EQ(dead.size(), 2u);
  EXPECT_EQ(dead[0].problem, "HTTP 400: too long");
  EXPECT_EQ(dead[1].problem, "HTTP 500");
}

TEST_F(Running, BudgetIsNeverPassedAndTheRestFollows) {
  AskedLog log;
  FakeServer server([&](const FakeRequest& request) {
    const std::string subject = subject_of(json::parse(request.body));
    log.add(subject);
    return FakeAnswer{.status = 200, .body = chat_answer(item_completion(subject), 10, 90)};
  });
  options_.budget.tokens = 5000;
  options_.price = {.input = 1, .output = 10};
  RunTotals totals = run(server.url(), 100);
  EXPECT_TRUE(totals.budget_reached);
  EXPECT_LE(totals.prompt_tokens + totals.completion_tokens, 5000);
  EXPECT_GE(totals.done, 35) << "but it is used: at most one answer of 1024 tokens stays unspent";
  EXPECT_NEAR(totals.cost, static_cast<double>(totals.done) * (10 * 1 + 90 * 10) / 1e6, 1e-9);
  options_.budget = {.tokens = 0, .cost = 0.02, .minutes = 0};
  totals = run(server.url(), 100);
  EXPECT_LE(totals.cost, 0.02);
  options_.budget = {};
  EXPECT_FALSE(run(server.url(), 100).budget_reached);
  EXPECT_EQ(report().done, 100);
  EXPECT_EQ(log.total(), 100) << "nothing is asked twice";
}

TEST_F(Running, StopsWhenAskedAndKeepsWhatItHas) {
  std::stop_source stop;
  FakeServer server([&](const FakeRequest& request) {
    const std::string subject = subject_of(json::parse(request.body));
    if (subject == "S40") stop.request_stop();
    return FakeAnswer{.status = 200, .body = chat_answer(item_completion(subject))};
  });
  Context context;
  context.stop = stop.get_token();
  try {
    run(server.url(), 1000, context);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  EXPECT_EQ(report().done, server.requests()) << "what was in flight is waited for";
  EXPECT_LT(server.requests(), 200);
}

// Runs the job in a child, kills it once `enough` requests have come in, and returns how many had.
std::int64_t run_and_kill(const FakeServer& server, const std::string& store, int size, std::int64_t enough,
                          const RunnerOptions& options) {
  const pid_t child = in_child([&] {
    auto calls = CallStore::open(store);
    ChatJob job = job_for(server.url(), size);
    run_job(job, *calls, options, {});
  });
  while (server.requests() < enough) ::usleep(1000);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return server.requests();
}

TEST_F(Running, KilledInTheMiddleItAsksNothingTwiceButWhatWasInFlight) {
  AskedLog log;
  FakeServer server([&](const FakeRequest& request) {
    const std::string subject = subject_of(json::parse(request.body));
    log.add(subject);
    return FakeAnswer{.status = 200, .body = chat_answer(item_completion(subject)), .delay_seconds = 0.002};
  });
  const int size = 1500;
  for (const int enough : {300, 700, 1100}) run_and_kill(server, file_, size, enough, options_);
  run(server.url(), size);
  EXPECT_EQ(report().done, size);
  EXPECT_EQ(log.counts().size(), static_cast<std::size_t>(size)) << "nothing is lost";
  EXPECT_LE(log.total() - size, 3 * options_.pace.concurrency)
      << "at most the calls in flight are asked again";
}

TEST_F(Running, ARepairThatWasCutOffGoesOnWithTheRepair) {
  std::vector<json> bodies;
  FakeServer server([&](const FakeRequest& request) {
    bodies.push_back(json::parse(request.body));
    if (bodies.size() == 1) return FakeAnswer{.status = 200, .body = chat_answer("nonsense")};
    if (bodies.size() == 2) return FakeAnswer{.status = 401, .body = "{}"};  // ends the first run
    return FakeAnswer{.status = 200, .body = chat_answer(item_completion("x"))};
  });
  expect_unavailable([&] { run(server.url(), 1); }, "key");
  EXPECT_EQ(run(server.url(), 1).done, 1);
  ASSERT_EQ(bodies.size(), 3u);
  EXPECT_EQ(bodies[2]["messages"].size(), 3u);
  EXPECT_EQ(bodies[2]["messages"][1]["content"], "nonsense");
}

TEST_F(Running, ForecastCountsOnlyWhatIsLeft) {
  FakeServer server([&](const FakeRequest& request) {
    return FakeAnswer{.status = 200,
                      .body = chat_answer(item_completion(subject_of(json::parse(request.body))))};
  });
  run(server.url(), 30);
  const auto asked = server.requests();
  auto store = CallStore::open(file_);
  ChatJob job = job_for(server.url(), 100);
  const Forecast forecast = forecast_job(job, store.get(), {});
  EXPECT_EQ(forecast.known, 30);
  EXPECT_EQ(forecast.calls, 70);
  EXPECT_GT(forecast.prompt_tokens, 70 * 4);
  EXPECT_EQ(server.requests(), asked);
  EXPECT_EQ(store->report().kinds[0].calls, 30) << "a forecast writes nothing";
}

TEST(RunningTogether, TwoProcessesOnOnePostgresStoreMakeEachCallOnce) {
  const std::string where = temporary_postgres();
  if (where.empty()) GTEST_SKIP() << "PostgreSQL's server programs are not installed";
  AskedLog log, askers;
  FakeServer server([&](const FakeRequest& request) {
    const json body = json::parse(request.body);
    log.add(subject_of(body));
    askers.add(request.path.substr(0, 2));
    // Held until both have asked: without answers a worker can claim only a small part of the calls, so that
    // however late the other starts, there is work left for it.
    return FakeAnswer{.status = 200,
                      .body = chat_answer(item_completion(subject_of(body))),
                      .held_until = [&] { return askers.counts().size() == 2; }};
  });
  RunnerOptions options;
  options.pace.concurrency = 8;
  options.poll_others = 0.05;
  const int size = 600;
  std::vector<pid_t> children;
  for (const char* name : {"a", "b"})
    children.push_back(in_child([&] {
      auto store = CallStore::open(where);
      ChatJob job = job_for(server.url() + "/" + name, size);
      run_job(job, *store, options, {});
    }));
  for (const pid_t child : children) EXPECT_TRUE(ended_well(child));
  EXPECT_GE(askers.counts_of("/a"), 8);
  EXPECT_GE(askers.counts_of("/b"), 8) << "both did a part";
  EXPECT_EQ(log.counts().size(), static_cast<std::size_t>(size)) << "nothing is lost";
  EXPECT_EQ(log.total(), size) << "no call was made twice";
  const KindReport kind = CallStore::open(where)->report().kinds.at(0);
  EXPECT_EQ(kind.done, size);
  EXPECT_EQ(kind.attempts, size);
}

}  // namespace
}  // namespace hyperllm::llm
