// Documents as weighted bags of terms.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hyperllm/text/sparse.h"

namespace hyperllm::text {

// How often each term occurs in each document.
struct TermCounts {
  std::vector<std::string> terms;  // index = column; ascending by bytes
  SparseMatrix counts;             // documents x terms

  // In how many documents each term occurs.
  std::vector<std::int64_t> document_frequency() const;
};

// Counts text::terms of every document.
TermCounts count_terms(std::span<const std::string> documents, bool pairs = true);

struct TermLimits {
  std::int64_t min_documents = 1;  // drop terms that occur in fewer documents
  double max_share = 1;            // drop terms that occur in more than this share of all documents, (0, 1]
  std::int64_t max_terms = 0;      // keep the terms of most documents (ties: first by bytes); 0: all
};

// The columns that meet the limits, in the same order. Throws kInvalidArgument if a limit is out of range.
TermCounts select_terms(const TermCounts& counts, const TermLimits& limits);

// ln((1 + documents) / (1 + df)) + 1 for each df: as if one more document held every term once, so that no
// weight is 0 or infinite.
std::vector<float> smoothed_idf(std::int64_t documents, std::span<const std::int64_t> document_frequency);

// Each count c becomes (1 + ln c) * idf[term] (c * idf[term] unless `sublinear`), then each row is divided by
// its Euclidean norm. Rows without terms stay zero.
SparseMatrix tfidf(const SparseMatrix& counts, std::span<const float> idf, bool sublinear = true);

}  // namespace hyperllm::text
