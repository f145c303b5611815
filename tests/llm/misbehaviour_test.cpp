// Servers that do what they should not, mode by mode.
#include <gtest/gtest.h>

#include <atomic>

#include "hyperllm/base/files.h"
#include "tests/llm/fake_model.h"
#include "tests/llm/running.h"

namespace hyperllm::llm {
namespace {

using namespace testing_support;
using nlohmann::json;

// A server that is reached, but is none of a language model, or not at that address.
TEST_F(Running, WrongAddressesAreNamedWithTheRightOnes) {
  std::string location;
  FakeServer server([&](const FakeRequest& request) {
    FakeAnswer out{.status = 308, .body = "", .headers = {{"Location", location + request.path}}};
    if (location.empty()) out.headers = {{"Location", "/login?next=" + request.path + "&x"}};
    return out;
  });
  server.change([&] { location = "https://elsewhere.example/api"; });
  expect_unavailable([&] { run(server.url(), 5); },
                     "redirects to https://elsewhere.example/api/v1/chat/completions");
  expect_unavailable([&] { run(server.url(), 5); }, "--base-url https://elsewhere.example/api/v1");
  server.change([&] { location = ""; });
  expect_unavailable([&] { run(server.url(), 5); }, "redirects to " + server.url() + "/login");
  FakeServer bare(
      [](const FakeRequest&) { return FakeAnswer{.status = 404, .body = "<h1>nothing here</h1>"}; });
  expect_unavailable([&] { run(bare.url(), 5); }, "ends in /v1");
}

// 200, but what comes is no reply of a model: said with the first words, and given up early.
TEST_F(Running, RepliesThatAreNoneAreShownAndEndTheRunEarly) {
  const std::pair<const char*, const char*> bodies[] = {
      {"<html><head><title>Log in</title>", "is not JSON; it begins: <html><head><title>Log in</title>"},
      {"", "is not JSON; it is empty"},
      {"\xff\xfe{\"choices\": 1}", "is not JSON"},
      {R"({"choices": [{"message": {"content": "\ud800"}}]})", "is not JSON"},
      {R"({"choices": NaN})", "is not JSON; it begins: {\"choices\": NaN}"},
      {R"({"choices": [{"message")", "is not JSON"},
      {"null", "has no message; it begins: null"},
      {"[]", "has no message"},
      {R"("text")", "has no message"},
      {R"({"choices": []})", "has no choice"},
      {R"({"choices": null})", "has no choice"},
      {R"({"choices": {"message": {"content": "x"}}})", "has no choice"},
      {R"({"choices": [null]})", "has no message"},
      {R"({"choices": [{"message": "x"}]})", "has no message"},
      {R"({"choices": [{"text": "old style"}]})", "has no message"},
      {R"({"choices": [{"delta": {"content": "x"}}]})", "has no message"},
      {R"({"error": {"message": "out of cheese"}})", "is an error: out of cheese"},
      {R"({"error": "out of cheese"})", "is an error: out of cheese"},
      {R"({"error": {"code": 7}})", "is an error: {\"code\":7}"},
      {R"([{"error": {"message": "out of cheese"}}])", "is an error: out of cheese"},
      {R"({"detail": "out of cheese"})", "is an error: out of cheese"},
  };
  std::string body;
  FakeServer server([&](const FakeRequest&) { return FakeAnswer{.body = body}; });
  for (const auto& [text, words] : bodies) {
    TearDown();
    server.change([&] { body = text; });
    const auto before = server.requests();
    expect_unavailable([&] { run(server.url(), 60); }, words);
    EXPECT_LE(server.requests() - before, kHopeless + options_.pace.concurrency) << text;
  }
  const std::string deep(500000, '[');
  for (const std::string& hostile :
       {deep, R"({"choices": [{"message": {"content": "x"}}], "usage": )" + deep, "{\"error\": " + deep}) {
    TearDown();
    server.change([&] { body = hostile; });
    expect_unavailable([&] { run(server.url(), 60); }, "is not JSON");
  }
}

// Well-formed replies without an answer: the run ends before it has cost much, and says what they had.
TEST_F(Running, RepliesWithoutATextEndTheRunAndSayWhatTheyHave) {
  const std::pair<const char*, const char*> messages[] = {
      {R"({"content": null})", "content is null"},
      {R"({})", "content is missing"},
      {R"({"content": ""})", "content is empty"},
      {R"({"content": "  \n"})", "content is empty"},
      {R"({"content": 7})", "content is number"},
      {R"({"content": true})", "content is boolean"},
      {R"({"content": {"text": "x"}})", "content is object"},
      {R"({"content": []})", "content is a list without text"},
      {R"({"content": [{"type": "image_url", "image_url": {"url": "x"}}, null, 3]})",
       "content is a list without text"},
      {R"({"content": [{"type": "refusal", "refusal": "I\nwill not."}]})", R"(refusal "I will not.")"},
      {R"({"content": null, "refusal": "I cannot help with that."})",
       R"(refusal "I cannot help with that.")"},
      {R"({"content": null, "reasoning_content": "Let me think"})", "only reasoning_content"},
      {R"({"content": "", "reasoning": "Let me think"})", "only reasoning"},
      {R"({"content": "", "thinking": "Let me think"})", "only thinking"},
      {R"({"content": null, "tool_calls": [{"function": {"name": "f"}}]})", "tool_calls"},
      {R"({"content": null, "function_call": {"name": "f"}})", "function_call"},
  };
  json message;
  std::string finish;
  FakeServer server([&](const FakeRequest&) {
    return FakeAnswer{.body = json{{"choices", {{{"message", message}, {"finish_reason", finish}}}}}.dump()};
  });
  for (const auto& [text, words] : messages)
    for (const std::string reason : {"length", "content_filter"}) {
      TearDown();
      server.change([&] {
        message = json::parse(text);
        finish = reason;
      });
      const auto before = server.requests();
      expect_unavailable([&] { run(server.url(), 200); }, words);
      EXPECT_LE(server.requests() - before, 3 * kHopeless + options_.pace.concurrency) << text;
      const StoreReport told = CallStore::open_to_read(file_)->report();
      EXPECT_NE(told.problems.at(0).example.find("finish_reason " + reason), std::string::npos)
          << told.problems[0].example;
    }
  // A list of text parts is a text.
  TearDown();
  const std::string whole = item_completion("x");
  server.change([&] {
    message = {{"content",
                {{{"type", "text"}, {"text", whole.substr(0, 40)}},
                 {{"type", "text"}, {"text", whole.substr(40)}}}}};
  });
  EXPECT_EQ(run(server.url(), 3).done, 3);
}

TEST_F(Running, NumbersOfAnyKindDefeatNoBudgetAndEndNoRun) {
  const char* usages[] = {"null",
                          "[]",
                          "7",
                          R"({"prompt_tokens": null, "completion_tokens": null})",
                          R"({"prompt_tokens": "x", "completion_tokens": {}})",
                          R"({"prompt_tokens": -1, "completion_tokens": -9223372036854775808})",
                          R"({"prompt_tokens": 9e18, "completion_tokens": 9223372036854775807})",
                          R"({"prompt_tokens": 18446744073709551615, "completion_tokens": 1e300})",
                          R"({"prompt_tokens": 1.5, "completion_tokens": 0.1})",
                          R"({"prompt_tokens": 0, "completion_tokens": 0})",
                          R"({"prompt_tokens": "9000000000000000000", "completion_tokens": "-5"})"};
  std::string usage;
  FakeServer server([&](const FakeRequest& request) {
    json body = json::parse(chat_answer(item_completion(subject_of(json::parse(request.body)))));
    body["usage"] = json::parse(usage);
    return FakeAnswer{.body = body.dump()};
  });
  options_.budget.tokens = 6000;
  for (const char* text : usages) {
    TearDown();
    server.change([&] { usage = text; });
    const RunTotals totals = run(server.url(), 300);
    EXPECT_TRUE(totals.budget_reached) << text;
    EXPECT_GE(totals.done, 10) << text;
    const auto tokens = totals.prompt_tokens + totals.completion_tokens;
    EXPECT_GT(tokens, 4000) << text;
    EXPECT_LE(tokens, 6000) << text;
    EXPECT_EQ(CallStore::open(file_)->spent().prompt_tokens, totals.prompt_tokens) << text;
  }
  TearDown();
  server.change([&] { usage = R"({"prompt_tokens": "10", "completion_tokens": 20.0})"; });
  options_.budget = {};
  EXPECT_EQ(run(server.url(), 10).prompt_tokens, 100) << "a number as text is one";
  EXPECT_EQ(report().completion_tokens, 200);
}

// Refusals of the first few, as a content filter makes them, are dead letters; the rest is answered.
TEST_F(Running, EarlyRefusalsAreDeadLettersIfOthersAreAnswered) {
  FakeServer server([&](const FakeRequest& request) {
    const std::string subject = subject_of(json::parse(request.body));
    if (std::stoi(subject.substr(1)) < kHopeless - 1)
      return FakeAnswer{.status = 400,
                        .body = R"({"error": {"code": "content_filter", "message": "filtered"}})"};
    return FakeAnswer{.body = chat_answer(item_completion(subject))};
  });
  const RunTotals totals = run(server.url(), 60);
  EXPECT_EQ(totals.dead, kHopeless - 1);
  EXPECT_EQ(totals.done, 60 - totals.dead);
}

// Hard questions at the front end no run that found answers before, wherever those stand in the job.
TEST_F(Running, WhatIsKnownCountsAsAnswered) {
  const int hard = 3 * static_cast<int>(kHopeless);
  FakeServer server([&](const FakeRequest& request) {
    const std::string subject = subject_of(json::parse(request.body));
    if (std::stoi(subject.substr(1)) < hard) return FakeAnswer{.body = chat_answer("nonsense")};
    return FakeAnswer{.body = chat_answer(item_completion(subject))};
  });
  expect_unavailable([&] { run(server.url(), 500); }, "of use; the last: The reply contains no JSON object");
  expect_unavailable([&] { run(server.url(), 500); }, "--retry-failed");
  for (int round = 0; round < 3; ++round) try {
      run(server.url(), 500);
    } catch (const Error&) {
    }
  EXPECT_EQ(report().done, 500 - hard) << "each run gets further";
  CallStore::open(file_)->reopen_dead();
  EXPECT_EQ(run(server.url(), 500).dead, hard);
}

TEST_F(Running, LongWaitsAreToldOnce) {
  struct Messages : Sink {
    void message(Level, std::string_view text) override { all += std::string(text) + "\n"; }
    void progress(std::string_view, std::int64_t, std::int64_t, double, double, std::string_view,
                  bool) override {}
    std::string all;
  } messages;
  std::atomic<int> asked = 0;
  FakeServer server([&](const FakeRequest& request) {
    if (++asked <= 4)
      return FakeAnswer{.status = 500, .body = R"({"error": "tired"})", .headers = {{"Retry-After", "1"}}};
    return FakeAnswer{.body = chat_answer(item_completion(subject_of(json::parse(request.body))))};
  });
  Context context;
  context.sink = &messages;
  options_.silence = 0.9;
  options_.pace.concurrency = 4;
  run(server.url(), 8, context);
  EXPECT_NE(messages.all.find("the server asks to wait 1 s (HTTP 500: tired)"), std::string::npos)
      << messages.all;
  EXPECT_EQ(messages.all.find("asks to wait"), messages.all.rfind("asks to wait")) << messages.all;
}

// The key is nowhere, whatever the server does with it.
TEST_F(Running, TheKeyReachesNoTextOfOurs) {
  std::atomic<int> status = 200;
  std::string form = "plain";
  FakeServer server([&](const FakeRequest& request) {
    std::string head = request.head;
    if (form == "escaped")
      for (std::size_t at; (at = head.find("secret-4711")) != std::string::npos;)
        head.replace(at, 11, "\\u0073ecret-4711");
    const json words = form == "escaped" ? json() : json(head);
    std::string body = json{{"error", {{"message", words}}}}.dump();
    if (form == "escaped") {
      std::string lines = head;
      for (std::size_t at = 0; (at = lines.find("\r\n", at)) != std::string::npos;)
        lines.replace(at, 2, "\\n");
      body = "{\"error\": {\"message\": \"" + lines + "\"}}";
    }
    if (status == 200) body = chat_answer(head);
    return FakeAnswer{
        .status = status, .body = body, .headers = {{"Location", "/" + std::string("secret-4711")}}};
  });
  key_ = "secret-4711";
  for (const int code : {200, 301, 400, 401, 402, 404, 429, 500})
    for (const char* how : {"plain", "escaped"}) {
      TearDown();
      status = code;
      server.change([&] { form = how; });
      options_.tries = 2;
      std::string said;
      try {
        run(server.url(), 25);
      } catch (const Error& error) {
        said = error.what();
      }
      EXPECT_FALSE(said.empty());
      EXPECT_EQ(said.find("cret-4711"), std::string::npos) << code << said;
      for (const char* suffix : {"", "-wal"})
        if (std::filesystem::exists(file_.string() + suffix)) {
          EXPECT_EQ(read_file(file_.string() + suffix).find("cret-4711"), std::string::npos) << code << how;
        }
    }
}

}  // namespace
}  // namespace hyperllm::llm
