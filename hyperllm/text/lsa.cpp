#include "hyperllm/text/lsa.h"

#include <cmath>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"

namespace hyperllm::text {

void normalise_rows(std::span<float> values, std::int64_t width) {
  for (std::size_t begin = 0; begin < values.size(); begin += static_cast<std::size_t>(width)) {
    const std::span<float> row = values.subspan(begin, static_cast<std::size_t>(width));
    double squares = 0;
    for (const float value : row) squares += static_cast<double>(value) * value;
    if (squares == 0) continue;
    const double scale = 1 / std::sqrt(squares);
    for (float& value : row) value = static_cast<float>(value * scale);
  }
}

Lsa lsa(std::span<const std::string> documents, const LsaOptions& options, const Context& context) {
  const TermCounts terms = select_terms(count_terms(documents, options.pairs), options.terms);
  HYPERLLM_CHECK(!terms.terms.empty(), ErrorCode::kInvalidData,
                 "lsa: none of the words of " + std::to_string(documents.size()) + " documents occurs in " +
                     std::to_string(options.terms.min_documents) +
                     " or more of them. Give more text, or lower min_df.");
  context.check_stop("lsa");
  const SparseMatrix weights =
      tfidf(terms.counts, smoothed_idf(terms.counts.rows, terms.document_frequency()));
  Svd svd = truncated_svd(weights, options.svd, context);

  Lsa out;
  out.dimension = options.svd.dimension;
  out.terms = weights.cols;
  out.rank = svd.rank;
  out.explained = svd.explained;
  for (std::int64_t r = 0; r < weights.rows; ++r)
    out.empty_documents += weights.indptr[r] == weights.indptr[r + 1];
  std::vector<float> scale(svd.singular_values.size(), 0);
  for (std::int64_t c = 0; c < svd.rank; ++c)
    scale[c] = static_cast<float>(std::pow(static_cast<double>(svd.singular_values[c]), options.power - 1));
  for (std::size_t i = 0; i < svd.v.size(); ++i) svd.v[i] *= scale[i % scale.size()];
  out.embeddings.resize(static_cast<std::size_t>(weights.rows * out.dimension));
  multiply(weights, svd.v, out.dimension, out.embeddings);
  if (options.unit_rows) normalise_rows(out.embeddings, out.dimension);
  return out;
}

}  // namespace hyperllm::text
