// A small dataset folder, and a server that answers what is asked about it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "hyperllm/data/dataset.h"
#include "hyperllm/llm/extraction.h"
#include "tests/llm/fake_model.h"

namespace hyperllm::llm {

using namespace testing_support;

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The word after `name` in a prompt: describe_item writes "Title: NAME".
inline std::string after(const std::string& text, const std::string& name) {
  const std::size_t at = text.find(name);
  if (at == std::string::npos) return "";
  const std::size_t start = at + name.size();
  return text.substr(start, text.find_first_of("\n ", start) - start);
}

// Answers the probe, item questions (tags after the title) and user questions.
inline FakeAnswer good_answer(const nlohmann::json& request) {
  const std::string prompt = request["messages"][request["messages"].size() > 1 ? 1 : 0]["content"];
  if (contains(prompt, "fox"))
    return {.body = chat_answer(R"({"mark": "zx-9041-quill", "list": ["zx-9041-quill"]})")};
  if (const std::string title = after(prompt, "Title: "); !title.empty())
    return {.body = chat_answer(item_completion(title))};
  return {.body = chat_answer(R"({"summary": "Likes things of some kinds and cares about their colour."})")};
}

struct Shape {
  int users = 20, items = 30;
};

// A dataset folder. User u trained on items u and u + 1, validates on u + 2, is tested on u + 3 (modulo).
class Extracting : public testing::Test {
 protected:
  void SetUp() override { make({}); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void make(Shape shape) {
    folder_ = std::filesystem::path(testing::TempDir()) / ("extract_" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    data::Dataset dataset;
    dataset.name = folder_.filename().string();
    for (int u = 0; u < shape.users; ++u) dataset.users.push_back("u" + std::to_string(u));
    for (int i = 0; i < shape.items; ++i) dataset.items.push_back("i" + std::to_string(i));
    const auto add = [&](data::Interactions& to, int user, int item, double time) {
      to.user.push_back(user);
      to.item.push_back(item % shape.items);
      to.rating.push_back(1);
      to.timestamp.push_back(time);
    };
    for (int u = 0; u < shape.users; ++u) {
      add(dataset.train, u, u, 1);
      add(dataset.train, u, u + 1, 2);
      add(dataset.valid, u, u + 2, 3);
      add(dataset.test, u, u + 3, 4);
    }
    data::save_dataset(dataset, folder_);
    for (const auto& id : dataset.items) titles_[id] = "Title" + id;
    write_items(shape.items);
  }
  void write_items(int count) {
    std::ofstream out(folder_ / "items.jsonl");
    for (int i = 0; i < count; ++i) {
      const std::string id = "i" + std::to_string(i);
      out << nlohmann::json{{"id", id}, {"title", titles_[id]}, {"description", "Word" + id}}.dump() << "\n";
    }
  }
  ExtractionOptions options(const FakeServer& server) {
    ExtractionOptions options;
    options.server.base_url = server.url() + "/v1";
    options.server.model = "fake";
    return options;
  }

  std::filesystem::path folder_;
  std::map<std::string, std::string> titles_;
};

// Takes part in nothing but counts what people would be told.
class Messages : public Sink {
 public:
  void message(Level, std::string_view text) override { all += std::string(text) + "\n"; }
  void progress(std::string_view, std::int64_t, std::int64_t, double, double, std::string_view,
                bool) override {}
  std::string all;
};

}  // namespace hyperllm::llm
