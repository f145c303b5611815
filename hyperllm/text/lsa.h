// Latent semantic analysis (Deerwester et al. 1990): documents that share topics get close vectors, even if
// they share no word.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/text/svd.h"
#include "hyperllm/text/tfidf.h"

namespace hyperllm::text {

struct LsaOptions {
  TermLimits terms = {.min_documents = 3, .max_share = 1, .max_terms = 50000};
  bool pairs = true;
  // A document's coordinates are scaled by singular value ^ power: 1 plain LSA, 0 all directions alike.
  double power = 0.5;
  bool unit_rows = true;  // divide each row by its Euclidean norm
  SvdOptions svd;
};

struct Lsa {
  std::int64_t dimension = 0;
  std::vector<float> embeddings;     // documents x dimension, row-major; zeros for an empty document
  std::int64_t terms = 0;            // terms in use
  std::int64_t rank = 0;             // dimensions that are not all zero
  double explained = 0;              // see Svd
  std::int64_t empty_documents = 0;  // documents without a term in use
};

// TF-IDF of all documents (sublinear, smoothed idf, unit rows), its truncated SVD, and every document's
// coordinates U S^power. Does not depend on the number of threads. Throws kInvalidData if no term meets the
// limits, kInvalidArgument for options out of range, kInterrupted.
Lsa lsa(std::span<const std::string> documents, const LsaOptions& options, const Context& context = {});

// Divides each row of `width` values by its Euclidean norm; rows of zeros stay.
void normalise_rows(std::span<float> values, std::int64_t width);

}  // namespace hyperllm::text
