#include "hyperllm/llm/extraction.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <set>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/llm/call_store.h"
#include "tests/llm/extracting.h"

namespace hyperllm::llm {
namespace {

using namespace testing_support;
using nlohmann::json;
using Fault = FakeAnswer::Fault;
namespace fs = std::filesystem;

TEST_F(Extracting, WritesTagsEdgesAndSummaries) {
  FakeServer server([](const FakeRequest& r) { return good_answer(json::parse(r.body)); });
  const ExtractionResult result = extract(folder_, options(server), {});
  ASSERT_TRUE(result.written);
  EXPECT_EQ(server.requests(), 1 + 30 + 20) << "probe, items, users";
  EXPECT_EQ(result.tags.tags.size(), 1u + 30 + 30);
  EXPECT_EQ(result.tags.edges.size(), 60u);
  EXPECT_EQ(result.tags.tag_items.size(), 90u);
  EXPECT_EQ(result.tags.tags[0].text, "Things");
  EXPECT_EQ(result.tags.tags[0].level, 1);
  EXPECT_EQ(result.cleaning.hubs.at(0).second, 30);
  EXPECT_TRUE(contains(result.item_summaries[7], "Titlei7"));
  EXPECT_TRUE(contains(result.user_summaries[3], "Likes things"));
  const ExtractionResult again = extract(folder_, options(server), {});
  EXPECT_EQ(server.requests(), 51) << "nothing is asked twice, not even the dialect";
  EXPECT_EQ(again.item_summaries, result.item_summaries);
  EXPECT_EQ(again.tags.edges, result.tags.edges);
}

// The guard against leaks: what a user validates or is tested on never reaches that user's prompt.
TEST_F(Extracting, UserPromptsSeeTrainingItemsOnly) {
  for (auto& [id, title] : titles_) title = "Planted" + id + "x";
  write_items(30);
  std::mutex mutex;
  std::map<std::string, std::set<std::string>> seen;  // lines of each user prompt, by content
  int user_prompts = 0;
  FakeServer server([&](const FakeRequest& request) {
    const json body = json::parse(request.body);
    const std::string prompt = last_message(body);
    const std::lock_guard lock(mutex);
    if (contains(prompt, "The person chose")) {
      ++user_prompts;
      std::set<int> items;
      for (int i = 0; i < 30; ++i)
        if (contains(prompt, "Plantedi" + std::to_string(i) + "x")) items.insert(i);
      // Users trained on two neighbours; any third word would be a validation or test item.
      EXPECT_EQ(items.size(), 2u);
      const int first = *items.begin(), second = *items.rbegin();
      EXPECT_EQ(second, first + 1) << prompt;
    }
    return good_answer(body);
  });
  extract(folder_, options(server), {});
  EXPECT_EQ(user_prompts, 20);
}

TEST_F(Extracting, AChangedTextAsksAgainForThatItemAndItsUsersOnly) {
  AskedLog items, users;
  FakeServer server([&](const FakeRequest& request) {
    const json body = json::parse(request.body);
    const std::string prompt = last_message(body);
    if (contains(prompt, "The person chose")) users.add(prompt);
    if (const std::string title = after(prompt, "Title: "); !title.empty()) items.add(title);
    return good_answer(body);
  });
  extract(folder_, options(server), {});
  EXPECT_EQ(items.total(), 30);
  EXPECT_EQ(users.total(), 20);
  titles_["i5"] = "Changed";
  write_items(30);
  extract(folder_, options(server), {});
  EXPECT_EQ(items.total(), 31);
  EXPECT_EQ(items.counts()["Changed"], 1);
  EXPECT_EQ(users.total(), 22) << "users 4 and 5 have item 5";
}

TEST_F(Extracting, NothingIsDroppedSilently) {
  std::ofstream(folder_ / "items.jsonl") << R"({"id": "i0", "title": "Good"})"
                                         << "\n"
                                         << R"({"id": "i1", "title": "Poison"})"
                                         << "\n"
                                         << R"({"id": "i2", "title": "Fine"})"
                                         << "\n"
                                         << R"({"id": "unknown", "title": "nobody bought it"})"
                                         << "\n";
  FakeServer server([&](const FakeRequest& request) {
    const json body = json::parse(request.body);
    if (contains(body["messages"].dump(), "Poison")) return FakeAnswer{.body = chat_answer("I refuse.")};
    return good_answer(body);
  });
  Messages messages;
  Context context;
  context.sink = &messages;
  const ExtractionResult result = extract(folder_, options(server), context);
  EXPECT_EQ(result.items_without_text, 27);
  EXPECT_EQ(result.item_failures, 1);
  EXPECT_EQ(result.item_summaries[1], "Poison") << "the title stands in";
  EXPECT_TRUE(contains(messages.all, "27 items have no text"));
  EXPECT_TRUE(contains(messages.all, "1 items have no valid reply"));
  ExtractionOptions ask = options(server);
  ask.report = true;
  const std::string told = extract(folder_, ask, {}).text;
  EXPECT_TRUE(contains(told, "item i1: The reply contains no JSON object.")) << told;
}

TEST_F(Extracting, DryRunAsksNothingAndCountsWhatIsLeft) {
  FakeServer server([](const FakeRequest& r) { return good_answer(json::parse(r.body)); });
  ExtractionOptions dry = options(server);
  dry.server.dry_run = true;
  dry.server.input_price = 1;
  dry.server.output_price = 10;
  ExtractionResult told = extract(folder_, dry, {});
  EXPECT_EQ(server.requests(), 0);
  EXPECT_FALSE(fs::exists(folder_ / "llm_calls.sqlite"));
  EXPECT_TRUE(contains(told.text, "items             30 calls")) << told.text;
  EXPECT_TRUE(contains(told.text, "users             20 calls")) << told.text;
  extract(folder_, options(server), {});
  const auto asked = server.requests();
  told = extract(folder_, dry, {});
  EXPECT_EQ(server.requests(), asked);
  EXPECT_TRUE(contains(told.text, "all                0 calls")) << told.text;
}

TEST_F(Extracting, BudgetStopsWithAWayOn) {
  FakeServer server([](const FakeRequest& r) { return good_answer(json::parse(r.body)); });
  ExtractionOptions tight = options(server);
  tight.server.budget = {"tokens=4000"};
  tight.max_tokens = 100;
  try {
    extract(folder_, tight, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
    EXPECT_TRUE(contains(error.what(), "budget tokens=4000 reached")) << error.what();
  }
  EXPECT_FALSE(fs::exists(folder_ / "tags.tsv"));
  tight.server.budget = {};
  extract(folder_, tight, {});
  EXPECT_EQ(server.requests(), 51);
}

TEST_F(Extracting, BatchFilesCarryTheOpenRequestsAndTheirAnswers) {
  FakeServer server([](const FakeRequest& r) { return good_answer(json::parse(r.body)); });
  ExtractionOptions batch = options(server);
  batch.dialect = "openai";
  for (const int expected : {30, 20}) {
    const fs::path requests = folder_ / "requests.jsonl", answers = folder_ / "answers.jsonl";
    ExtractionOptions out = batch;
    out.export_batch = requests;
    EXPECT_FALSE(extract(folder_, out, {}).written);
    std::ifstream in(requests);
    std::ofstream answered(answers);
    int lines = 0;
    for (std::string line; std::getline(in, line); ++lines) {
      const json request = json::parse(line);
      EXPECT_EQ(request["method"], "POST");
      EXPECT_EQ(request["url"], "/v1/chat/completions");
      EXPECT_EQ(request["body"]["model"], "fake");
      const json body = json::parse(good_answer(request["body"]).body);
      answered << json{{"custom_id", request["custom_id"]},
                       {"error", nullptr},
                       {"response", {{"status_code", 200}, {"body", body}}}}
                      .dump()
               << "\n";
    }
    EXPECT_EQ(lines, expected);
    answered << R"({"custom_id": "stranger", "response": {"status_code": 200, "body": {}}, "error": null})"
             << "\n";
    answered.close();
    batch.import_batch = answers;
    if (expected == 20) {
      EXPECT_TRUE(extract(folder_, batch, {}).written);
    }
    // The items' answers are imported on the way to the users' requests.
  }
  EXPECT_EQ(server.requests(), 0);
  write_file(folder_ / "bad.jsonl", "{\"custom_id\": 5}\n");
  batch.import_batch = folder_ / "bad.jsonl";
  try {
    extract(folder_, batch, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(contains(error.what(), "bad.jsonl:1: field 'custom_id'")) << error.what();
  }
}

TEST_F(Extracting, OptionsThatCannotWorkAreRefused) {
  FakeServer server([](const FakeRequest&) { return FakeAnswer{}; });
  const auto expect = [&](const std::function<void(ExtractionOptions&)>& change, const std::string& words) {
    ExtractionOptions bad = options(server);
    change(bad);
    try {
      extract(folder_, bad, {});
      ADD_FAILURE() << words;
    } catch (const Error& error) {
      EXPECT_TRUE(contains(error.what(), words)) << error.what();
    }
  };
  expect([](auto& o) { o.report = true; }, "no call store");
  expect([](auto& o) { o.server.model = ""; }, "option 'model'");
  expect([](auto& o) { o.server.base_url = ""; }, "http://localhost:8080/v1");
  expect([](auto& o) { o.server.concurrency = 0; }, "option 'concurrency'");
  expect([](auto& o) { o.extra_body = "[1]"; }, "option 'extra_body'");
  expect([](auto& o) { o.max_user_items = 0; }, "option 'max_user_items'");
  expect([](auto& o) { o.server.budget = {"euros=1"}; }, "option 'budget'");
  const fs::path prompt = folder_ / "mine.txt";
  expect(
      [&](auto& o) {
        write_file(prompt, "version: a\n[user]\n{{item}} {{itm}} {{language}}\n");
        o.item_prompt = prompt;
        o.dialect = "prompt";
      },
      "mine.txt:3: unknown variable {{itm}}");
  expect(
      [&](auto& o) {
        write_file(prompt, "[user]\nx\n");
        o.item_prompt = prompt;
        o.dialect = "prompt";
      },
      "field 'version'");
  expect(
      [&](auto& o) {
        write_file(prompt, "version: a\n[user]\n{{item}}\n");
        o.item_prompt = prompt;
        o.dialect = "prompt";
      },
      "{{language}} is never used");
  // Whether this machine has a llama-server must not matter: one that is never started, and none.
  const auto local = [](auto& o) {
    o.server.llm = "local";
    o.server.model = "/nowhere.gguf";
  };
  const std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
  ::setenv("PATH", folder_.c_str(), 1);
  expect(local, "llama-server on PATH, and there is none");
  write_file(folder_ / "llama-server", "");
  fs::permissions(folder_ / "llama-server", fs::perms::owner_all);
  expect(local, "/nowhere.gguf: no such file");
  ::setenv("PATH", path.c_str(), 1);
  write_file(folder_ / "items.jsonl", "{\"id\": \"i1\", \"title\": \"a\"}\n{\"id\": \"i1\"}\n");
  expect([](auto&) {}, "items.jsonl:2: field 'id'");
  write_file(folder_ / "items.jsonl", "{\"id\": \"i1\", \"title\": \"a\"}\nnot json\n");
  expect([](auto&) {}, "items.jsonl:2: not a JSON object");
  write_file(folder_ / "items.jsonl", "{\"id\": \"other\"}\n");
  expect([](auto&) {}, "no item of the dataset has a text");
}

TEST_F(Extracting, APromptOfTheUsersOwnIsANewQuestion) {
  FakeServer server([](const FakeRequest& r) { return good_answer(json::parse(r.body)); });
  extract(folder_, options(server), {});
  const auto asked = server.requests();
  ExtractionOptions own = options(server);
  own.write_prompts = folder_ / "templates";
  extract(folder_, own, {});
  EXPECT_EQ(server.requests(), asked);
  own.write_prompts.clear();
  own.user_prompt = folder_ / "templates" / "user.v2.txt";
  extract(folder_, own, {});
  EXPECT_EQ(server.requests(), asked) << "the same template from a file is the same question";
  std::string text = read_file(own.user_prompt);
  text.replace(text.find("user/2"), 6, "mine/1");
  write_file(own.user_prompt, text);
  extract(folder_, own, {});
  EXPECT_EQ(server.requests(), asked + 20);
}

struct ChildRun {
  double seconds = 0, cpu_seconds = 0;
  long peak_megabytes = 0;
  int status = 0;
};

ChildRun in_child(const std::function<void()>& body, const std::function<bool()>& kill_when = {}) {
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      body();
      ::_exit(0);
    } catch (const std::exception& error) {
      std::cerr << error.what() << "\n";
      ::_exit(1);
    }
  }
  while (kill_when && !kill_when()) ::usleep(500);
  if (kill_when) ::kill(child, SIGKILL);
  ChildRun run;
  rusage usage{};
  ::wait4(child, &run.status, 0, &usage);
  const auto spent = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  run.cpu_seconds = spent(usage.ru_utime) + spent(usage.ru_stime);
  run.peak_megabytes = usage.ru_maxrss / 1024;
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return run;
}

// 10,000 items, one first answer in twenty at fault; killed on the way, resumed to the end.
TEST_F(Extracting, TenThousandItemsWithFaultsLoseAndDoubleNothing) {
  make({.users = 10, .items = 10000});
  AskedLog asked, answered;
  FakeServer server([&](const FakeRequest& request) {
    const json body = json::parse(request.body);
    const std::string prompt = body["messages"][body["messages"].size() > 1 ? 1 : 0]["content"];
    const std::string title = after(prompt, "Title: ");
    if (!title.empty()) {
      asked.add(title);
      const double draw = chance(title);
      if (draw < 0.05 && asked.counts_of(title) == 1) {
        switch (static_cast<int>(draw * 100) % 5) {
          case 0:
            return FakeAnswer{.status = 429, .body = "{}", .headers = {{"retry-after-ms", "20"}}};
          case 1:
            return FakeAnswer{.status = 500, .body = "{}"};
          case 2:
            return FakeAnswer{.body = chat_answer("x"), .fault = Fault::kHalf};
          case 3:
            return FakeAnswer{.body = "{\"choices\": ["};
          default:
            answered.add(title);
            return FakeAnswer{.body = chat_answer("no json")};
        }
      }
      answered.add(title);
    }
    return good_answer(body);
  });
  ExtractionOptions run = options(server);
  run.server.concurrency = 64;
  const ChildRun first =
      in_child([&] { extract(folder_, run, {}); }, [&] { return server.requests() > 3000; });
  EXPECT_TRUE(WIFSIGNALED(first.status));
  const auto before = server.requests();
  const ChildRun second = in_child([&] { extract(folder_, run, {}); });
  EXPECT_EQ(second.status, 0);
  const auto made = server.requests() - before;
  std::cout << made << " calls in " << second.seconds << " s (" << static_cast<double>(made) / second.seconds
            << " a second, start and assembly included), "
            << second.cpu_seconds * 1e6 / static_cast<double>(made) << " us of processor a call, peak "
            << second.peak_megabytes << " MB\n";
#ifndef __SANITIZE_ADDRESS__  // whose freed memory waits
  EXPECT_LT(second.peak_megabytes, 200);
#endif
  const KindReport kind = CallStore::open((folder_ / "llm_calls.sqlite").string())->report().kinds.at(0);
  EXPECT_EQ(kind.done, 10000);
  EXPECT_EQ(kind.dead, 0);
  std::int64_t repeated = 0;
  for (const auto& [title, count] : answered.counts()) {
    const double draw = chance(title);
    const bool repaired = draw < 0.05 && static_cast<int>(draw * 100) % 5 == 4;
    repeated += count - (repaired ? 2 : 1);
  }
  EXPECT_EQ(answered.counts().size(), 10000u) << "none lost";
  EXPECT_LE(repeated, run.server.concurrency) << "at most the calls in flight at the kill are made again";
}

}  // namespace
}  // namespace hyperllm::llm
