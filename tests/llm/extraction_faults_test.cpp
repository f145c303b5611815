// What users are told, and what is kept, when servers, files and stores are not as they should be.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/llm/call_store.h"
#include "hyperllm/llm/session.h"
#include "hyperllm/stages/extract/run.h"
#include "tests/llm/extracting.h"

namespace hyperllm::llm {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string error_of(const std::function<void()>& body, ErrorCode code) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "expected an error";
  return {};
}

TEST_F(Extracting, WithoutAnyValidAnswerNothingIsMadeOfNone) {
  make({.users = 6, .items = 8});
  std::string broken = "items";
  FakeServer server([&](const FakeRequest& request) {
    const json body = json::parse(request.body);
    const bool item = contains(body["messages"].dump(), "Title: ");
    const bool probe = contains(body["messages"].dump(), "fox");
    if (!probe && broken == (item ? "items" : "users"))
      return FakeAnswer{.body = R"({"choices": [{"message": {"content": null, "refusal": "No."}}]})"};
    return good_answer(body);
  });
  std::string said = error_of([&] { extract(folder_, options(server), {}); }, ErrorCode::kUnavailable);
  EXPECT_TRUE(contains(said, "none of the 8 items has a valid reply")) << said;
  EXPECT_TRUE(contains(said, R"(content is null, refusal "No.")")) << said;
  const auto asked = server.requests();
  EXPECT_EQ(error_of([&] { extract(folder_, options(server), {}); }, ErrorCode::kUnavailable), said);
  EXPECT_EQ(server.requests(), asked) << "dead letters are not asked again, and still nothing is written";
  server.change([&] { broken = "users"; });
  ExtractionOptions again = options(server);
  again.server.retry_failed = true;
  said = error_of([&] { extract(folder_, again, {}); }, ErrorCode::kUnavailable);
  EXPECT_TRUE(contains(said, "none of the 6 users has a valid reply")) << said;
  server.change([&] { broken = "nothing"; });
  EXPECT_TRUE(extract(folder_, again, {}).written);
}

// What users see of it: tags and summaries that were there before are there afterwards.
TEST_F(Extracting, TheStageKeepsTheTagsThatWereThere) {
  FakeServer server([&](const FakeRequest&) {
    return FakeAnswer{.body = R"({"choices": [{"message": {"content": null, "reasoning_content": "Hm."}}]})"};
  });
  for (const int items : {5, 60}) {
    make({.users = 6, .items = items});
    const char* files[] = {"tags.tsv", "tag_edges.tsv", "tag_items.tsv", "item_summaries.jsonl",
                           "user_summaries.jsonl"};
    for (const char* file : files) write_file(folder_ / file, std::string("of before: ") + file);
    stages::extract::ExtractOptions stage;
    stage.dataset = folder_;
    stage.extractor = "llm";
    stage.llm = options(server);
    const std::string said = error_of([&] { stages::extract::run(stage, {}); }, ErrorCode::kUnavailable);
    EXPECT_TRUE(contains(said, "content is null, only reasoning_content")) << said;
    for (const char* file : files) EXPECT_EQ(read_file(folder_ / file), std::string("of before: ") + file);
  }
}

TEST_F(Extracting, TheReportGroupsFailuresByKind) {
  make({.users = 2, .items = 30});
  FakeServer server([&](const FakeRequest& request) {
    const json body = json::parse(request.body);
    const std::string title = after(body["messages"].dump(), "Title: ");
    const int number = title.empty() ? 0 : std::atoi(title.c_str() + 6);
    if (number >= 20) {
      json reply = json::parse(item_completion(title));
      reply["tags"]["broad"].push_back("Other " + title);
      reply["edges"] = json::array();
      return FakeAnswer{.body = chat_answer(reply.dump())};
    }
    if (number >= 15)
      return FakeAnswer{
          .status = 400,
          .body = json{{"error", "about " + title + "\x1b[31m\n" + std::string(500, 'w')}}.dump()};
    return good_answer(body);
  });
  extract(folder_, options(server), {});
  ExtractionOptions ask = options(server);
  ask.report = true;
  const std::string told = extract(folder_, ask, {}).text;
  EXPECT_TRUE(contains(told, "      30  \"edges\" gives no parent for the tag \"...\"\n")) << told;
  EXPECT_TRUE(contains(told, "       5  HTTP 400\n          such as: HTTP 400: about")) << told;
  EXPECT_FALSE(contains(told, "\x1b")) << told;
  std::istringstream lines(told.substr(told.find("by kind")));
  int count = 0;
  for (std::string line; std::getline(lines, line) && !line.empty(); ++count)
    EXPECT_LT(line.size(), 220u) << line;
  EXPECT_LE(count, 7) << told;
}

