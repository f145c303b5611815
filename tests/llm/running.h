// A job of chat questions about subjects S0, S1, ... against a server of the test's.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/llm/chat_job.h"
#include "hyperllm/llm/replies.h"
#include "hyperllm/llm/runner.h"

namespace hyperllm::llm {

// The subject of a request: the first message of the person, "about S17".
inline std::string subject_of(const nlohmann::json& request) {
  for (const nlohmann::json& message : request["messages"])
    if (message["role"] == "user") return message["content"].get<std::string>().substr(6);
  return {};
}

// No test but that of a server that hangs may depend on how fast the machine is.
inline constexpr std::chrono::milliseconds kPatient{60000};

inline ChatJob job_for(const std::string& url, int size, std::chrono::milliseconds timeout = kPatient,
                       const std::string& key = "secret") {
  const Sampling sampling;
  ChatSpec spec{.kind = "item",
                .server = {.base_url = url + "/v1", .model = "fake", .api_key = key, .timeout = timeout},
                .format = {},
                .sampling = sampling,
                .prompt = Prompt("version: t/1\n[user]\nabout {{subject}}", "test", {"subject"}),
                .repair = Prompt("version: r/1\n[user]\nMend: {{problems}}", "test", {"problems"}),
                .schema = item_schema(true),
                .judge = [](const std::string& text) {
                  const auto parsed = parse_item_reply(text, {});
                  Judged judged{.valid = parsed.valid(), .reply = {}, .problem = {}, .mended = {}};
                  if (!parsed.valid()) judged.problem = parsed.problems[0];
                  return judged;
                }};
  return ChatJob(std::move(spec), size, [size](std::int64_t i) -> std::optional<ChatInput> {
    if (i >= size) return std::nullopt;
    const std::string subject = "S" + std::to_string(i);
    return ChatInput{subject, {{"subject", subject}}};
  });
}

class Running : public testing::Test {
 protected:
  void SetUp() override {
    file_ = std::filesystem::path(testing::TempDir()) / ("runner_" + std::to_string(::getpid()) + ".sqlite");
    TearDown();
    options_.pace.concurrency = 16;
    options_.backoff_base = 0.01;
    options_.tries = 6;
  }
  void TearDown() override {
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(file_.string() + suffix);
  }

  RunTotals run(const std::string& url, int size, const Context& context = {}) {
    auto store = CallStore::open(file_);
    ChatJob job = job_for(url, size, timeout_, key_);
    return run_job(job, *store, options_, context);
  }
  KindReport report() { return CallStore::open(file_)->report().kinds.at(0); }

  std::filesystem::path file_;
  RunnerOptions options_;
  std::chrono::milliseconds timeout_ = kPatient;
  std::string key_ = "secret";
};

// Expects kUnavailable with `words`, or without them if not `there`.
inline void expect_unavailable(const std::function<void()>& body, const std::string& words,
                               bool there = true) {
  try {
    body();
    FAIL() << "expected an error with: " << words;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
    EXPECT_EQ(std::string(error.what()).find(words) != std::string::npos, there) << error.what();
  }
}

}  // namespace hyperllm::llm
