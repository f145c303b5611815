#include "hyperllm/llm/probe.h"

#include <gtest/gtest.h>

#include "hyperllm/base/error.h"
#include "tests/llm/fake_model.h"

namespace hyperllm::llm {
namespace {

using namespace testing_support;
using nlohmann::json;

FakeAnswer obeying() {
  return {.body = chat_answer(R"({"mark": "zx-9041-quill", "list": ["zx-9041-quill"]})")};
}
FakeAnswer telling() { return {.body = chat_answer(R"({"mark": "A fox finds a river.", "list": []})")}; }
FakeAnswer refusing(const std::string& word) {
  return {.status = 400, .body = json{{"error", {{"message", "unsupported: " + word}}}}.dump()};
}

Probe probed(const std::function<FakeAnswer(const json& body, const std::string& path)>& model,
             const Sampling& sampling = {}) {
  FakeServer server(
      [&](const FakeRequest& request) { return model(json::parse(request.body), request.path); });
  Server where;
  where.base_url = server.url() + "/v1";
  where.model = "fake";
  return probe_format(where, {}, sampling, {});
}

// Every server here answers 200 to whatever it does not understand, as real ones do.
TEST(Probe, FindsTheDialectThatIsEnforced) {
  const struct {
    Dialect dialect;
    std::function<bool(const json& body, const std::string& path)> obeys;
  } servers[] = {
      {Dialect::kOpenAi,
       [](const json& body, const std::string&) {
         return body.value("/response_format/type"_json_pointer, "") == "json_schema";
       }},
      {Dialect::kVllm,
       [](const json& body, const std::string&) { return body.contains("structured_outputs"); }},
      {Dialect::kJsonObject,
       [](const json& body, const std::string&) {
         return body.contains("/response_format/schema"_json_pointer);
       }},
      {Dialect::kLlama, [](const json& body, const std::string&) { return body.contains("json_schema"); }},
      {Dialect::kOllama, [](const json&, const std::string& path) { return path == "/api/chat"; }},
  };
  for (const auto& server : servers) {
    const Probe probe = probed([&](const json& body, const std::string& path) {
      return server.obeys(body, path) ? obeying() : telling();
    });
    EXPECT_TRUE(probe.enforced) << dialect_name(server.dialect);
    EXPECT_EQ(dialect_name(probe.format.dialect), dialect_name(server.dialect));
    EXPECT_TRUE(probe.format.bounds);
  }
}

TEST(Probe, SaysSoWhenNoSchemaIsEnforced) {
  const Probe probe = probed([](const json&, const std::string&) { return telling(); });
  EXPECT_FALSE(probe.enforced);
  EXPECT_EQ(probe.format.dialect, Dialect::kPrompt);
  EXPECT_FALSE(probe.notes.empty());
}

// Each keyword that the item schema's bounds use must be in the probe's, or the refusal comes too late.
TEST(Probe, LeavesOutBoundsThatTheServerRefuses) {
  for (const std::string word : {"maxItems", "minItems", "maxLength", "pattern"}) {
    const Probe probe = probed([&](const json& body, const std::string&) {
      return body.dump().find(word) == std::string::npos ? obeying() : refusing(word);
    });
    EXPECT_TRUE(probe.enforced) << word;
    EXPECT_FALSE(probe.format.bounds) << word;
    EXPECT_EQ(probe.format.dialect, Dialect::kOpenAi) << word;
  }
}

// Whatever can be left out is, if the refusal names it.
TEST(Probe, LeavesOutFieldsThatTheServerRefuses) {
  Sampling sampling;
  sampling.extra = {{"top_p", 0.9}};
  for (const int status : {400, 422})
    for (const std::string field : {"seed", "temperature", "top_p"}) {
      const Probe probe = probed(
          [&](const json& body, const std::string&) {
            FakeAnswer refusal = refusing("Extra inputs are not permitted: '" + field + "'");
            refusal.status = status;
            return body.contains(field) ? refusal : obeying();
          },
          sampling);
      EXPECT_TRUE(probe.enforced) << field;
      EXPECT_EQ(probe.format.without, std::vector<std::string>{field}) << status;
      EXPECT_EQ(Format::parse(probe.format.text()).without, probe.format.without);
      EXPECT_TRUE(probe.format.bounds) << field;
    }
  // A server that takes neither, and says so one by one.
  const Probe both = probed([&](const json& body, const std::string&) {
    return body.contains("seed")          ? refusing("seed")
           : body.contains("temperature") ? refusing("temperature")
                                          : obeying();
  });
  EXPECT_EQ(both.format.without, (std::vector<std::string>{"seed", "temperature"}));
  EXPECT_EQ(Format::parse(both.format.text()).without, both.format.without);
  EXPECT_EQ(Format::parse("openai bounds").without, std::vector<std::string>{"temperature"}) << "of before";
  EXPECT_TRUE(Format::parse("openai bounds temperature").without.empty()) << "of before";
}

TEST(Probe, AWordWithinAnotherNamesNoField) {
  EXPECT_TRUE(refused_fields(400, "unseeded seeds of my_seed", {}, {}).empty());
  EXPECT_TRUE(refused_fields(500, "seed", {}, {}).empty()) << "a broken server refuses nothing";
  EXPECT_EQ(refused_fields(422, "body.seed: extra", {}, {}), std::vector<std::string>{"seed"});
  Format format;
  format.leave_out("seed");
  EXPECT_TRUE(refused_fields(400, "seed", format, {}).empty()) << "it was not sent";
}

// Of a server that refuses every dialect, the first refusal tells why; its other paths are only unknown.
TEST(Probe, TheFirstRefusalIsReported) {
  try {
    probed([](const json& body, const std::string& path) {
      if (path != "/v1/chat/completions" || !body.contains("response_format"))
        return FakeAnswer{.status = 404, .body = "{}"};
      return refusing("tokens per request");
    });
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("unsupported: tokens per request"), std::string::npos)
        << error.what();
  }
}

TEST(Probe, RefusedKeysAndUnknownModelsAreNamed) {
  for (const int status : {401, 404}) try {
      probed([&](const json&, const std::string&) { return FakeAnswer{.status = status, .body = "{}"}; });
      ADD_FAILURE() << status;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
    }
}

// The user's Ctrl-C, while the server keeps us waiting in one way or another.
TEST(Probe, StopsAtOnce) {
  for (const int status : {0, 200, 429, 500}) {
    std::stop_source stop;
    FakeServer server([&](const FakeRequest&) {
      stop.request_stop();
      FakeAnswer answer{.status = status, .body = "{}", .headers = {{"Retry-After", "100"}}};
      if (status == 0) answer.fault = FakeAnswer::Fault::kHang;
      return answer;
    });
    Server where;
    where.base_url = server.url() + "/v1";
    where.model = "fake";
    try {
      probe_format(where, {}, {}, {.stop = stop.get_token()});
      ADD_FAILURE() << status;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInterrupted) << error.what();
    }
    EXPECT_EQ(server.requests(), 1) << status;
  }
}

