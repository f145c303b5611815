#include "hyperllm/text/tfidf.h"

#include <gtest/gtest.h>

#include <cmath>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"

namespace hyperllm::text {
namespace {

using Strings = std::vector<std::string>;

const Strings kDocuments = {"red lipstick", "red red nail polish", "Nail file", ""};

TEST(CountTerms, CountsByDocument) {
  const TermCounts counts = count_terms(kDocuments, false);
  EXPECT_EQ(counts.terms, (Strings{"file", "lipstick", "nail", "polish", "red"}));
  EXPECT_EQ(counts.counts.indptr, (std::vector<std::int64_t>{0, 2, 5, 7, 7}));
  EXPECT_EQ(counts.counts.indices, (std::vector<std::int32_t>{1, 4, 2, 3, 4, 0, 2}));
  EXPECT_EQ(counts.counts.values, (std::vector<float>{1, 1, 1, 1, 2, 1, 1}));
  EXPECT_EQ(counts.document_frequency(), (std::vector<std::int64_t>{1, 1, 2, 1, 2}));
}

TEST(CountTerms, PairsStayWithinPhrases) {
  const TermCounts counts = count_terms(Strings{"red, nail polish"});
  EXPECT_EQ(counts.terms, (Strings{"nail", "nail polish", "polish", "red"}));
}

TEST(CountTerms, SameForAnyNumberOfThreads) {
  Strings documents;
  for (int i = 0; i < 3000; ++i)
    documents.push_back("w" + std::to_string(i * 7919 % 501) + " w" + std::to_string(i % 37) + " gel");
  const int threads = num_threads();
  set_num_threads(1);
  const TermCounts one = count_terms(documents);
  set_num_threads(4);
  const TermCounts four = count_terms(documents);
  set_num_threads(threads);
  EXPECT_EQ(one.terms, four.terms);
  EXPECT_EQ(one.counts.indptr, four.counts.indptr);
  EXPECT_EQ(one.counts.indices, four.counts.indices);
  EXPECT_EQ(one.counts.values, four.counts.values);
}

TEST(SelectTerms, LimitsFrequencyAndNumber) {
  const TermCounts counts = count_terms(kDocuments, false);
  EXPECT_EQ(select_terms(counts, {.min_documents = 2}).terms, (Strings{"nail", "red"}));
  EXPECT_EQ(select_terms(counts, {.max_share = 0.25}).terms, (Strings{"file", "lipstick", "polish"}));
  const TermCounts three = select_terms(counts, {.max_terms = 3});
  EXPECT_EQ(three.terms, (Strings{"file", "nail", "red"}));  // file is the first of those in one document
  EXPECT_EQ(three.counts.indices, (std::vector<std::int32_t>{2, 1, 2, 0, 1}));
  EXPECT_EQ(three.counts.values, (std::vector<float>{1, 1, 2, 1, 1}));
  EXPECT_EQ(three.counts.rows, 4);
}

TEST(SelectTerms, RejectsLimitsOutOfRange) {
  const TermCounts counts = count_terms(kDocuments);
  EXPECT_THROW(select_terms(counts, {.min_documents = 0}), Error);
  EXPECT_THROW(select_terms(counts, {.max_share = 0}), Error);
  EXPECT_THROW(select_terms(counts, {.max_share = 1.5}), Error);
  EXPECT_THROW(select_terms(counts, {.max_terms = -1}), Error);
}

TEST(Tfidf, MatchesNumbersByHand) {
  const TermCounts counts = count_terms(kDocuments, false);
  const std::vector<float> idf = smoothed_idf(4, counts.document_frequency());
  // ln(5/2) + 1 for terms in one document, ln(5/3) + 1 for terms in two.
  EXPECT_FLOAT_EQ(idf[0], 1.9162907F);
  EXPECT_FLOAT_EQ(idf[2], 1.5108256F);
  const SparseMatrix weights = tfidf(counts.counts, idf);
  // Document 1: nail 1.5108256, polish 1.9162907, red (1 + ln 2) 1.5108256 = 2.5580501; norm 3.5353055.
  EXPECT_NEAR(weights.values[2], 1.5108256 / 3.5353055, 1e-6);
  EXPECT_NEAR(weights.values[3], 1.9162907 / 3.5353055, 1e-6);
  EXPECT_NEAR(weights.values[4], 2.5580501 / 3.5353055, 1e-6);
  const SparseMatrix linear = tfidf(counts.counts, idf, false);
  // red counts twice: 3.0216512; norm 3.8839594.
  EXPECT_NEAR(linear.values[4], 3.0216512 / 3.8839594, 1e-6);
  for (std::int64_t r = 0; r < 3; ++r) {
    double squares = 0;
    for (std::int64_t at = weights.indptr[r]; at < weights.indptr[r + 1]; ++at)
      squares += weights.values[at] * weights.values[at];
    EXPECT_NEAR(squares, 1, 1e-6);
  }
  EXPECT_EQ(weights.indptr[3], weights.indptr[4]);  // the empty document
}

TEST(Tfidf, EmptyCorpus) {
  const TermCounts counts = count_terms(Strings{});
  EXPECT_EQ(counts.counts.rows, 0);
  EXPECT_TRUE(counts.terms.empty());
  EXPECT_EQ(tfidf(counts.counts, {}).nnz(), 0);
  const TermCounts blank = count_terms(Strings{"", "the"});
  EXPECT_EQ(blank.counts.rows, 2);
  EXPECT_EQ(blank.counts.cols, 0);
}

TEST(SparseMatrix, TransposeStackAndProduct) {
  SparseMatrix a{2, 3, {0, 2, 3}, {0, 2, 1}, {1, 2, 3}};
  const SparseMatrix t = a.transposed();
  EXPECT_EQ(t.indptr, (std::vector<std::int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(t.indices, (std::vector<std::int32_t>{0, 1, 0}));
  EXPECT_EQ(t.values, (std::vector<float>{1, 3, 2}));
  const SparseMatrix both = stack(a, a);
  EXPECT_EQ(both.rows, 4);
  EXPECT_EQ(both.indptr, (std::vector<std::int64_t>{0, 2, 3, 5, 6}));
  const std::vector<float> x = {1, 10, 2, 20, 3, 30};
  std::vector<float> out(4);
  multiply(a, x, 2, out);
  EXPECT_EQ(out, (std::vector<float>{7, 70, 6, 60}));
}

}  // namespace
}  // namespace hyperllm::text
