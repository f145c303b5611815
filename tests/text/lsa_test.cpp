#include "hyperllm/text/lsa.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"

namespace hyperllm::text {
namespace {

constexpr int kTopics = 6;
constexpr int kWords = 30;

// Document d is of topic d % kTopics: eight words drawn from the topic's own, two from a pool that all share.
std::vector<std::string> planted_topics(int documents, std::uint64_t seed) {
  Random random(seed, "lsa_test");
  std::vector<std::string> out;
  for (int d = 0; d < documents; ++d) {
    std::string text;
    for (int i = 0; i < 8; ++i)
      text += "topic" + std::to_string(d % kTopics) + "x" + std::to_string(random.below(kWords)) + " ";
    for (int i = 0; i < 2; ++i) text += "noise" + std::to_string(random.below(50)) + " ";
    out.push_back(text);
  }
  return out;
}

double dot(const Lsa& lsa, std::size_t a, std::size_t b) {
  double sum = 0;
  for (std::int64_t c = 0; c < lsa.dimension; ++c)
    sum += lsa.embeddings[a * lsa.dimension + c] * lsa.embeddings[b * lsa.dimension + c];
  return sum;
}

TEST(Lsa, NearestNeighboursShareThePlantedTopic) {
  const auto documents = planted_topics(300, 1);
  const Lsa lsa =
      text::lsa(documents, {.terms = {.min_documents = 2}, .pairs = false, .svd = {.dimension = 12}});
  int right = 0;
  for (std::size_t d = 0; d < documents.size(); ++d) {
    std::size_t best = d == 0 ? 1 : 0;
    for (std::size_t other = 0; other < documents.size(); ++other)
      if (other != d && dot(lsa, d, other) > dot(lsa, d, best)) best = other;
    right += best % kTopics == d % kTopics;
  }
  EXPECT_GE(right, 297);
}

TEST(Lsa, SynonymsThatNeverMeetAreClose) {
  // "sofa" and "couch" share no document, only company; "lamp" has other company.
  std::vector<std::string> documents;
  for (int i = 0; i < 20; ++i) {
    documents.push_back("sofa cushion velvet living");
    documents.push_back("couch cushion velvet living");
    documents.push_back("lamp bulb watt shade");
  }
  documents.insert(documents.end(), {"sofa", "couch", "lamp"});
  const Lsa lsa = text::lsa(documents, {.pairs = false, .power = 1, .svd = {.dimension = 2}});
  EXPECT_GT(dot(lsa, 60, 61), 0.95);
  EXPECT_LT(std::abs(dot(lsa, 60, 62)), 0.05);
}

TEST(Lsa, PowerScalesDirections) {
  const auto documents = planted_topics(60, 2);
  LsaOptions options{.unit_rows = false, .svd = {.dimension = 4}};
  std::vector<double> norms;
  for (const double power : {0.0, 0.5, 1.0}) {
    options.power = power;
    const Lsa lsa = text::lsa(documents, options);
    double squares = 0;
    for (std::size_t d = 0; d < documents.size(); ++d)
      squares += lsa.embeddings[d * 4 + 1] * lsa.embeddings[d * 4 + 1];
    norms.push_back(std::sqrt(squares));
  }
  EXPECT_NEAR(norms[0], 1, 1e-4);  // a left singular vector
  EXPECT_NEAR(norms[2], norms[1] * norms[1], 1e-3 * norms[2]);
}

TEST(Lsa, EmptyDocumentsAreZeroAndCounted) {
  const std::vector<std::string> documents = {"red nail", "", "red nail", "the and", "rare"};
  const Lsa lsa = text::lsa(documents, {.terms = {.min_documents = 2}, .svd = {.dimension = 5}});
  EXPECT_EQ(lsa.empty_documents, 3);
  EXPECT_EQ(lsa.rank, 1);
  EXPECT_NEAR(lsa.explained, 1, 1e-6);
  EXPECT_EQ(lsa.embeddings.size(), 25u);
  EXPECT_EQ(dot(lsa, 1, 1), 0);
  EXPECT_NEAR(dot(lsa, 0, 2), 1, 1e-6);
}

TEST(Lsa, OneDocument) {
  const std::vector<std::string> documents = {"crème brûlée"};
  const Lsa lsa = text::lsa(documents, {.terms = {.min_documents = 1}, .svd = {.dimension = 3}});
  EXPECT_EQ(lsa.rank, 1);
  EXPECT_NEAR(lsa.embeddings[0], 1, 1e-6);
  EXPECT_EQ(lsa.embeddings[1], 0);
}

TEST(Lsa, NoTermIsAnErrorWithTheRemedy) {
  for (const std::vector<std::string>& documents :
       {std::vector<std::string>{}, {""}, {"one two", "three four"}}) {
    try {
      text::lsa(documents, {});
      FAIL() << documents.size();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
      EXPECT_NE(std::string(error.what()).find("lower min_df"), std::string::npos);
    }
  }
}

TEST(Lsa, SameBytesForAnyNumberOfThreads) {
  const auto documents = planted_topics(2000, 3);
  const int threads = num_threads();
  std::vector<Lsa> results;
  for (const int count : {1, 2, 4}) {
    set_num_threads(count);
    results.push_back(text::lsa(documents, {.svd = {.dimension = 16, .iterations = 2}}));
  }
  set_num_threads(threads);
  EXPECT_EQ(results[0].embeddings, results[1].embeddings);
  EXPECT_EQ(results[0].embeddings, results[2].embeddings);
}

}  // namespace
}  // namespace hyperllm::text