TEST(Probe, WhatIsNoModelServerIsSaidAtOnce) {
  const struct {
    FakeAnswer answer;
    const char* words;
  } modes[] = {
      {{.status = 200, .body = "<html>Log in</html>"},
       "is no language-model server: the server's reply is not JSON"},
      {{.status = 200, .body = "<html>Log in</html>"}, "it begins: <html>Log in</html>"},
      {{.status = 200, .body = ""}, "it is empty"},
      {{.status = 200, .body = R"({"error": "no credit"})"}, "is an error: no credit"},
      {{.status = 302, .body = "", .headers = {{"Location", "https://sso.example/"}}},
       "redirects to https://sso.example/"},
      {{.status = 301, .body = "", .headers = {{"Location", "https://h.example/v1/chat/completions"}}},
       "--base-url https://h.example/v1"},
      {{.status = 301, .body = ""}, "redirects to nowhere"},
      {{.status = 402, .body = R"({"error": {"message": "no credit"}})"},
       "wants to be paid first (HTTP 402: no credit)"},
      {{.status = 405, .body = "<h1>Not allowed</h1>"}, "knows no such model or path"},
      {{.status = 400, .body = R"({"error": {"message": "bad json"}})"}, "refuses every request: openai"},
  };
  for (const auto& mode : modes) try {
      probed([&](const json&, const std::string&) { return mode.answer; });
      ADD_FAILURE() << mode.words;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
      EXPECT_NE(std::string(error.what()).find(mode.words), std::string::npos) << error.what();
    }
}

// A server that only refuses to talk teaches nothing that a later run should go by.
TEST(Probe, RepliesWithoutATextTeachNothing) {
  const Probe probe = probed([](const json&, const std::string&) {
    return FakeAnswer{.body = R"({"choices": [{"message": {"content": null, "refusal": "No."}}]})"};
  });
  EXPECT_FALSE(probe.enforced);
  EXPECT_FALSE(probe.spoke);
  EXPECT_NE(probe.notes.at(0).find("refusal \"No.\""), std::string::npos) << probe.notes[0];
  EXPECT_TRUE(probed([](const json&, const std::string&) { return telling(); }).spoke);
}

}  // namespace
}  // namespace hyperllm::llm
