// Embeddings servers that deviate: harmless deviations are read, wrong ones refused, and no vector ever lands
// on another text's row.
#include "hyperllm/llm/embeddings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "hyperllm/base/error.h"
#include "hyperllm/llm/call_store.h"
#include "tests/llm/fake_model.h"

namespace hyperllm::llm {
namespace {

using namespace testing_support;
using nlohmann::json;
namespace fs = std::filesystem;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Embeds texts t0, t1, ... whose right vectors are (number + 1, 1).
class Embedding : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("embeddings_" + std::to_string(::getpid()));
    fresh();
  }
  void TearDown() override { fs::remove_all(folder_); }
  void fresh() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }

  static json right_reply(const json& body) {
    json data = json::array();
    for (std::size_t i = 0; i < body["input"].size(); ++i)
      data.push_back({{"index", i}, {"embedding", {number_of(body["input"][i]) + 1, 1}}});
    return {{"data", data}, {"usage", {{"prompt_tokens", 5}}}};
  }
  // The right reply, changed by the mode that is tried.
  static FakeAnswer changed_reply(const FakeRequest& request, const std::function<void(json&)>& change) {
    json reply = right_reply(json::parse(request.body));
    change(reply);
    return FakeAnswer{.body = reply.dump()};
  }
  static int number_of(const std::string& text) { return std::stoi(text.substr(1)); }

  EmbeddingTable embed(const FakeServer& server, int count) {
    EmbeddingOptions options;
    options.server.base_url = server.url() + "/v1";
    options.server.model = "fake";
    options.server.tries = 2;
    options.batch = 8;
    std::vector<std::string> texts;
    for (int i = 0; i < count; ++i) texts.push_back("t" + std::to_string(i));
    return embed_texts(texts, folder_, options, {});
  }
  void expect_right(const EmbeddingTable& table, int count, const std::string& what) {
    ASSERT_EQ(table.values.size(), static_cast<std::size_t>(2 * count)) << what;
    for (int i = 0; i < count; ++i)
      EXPECT_EQ(table.values[static_cast<std::size_t>(2 * i)], static_cast<float>(i + 1)) << what;
  }

  fs::path folder_;
};

TEST_F(Embedding, HarmlessDeviationsAreRead) {
  const std::pair<const char*, std::function<void(json&)>> modes[] = {
      {"usage null", [](json& r) { r["usage"] = nullptr; }},
      {"usage missing", [](json& r) { r.erase("usage"); }},
      {"tokens null", [](json& r) { r["usage"]["prompt_tokens"] = nullptr; }},
      {"tokens text", [](json& r) { r["usage"]["prompt_tokens"] = "10"; }},
      {"tokens absurd", [](json& r) { r["usage"]["prompt_tokens"] = 9e18; }},
      {"tokens negative", [](json& r) { r["usage"]["prompt_tokens"] = -1; }},
      {"tokens a fraction", [](json& r) { r["usage"]["prompt_tokens"] = 1.5; }},
      {"tokens a list", [](json& r) { r["usage"]["prompt_tokens"] = json::array({1}); }},
      {"index null",
       [](json& r) {
         for (json& entry : r["data"]) entry["index"] = nullptr;
       }},
      {"index missing",
       [](json& r) {
         for (json& entry : r["data"]) entry.erase("index");
       }},
      {"index text, in reverse",
       [](json& r) {
         for (json& entry : r["data"]) entry["index"] = std::to_string(entry["index"].get<int>());
         std::reverse(r["data"].begin(), r["data"].end());
       }},
      {"index real",
       [](json& r) {
         for (json& entry : r["data"]) entry["index"] = entry["index"].get<double>();
       }},
  };
  std::function<void(json&)> change;
  FakeServer server([&](const FakeRequest& request) { return changed_reply(request, change); });
  for (const auto& [name, mode] : modes) {
    fresh();
    server.change([&] { change = mode; });
    expect_right(embed(server, 20), 20, name);
    const auto spent = CallStore::open((folder_ / "llm_calls.sqlite").string())->spent();
    EXPECT_GE(spent.prompt_tokens, 5) << name;
    EXPECT_LT(spent.prompt_tokens, 100) << name;
  }
}