TEST_F(Extracting, TheReportAndADryRunAreToldWhileARunWorks) {
  FakeServer server([](const FakeRequest& r) { return good_answer(json::parse(r.body)); });
  extract(folder_, options(server), {});
  auto running = CallStore::open((folder_ / "llm_calls.sqlite").string());
  running->claim(std::vector<CallId>{{"more", "item", "more"}});
  ExtractionOptions ask = options(server);
  ask.report = true;
  EXPECT_TRUE(contains(extract(folder_, ask, {}).text, "item            31        30"));
  ask.report = false;
  ask.server.dry_run = true;
  EXPECT_TRUE(contains(extract(folder_, ask, {}).text, "(30 known)"));
  Attempt attempt;
  attempt.key = "more";
  attempt.outcome = "ok";
  attempt.state = CallState::kDone;
  running->record(std::vector{attempt});
  error_of([&] { extract(folder_, options(server), {}); }, ErrorCode::kUnavailable);
}

TEST_F(Extracting, OddStoresAreRefusedAndLeaveNothingBeside) {
  FakeServer server([](const FakeRequest& r) { return good_answer(json::parse(r.body)); });
  const fs::path text = folder_ / "text", folder = folder_ / "folder", pipe = folder_ / "pipe";
  const fs::path zero = folder_ / "zero", shorter = folder_ / "short";
  write_file(text, std::string(5000, 'x'));
  write_file(shorter, "SQLite");
  fs::create_directory(folder);
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink("/dev/zero", zero);
  for (const auto& [store, words] : {std::pair{text, "not a database"},
                                     {shorter, "not a database"},
                                     {folder, "a folder"},
                                     {pipe, "a pipe or a device"},
                                     {zero, "a pipe or a device"}})
    for (const bool report : {false, true}) {
      ExtractionOptions odd = options(server);
      odd.server.store = store;
      odd.report = report;
      const std::string said = error_of([&] { extract(folder_, odd, {}); }, ErrorCode::kIo);
      EXPECT_TRUE(contains(said, store.string() + ": ") && contains(said, words)) << said;
      EXPECT_FALSE(fs::exists(store.string() + ".lock")) << store;
    }
  ExtractionOptions odd = options(server);
  odd.server.store = "mysql://me:hidden-word@host/db";
  const std::string said = error_of([&] { extract(folder_, odd, {}); }, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(contains(said, "mysql://***@host/db")) << said;
  EXPECT_FALSE(contains(said, "hidden-word")) << said;
  odd.server.store = "postgresql://me:hidden-word@127.0.0.1:1/db?sslmode=hidden-word";
  EXPECT_FALSE(
      contains(error_of([&] { extract(folder_, odd, {}); }, ErrorCode::kUnavailable), "hidden-word"));
}

// Lines of a batch answer file, and what becomes of them.
TEST_F(Extracting, BatchAnswersAreCountedAndForeignFilesRefused) {
  FakeServer server([](const FakeRequest& r) { return good_answer(json::parse(r.body)); });
  ExtractionOptions batch = options(server);
  batch.dialect = "openai";
  batch.export_batch = folder_ / "requests.jsonl";
  extract(folder_, batch, {});
  batch.export_batch.clear();
  batch.import_batch = folder_ / "answers.jsonl";
  const std::string stranger = R"({"custom_id": "stranger", "response": {"status_code": 200, "body": {}}})";
  for (const std::string& nothing : {std::string(), stranger}) {
    write_file(batch.import_batch, nothing);
    const std::string said = error_of([&] { extract(folder_, batch, {}); }, ErrorCode::kInvalidData);
    EXPECT_TRUE(contains(said, "answers.jsonl: none of its answers belongs to a question")) << said;
  }
  EXPECT_EQ(server.requests(), 0);
  const json statuses[] = {200, nullptr, "200",         "two hundred", 200.0, 9e18,
                           500, "400",   json::array(), 1.5,           0};
  std::ifstream in(folder_ / "requests.jsonl");
  std::ofstream out(batch.import_batch);
  int number = 0;
  for (std::string line; std::getline(in, line); ++number) {
    const json request = json::parse(line);
    json body = json::parse(good_answer(request["body"]).body);
    body["usage"] = number % 2 == 0 ? json() : json{{"prompt_tokens", 9e18}, {"completion_tokens", nullptr}};
    json answer = {{"custom_id", request["custom_id"]},
                   {"response", {{"status_code", statuses[number % 11]}, {"body", body}}}};
    if (number == 29) answer["response"] = "lost";
    out << answer.dump() << "\n";
  }
  out << stranger << "\n";
  out.close();
  Messages messages;
  Context context;
  context.sink = &messages;
  EXPECT_TRUE(extract(folder_, batch, context).written);
  EXPECT_TRUE(contains(messages.all,
                       "items: 24 valid answers taken; 0 wrong and 6 failed ones will be asked again; 0 were "
                       "settled before; 1 answers of the file are not about items"))
      << messages.all;
  write_file(batch.import_batch, "\n" + std::string(R"({"custom_id": "x", "response": {"body": )") +
                                     std::string(300000, '[') + "\n");
  const std::string said = error_of([&] { extract(folder_, batch, {}); }, ErrorCode::kInvalidData);
  EXPECT_TRUE(contains(said, "answers.jsonl:2: field 'custom_id'")) << said;
}

// A batch whose server takes no seed: its answers say so, and the next file has none. No address is needed.
TEST_F(Extracting, BatchFilesLearnWhatTheServerRefuses) {
  ExtractionOptions batch;
  batch.server.model = "fake";
  batch.export_batch = folder_ / "requests.jsonl";
  const auto exported = [&](const std::string& field) {
    std::ifstream in(folder_ / "requests.jsonl");
    std::vector<bool> has;
    for (std::string line; std::getline(in, line);) has.push_back(json::parse(line)["body"].contains(field));
    return has;
  };
  extract(folder_, batch, {});
  EXPECT_EQ(exported("seed"), std::vector<bool>(30, true));
  std::ifstream in(folder_ / "requests.jsonl");
  std::ofstream answers(folder_ / "answers.jsonl");
  for (std::string line; std::getline(in, line);)
    answers << json{{"custom_id", json::parse(line)["custom_id"]},
                    {"response",
                     {{"status_code", 400},
                      {"body", {{"error", {{"message", "Unsupported parameter: 'seed'"}}}}}}}}
                   .dump()
            << "\n";
  answers.close();
  batch.import_batch = folder_ / "answers.jsonl";
  Messages messages;
  Context context;
  context.sink = &messages;
  extract(folder_, batch, context);
  EXPECT_TRUE(contains(messages.all, "the server refuses 'seed': requests leave it out from now on"))
      << messages.all;
  EXPECT_EQ(exported("seed"), std::vector<bool>(30, false));
  EXPECT_EQ(exported("temperature"), std::vector<bool>(30, true));
  batch.import_batch.clear();
  batch.server.leave_out = {"temperature"};
  extract(folder_, batch, {});
  EXPECT_EQ(exported("seed"), std::vector<bool>(30, false)) << "remembered";
  EXPECT_EQ(exported("temperature"), std::vector<bool>(30, false)) << "switched off";
}

TEST_F(Extracting, AddressesThatCannotWorkAreSaidWithTheRightOne) {
  ExtractionOptions wrong;
  wrong.server.model = "fake";
  const auto said = [&](const std::string& url) {
    wrong.server.base_url = url;
    return error_of([&] { extract(folder_, wrong, {}); }, ErrorCode::kInvalidArgument);
  };
  EXPECT_TRUE(contains(said("localhost:8080/v1"), "write http://localhost:8080/v1"));
  EXPECT_TRUE(contains(said("file:///etc/passwd"), "write http://... or https://..."));
  EXPECT_TRUE(contains(said("http://h:1/v1/chat/completions"), "write http://h:1/v1"));
  EXPECT_FALSE(contains(said("ftp://me:hidden-word@h/v1"), "hidden-word"));
}

TEST_F(Extracting, KeysAreTrimmedAndNeverInject) {
  std::string head;
  FakeServer server([&](const FakeRequest& r) {
    head = r.head;
    return good_answer(json::parse(r.body));
  });
  ExtractionOptions run = options(server);
  run.server.api_key_env = "HYPERLLM_TEST_KEY";
  ::setenv("HYPERLLM_TEST_KEY", " \tsk-quite-secret\r\n\n", 1);
  extract(folder_, run, {});
  EXPECT_TRUE(contains(head, "Authorization: Bearer sk-quite-secret\r\n")) << head;
  const auto asked = server.requests();
  for (const char* key : {"sk-quite\r\nX-Injected: y", "sk-quite\nsecret", "sk-quite\x7f!", "sk\tquite"}) {
    ::setenv("HYPERLLM_TEST_KEY", key, 1);
    const std::string said = error_of([&] { extract(folder_, run, {}); }, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(contains(said, "HYPERLLM_TEST_KEY has a control character")) << said;
    EXPECT_FALSE(contains(said, "quite")) << said;
  }
  EXPECT_EQ(server.requests(), asked);
  ::unsetenv("HYPERLLM_TEST_KEY");
}

TEST_F(Extracting, UserAndPasswordOfTheAddressStayThere) {
  std::string head;
  FakeServer server([&](const FakeRequest& r) {
    head = r.head;
    return good_answer(json::parse(r.body));
  });
  ExtractionOptions run = options(server);
  run.server.base_url.insert(7, "somebody:hidden-word@");
  extract(folder_, run, {});
  EXPECT_TRUE(contains(head, "Authorization: Basic ")) << "and the server is told";
  for (const char* suffix : {"", "-wal"}) {
    const fs::path file = (folder_ / "llm_calls.sqlite").string() + suffix;
    if (!fs::exists(file)) continue;
    EXPECT_FALSE(contains(read_file(file), "hidden-word"));
    EXPECT_FALSE(contains(read_file(file), "somebody"));
  }
}

TEST_F(Extracting, AuthoritiesAreNamedByOptionOrEnvironment) {
  FakeServer server([](const FakeRequest& r) { return good_answer(json::parse(r.body)); });
  ExtractionOptions run = options(server);
  run.server.ca_file = "/nowhere/ca.pem";
  EXPECT_TRUE(contains(error_of([&] { extract(folder_, run, {}); }, ErrorCode::kIo),
                       "option 'ca_file': /nowhere/ca.pem: no such file"));
  run.server.ca_file.clear();
  const fs::path file = folder_ / "ca.pem";
  write_file(file, "x");
  const char* names[] = {"SSL_CERT_FILE", "CURL_CA_BUNDLE"};
  std::map<std::string, std::string> before;
  for (const char* name : names) {
    if (const char* value = std::getenv(name)) before[name] = value;
    ::unsetenv(name);
  }
  run.server.base_url = "https://127.0.0.1:1/v1";
  for (const char* name : names) {
    ::setenv(name, file.c_str(), 1);
    EXPECT_EQ(Session(run.server, folder_, Session::Use::kChat, {}).server().ca_file, file.string()) << name;
    ::unsetenv(name);
  }
  EXPECT_EQ(Session(run.server, folder_, Session::Use::kChat, {}).server().ca_file, "");
  for (const auto& [name, value] : before) ::setenv(name.c_str(), value.c_str(), 1);
}

}  // namespace
}  // namespace hyperllm::llm
