#include "hyperllm/text/tfidf.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/text/tokenizer.h"

namespace hyperllm::text {
namespace {

// Terms of a range of documents, numbered in order of first appearance within the range.
struct Block {
  std::vector<std::string> terms;
  std::vector<std::vector<std::pair<std::int32_t, std::int32_t>>> documents;  // (term, count)
};

Block count_block(std::span<const std::string> documents, bool pairs) {
  Block block;
  std::unordered_map<std::string, std::int32_t> ids;
  std::vector<std::int32_t> found;
  for (const std::string& document : documents) {
    found.clear();
    for (std::string& term : terms(document, pairs)) {
      const auto [at, fresh] = ids.try_emplace(std::move(term), static_cast<std::int32_t>(ids.size()));
      if (fresh) block.terms.push_back(at->first);
      found.push_back(at->second);
    }
    std::sort(found.begin(), found.end());
    auto& row = block.documents.emplace_back();
    for (const std::int32_t term : found) {
      if (row.empty() || row.back().first != term) row.emplace_back(term, 0);
      ++row.back().second;
    }
  }
  return block;
}

std::vector<std::string> all_terms(const std::vector<Block>& blocks) {
  std::vector<std::string> merged;
  for (const Block& block : blocks) {
    merged.insert(merged.end(), block.terms.begin(), block.terms.end());
  }
  std::sort(merged.begin(), merged.end());
  merged.erase(std::unique(merged.begin(), merged.end()), merged.end());
  return merged;
}

std::vector<std::int32_t> numbers_of(const std::vector<std::string>& some,
                                     const std::vector<std::string>& all) {
  std::vector<std::int32_t> out;
  out.reserve(some.size());
  for (const std::string& term : some)
    out.push_back(static_cast<std::int32_t>(std::lower_bound(all.begin(), all.end(), term) - all.begin()));
  return out;
}

}  // namespace

std::vector<std::int64_t> TermCounts::document_frequency() const {
  std::vector<std::int64_t> df(terms.size(), 0);
  for (const std::int32_t term : counts.indices) ++df[term];
  return df;
}

TermCounts count_terms(std::span<const std::string> documents, bool pairs) {
  constexpr std::int64_t kBlock = 512;
  const auto total = static_cast<std::int64_t>(documents.size());
  std::vector<Block> blocks(static_cast<std::size_t>((total + kBlock - 1) / kBlock));
  parallel_ranges(total, kBlock, [&](std::int64_t begin, std::int64_t end) {
    blocks[begin / kBlock] = count_block(documents.subspan(begin, end - begin), pairs);
  });

  TermCounts out;
  out.terms = all_terms(blocks);
  SparseMatrix& counts = out.counts;
  counts.cols = static_cast<std::int64_t>(out.terms.size());
  for (Block& block : blocks) {
    const std::vector<std::int32_t> number = numbers_of(block.terms, out.terms);
    for (auto& row : block.documents) {
      for (auto& [term, count] : row) term = number[term];
      std::sort(row.begin(), row.end());
      for (const auto& [term, count] : row) {
        counts.indices.push_back(term);
        counts.values.push_back(static_cast<float>(count));
      }
      counts.indptr.push_back(counts.nnz());
    }
    block = {};
  }
  counts.rows = total;
  return out;
}

TermCounts select_terms(const TermCounts& counts, const TermLimits& limits) {
  HYPERLLM_CHECK(
      limits.min_documents >= 1 && limits.max_terms >= 0, ErrorCode::kInvalidArgument,
      "limits of terms: the least number of documents must be 1 or more, the number of terms 0 or more");
  HYPERLLM_CHECK(limits.max_share > 0 && limits.max_share <= 1, ErrorCode::kInvalidArgument,
                 "limits of terms: the largest share of documents must be above 0 and at most 1");
  const std::vector<std::int64_t> df = counts.document_frequency();
  const double most = limits.max_share * static_cast<double>(counts.counts.rows);
  std::vector<std::int32_t> kept;
  for (std::size_t term = 0; term < df.size(); ++term)
    if (df[term] >= limits.min_documents && static_cast<double>(df[term]) <= most)
      kept.push_back(static_cast<std::int32_t>(term));
  if (limits.max_terms > 0 && static_cast<std::int64_t>(kept.size()) > limits.max_terms) {
    std::stable_sort(kept.begin(), kept.end(), [&](std::int32_t a, std::int32_t b) { return df[a] > df[b]; });
    kept.resize(static_cast<std::size_t>(limits.max_terms));
    std::sort(kept.begin(), kept.end());
  }

  TermCounts out;
  std::vector<std::int32_t> number(df.size(), -1);
  for (const std::int32_t term : kept) {
    number[term] = static_cast<std::int32_t>(out.terms.size());
    out.terms.push_back(counts.terms[term]);
  }
  const SparseMatrix& from = counts.counts;
  SparseMatrix& to = out.counts;
  to.rows = from.rows;
  to.cols = static_cast<std::int64_t>(out.terms.size());
  for (std::int64_t r = 0; r < from.rows; ++r) {
    for (std::int64_t at = from.indptr[r]; at < from.indptr[r + 1]; ++at) {
      if (number[from.indices[at]] < 0) continue;
      to.indices.push_back(number[from.indices[at]]);
      to.values.push_back(from.values[at]);
    }
    to.indptr.push_back(to.nnz());
  }
  return out;
}

std::vector<float> smoothed_idf(std::int64_t documents, std::span<const std::int64_t> document_frequency) {
  std::vector<float> idf;
  idf.reserve(document_frequency.size());
  for (const std::int64_t df : document_frequency)
    idf.push_back(static_cast<float>(
        std::log((1 + static_cast<double>(documents)) / (1 + static_cast<double>(df))) + 1));
  return idf;
}

SparseMatrix tfidf(const SparseMatrix& counts, std::span<const float> idf, bool sublinear) {
  HYPERLLM_DCHECK(static_cast<std::int64_t>(idf.size()) == counts.cols);
  SparseMatrix out = counts;
  for (std::int64_t r = 0; r < out.rows; ++r) {
    double squares = 0;
    for (std::int64_t at = out.indptr[r]; at < out.indptr[r + 1]; ++at) {
      float& value = out.values[at];
      value = (sublinear ? 1 + std::log(value) : value) * idf[out.indices[at]];
      squares += static_cast<double>(value) * value;
    }
    const float scale = squares > 0 ? static_cast<float>(1 / std::sqrt(squares)) : 0;
    for (std::int64_t at = out.indptr[r]; at < out.indptr[r + 1]; ++at) out.values[at] *= scale;
  }
  return out;
}

}  // namespace hyperllm::text
