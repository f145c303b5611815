// Against real models, where there are some: llama-server on PATH, HYPERLLM_GGUF naming a chat model's file
// and HYPERLLM_EMBEDDER_GGUF an encoder's (.ci/real_model.sh gets all three). HYPERLLM_REAL_DATASET: a
// dataset folder (copied); HYPERLLM_REAL_ITEMS: how many of its items, 5 if not set; HYPERLLM_REAL_EXTRA:
// JSON merged into each request.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "hyperllm/base/error.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/texts.h"
#include "hyperllm/llm/call_store.h"
#include "hyperllm/llm/embeddings.h"
#include "hyperllm/llm/extraction.h"
#include "hyperllm/llm/session.h"

namespace hyperllm::llm {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

bool llama_server_on_path() { return std::system("command -v llama-server > /dev/null 2>&1") == 0; }

struct Film {
  const char *title, *genres;
};
constexpr Film kFilms[] = {{"Toy Story (1995)", "Animation, Children, Comedy"},
                           {"Heat (1995)", "Action, Crime, Thriller"},
                           {"Casablanca (1942)", "Drama, Romance"}};

// The first items of a dataset and the users that trained on any of them; or films that everyone knows.
data::Dataset small_dataset(const std::string& source, std::size_t most, std::vector<data::ItemText>& texts) {
  data::Dataset dataset;
  dataset.name = "real";
  if (source.empty()) {
    for (std::size_t i = 0; i < std::size(kFilms); ++i) {
      dataset.items.push_back("i" + std::to_string(i));
      texts.push_back({dataset.items.back(), kFilms[i].title, "", {}, "", {{"genres", kFilms[i].genres}}});
    }
    dataset.users = {"u0", "u1"};
    dataset.train = {{0, 0, 1}, {0, 1, 2}, {5, 5, 4}, {1, 2, 3}};
    return dataset;
  }
  const data::Dataset whole = data::load_dataset(source);
  dataset.items.assign(whole.items.begin(),
                       whole.items.begin() + static_cast<std::ptrdiff_t>(std::min(most, whole.items.size())));
  texts = data::load_item_texts(source, dataset.items);
  std::map<std::int32_t, std::int32_t> users;
  for (std::size_t row = 0; row < whole.train.user.size(); ++row) {
    if (whole.train.item[row] >= static_cast<std::int32_t>(dataset.items.size())) continue;
    const auto [found, is_new] =
        users.try_emplace(whole.train.user[row], static_cast<std::int32_t>(dataset.users.size()));
    if (is_new && dataset.users.size() == (most + 2) / 3) {
      users.erase(found);
      continue;
    }
    if (is_new) dataset.users.push_back(whole.users[static_cast<std::size_t>(whole.train.user[row])]);
    dataset.train.user.push_back(found->second);
    dataset.train.item.push_back(whole.train.item[row]);
    dataset.train.rating.push_back(whole.train.rating[row]);
    dataset.train.timestamp.push_back(whole.train.timestamp[row]);
  }
  return dataset;
}

TEST(RealModel, ExtractsAndEmbedsEndToEnd) {
  const std::string model = variable("HYPERLLM_GGUF", "");
  if (model.empty() || !llama_server_on_path())
    GTEST_SKIP() << "no llama-server on PATH, or HYPERLLM_GGUF names no model";
  const fs::path folder = fs::path(testing::TempDir()) / ("real_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::vector<data::ItemText> texts;
  const data::Dataset dataset = small_dataset(variable("HYPERLLM_REAL_DATASET", ""),
                                              std::stoul(variable("HYPERLLM_REAL_ITEMS", "5")), texts);
  data::save_dataset(dataset, folder);
  data::save_item_texts(texts, folder);
  ExtractionOptions options;
  options.server.llm = "local";
  options.server.model = model;
  options.server.concurrency = 4;
  options.server.local_threads = 1;  // two that wait for each other crawl when another test has a core
  options.max_tokens = 200;
  options.extra_body = variable("HYPERLLM_REAL_EXTRA", "");
  // How many replies are valid is the model's doing: one of 135 million parameters gets few right, or none,
  // which the stage then says. That each call ends valid or as a dead letter with a reason is ours.
  std::vector<std::string> summaries;
  bool none_valid = false;
  try {
    const ExtractionResult result = extract(folder, options, {});
    EXPECT_TRUE(result.written);
    summaries = result.item_summaries;
  } catch (const Error& error) {
    ASSERT_EQ(error.code(), ErrorCode::kUnavailable) << error.what();
    ASSERT_NE(std::string(error.what()).find("has a valid reply"), std::string::npos) << error.what();
    none_valid = true;
    for (const data::ItemText& text : texts) summaries.push_back(text.title);
  }
  const StoreReport report = CallStore::open(folder / "llm_calls.sqlite")->report();
  std::cout << report_text(report);
  ASSERT_EQ(report.kinds.at(0).calls, static_cast<std::int64_t>(dataset.items.size()));
  for (const KindReport& kind : report.kinds) {
    EXPECT_EQ(kind.pending, 0);
    EXPECT_EQ(kind.done + kind.dead, kind.calls);
  }
  EXPECT_EQ(none_valid, std::any_of(report.kinds.begin(), report.kinds.end(),
                                    [](const KindReport& kind) { return kind.done == 0; }));
  EmbeddingOptions embedding;
  embedding.server = options.server;
  embedding.server.local_pooling = "mean";
  const EmbeddingTable table = embed_texts(summaries, folder, embedding, {});
  EXPECT_GT(table.dimensions, 0);
  fs::remove_all(folder);
}

TEST(RealModel, EncoderPutsLikeMeaningsTogether) {
  const std::string model = variable("HYPERLLM_EMBEDDER_GGUF", "");
  if (model.empty() || !llama_server_on_path())
    GTEST_SKIP() << "no llama-server on PATH, or HYPERLLM_EMBEDDER_GGUF names no model";
  const fs::path folder = fs::path(testing::TempDir()) / ("encoder_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  EmbeddingOptions options;
  options.server.llm = "local";
  options.server.model = model;
  options.server.concurrency = 2;
  options.server.local_threads = 1;
  options.server.local_context = 512;
  const std::vector<std::string> texts = {"A man is eating food.", "A man eats a meal.",
                                          "The stock market fell sharply today.",
                                          "Shares dropped on Wall Street."};
  const EmbeddingTable table = embed_texts(texts, folder, options, {});
  ASSERT_EQ(table.dimensions, 384);
  const auto cosine = [&](std::size_t a, std::size_t b) {
    double product = 0, first = 0, second = 0;
    for (std::size_t k = 0; k < 384; ++k) {
      const double x = table.values[a * 384 + k], y = table.values[b * 384 + k];
      product += x * y;
      first += x * x;
      second += y * y;
    }
    return product / std::sqrt(first * second);
  };
  EXPECT_GT(cosine(0, 1), 0.8);
  EXPECT_GT(cosine(2, 3), 0.4);
  for (const std::size_t food : {0u, 1u})
    for (const std::size_t money : {2u, 3u}) EXPECT_LT(cosine(food, money), 0.2);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace hyperllm::llm