TEST_F(Embedding, WrongRepliesAreRefusedWholeAndNothingIsStored) {
  const std::pair<const char*, std::function<void(json&)>> modes[] = {
      {"numbers its embeddings wrongly",
       [](json& r) {
         for (json& entry : r["data"]) entry["index"] = 0;
       }},
      {"numbers its embeddings wrongly", [](json& r) { r["data"][1]["index"] = 2; }},
      {"numbers its embeddings wrongly",
       [](json& r) { r["data"][1]["index"] = nullptr, r["data"][2]["index"] = 1; }},
      {"numbers its embeddings wrongly", [](json& r) { r["data"][1]["index"] = 8; }},
      {"numbers its embeddings wrongly", [](json& r) { r["data"][1]["index"] = -1; }},
      {"numbers its embeddings wrongly", [](json& r) { r["data"][1]["index"] = 1.5; }},
      {"numbers its embeddings wrongly", [](json& r) { r["data"][1]["index"] = "one"; }},
      {"numbers its embeddings wrongly", [](json& r) { r["data"][1]["index"] = 18446744073709551615u; }},
      {"numbers its embeddings wrongly", [](json& r) { r["data"][1]["index"] = json::object(); }},
      {"one embedding for each text", [](json& r) { r["data"].erase(0); }},
      {"one embedding for each text", [](json& r) { r["data"].push_back(r["data"][0]); }},
      {"one embedding for each text", [](json& r) { r["data"] = nullptr; }},
      {"one embedding for each text", [](json& r) { r = json::array(); }},
      {"is an error: out of cheese",
       [](json& r) {
         r = {{"error", {{"message", "out of cheese"}}}};
       }},
  };
  std::function<void(json&)> change;
  FakeServer server([&](const FakeRequest& request) { return changed_reply(request, change); });
  for (const auto& [words, mode] : modes) {
    fresh();
    server.change([&] { change = mode; });
    try {
      embed(server, 24);
      ADD_FAILURE() << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable) << error.what();
      EXPECT_TRUE(contains(error.what(), words)) << error.what();
    }
    EXPECT_EQ(CallStore::open((folder_ / "llm_calls.sqlite").string())->report().kinds.at(0).done, 0)
        << words;
  }
}

TEST_F(Embedding, HostileRepliesAreRefused) {
  std::string body;
  FakeServer server([&](const FakeRequest&) { return FakeAnswer{.body = body}; });
  const std::string deep(500000, '['), objects = [] {
    std::string text;
    for (int i = 0; i < 100000; ++i) text += "{\"a\":";
    return text;
  }();
  for (const std::string& hostile :
       {"{\"data\": " + deep, "{\"data\": [], \"usage\": " + objects, deep, objects, std::string("<html>")}) {
    fresh();
    server.change([&] { body = hostile; });
    try {
      embed(server, 3);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_TRUE(contains(error.what(), "is not JSON")) << error.what();
    }
  }
}

// One text that the server cannot take is the only one without a vector, and is named.
TEST_F(Embedding, ARefusedBatchIsAskedTextByText) {
  int status = 0;
  FakeServer server([&](const FakeRequest& request) {
    const json body = json::parse(request.body);
    for (const json& text : body["input"])
      if (text == "t11") return FakeAnswer{.status = status, .body = R"({"error": "input is too long"})"};
    return FakeAnswer{.body = right_reply(body).dump()};
  });
  for (const int code : {400, 413, 422, 500}) {
    fresh();
    server.change([&] { status = code; });
    try {
      embed(server, 40);
      ADD_FAILURE() << code;
    } catch (const Error& error) {
      EXPECT_TRUE(contains(error.what(),
                           "no embedding of 't11': HTTP " + std::to_string(code) + ": input is too long"))
          << error.what();
    }
    auto store = CallStore::open((folder_ / "llm_calls.sqlite").string());
    EXPECT_EQ(store->report().kinds.at(0).done, 39) << code;
    EXPECT_EQ(store->report().dead.size(), 1u) << code;
  }
}

TEST_F(Embedding, UselessVectorsEndTheRunEarly) {
  json vector;
  FakeServer server([&](const FakeRequest& request) {
    json reply = right_reply(json::parse(request.body));
    for (json& entry : reply["data"]) entry["embedding"] = vector;
    return FakeAnswer{.body = reply.dump()};
  });
  for (const json& useless : {json(), json::array(), json{0, 0}, json{1, nullptr}, json{"1", "2"},
                              json{1e300, 1}, json("!!"), json("AAA"), json::object(), json(true)}) {
    fresh();
    server.change([&] { vector = useless; });
    const auto before = server.requests();
    try {
      embed(server, 2000);
      ADD_FAILURE() << useless;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
      EXPECT_TRUE(contains(error.what(), "answers is of use")) << error.what();
    }
    EXPECT_LT(server.requests() - before, 200) << useless;
  }
}

}  // namespace
}  // namespace hyperllm::llm
