// The leading singular values and right singular vectors of a sparse matrix.
#pragma once

#include <cstdint>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/text/sparse.h"

namespace hyperllm::text {

struct SvdOptions {
  std::int64_t dimension = 256;  // singular vectors asked for, >= 1
  std::int64_t oversample = 32;  // further directions that the search carries along
  std::int64_t iterations =
      4;  // power iterations, each of one product with the matrix and one with its transpose
  std::uint64_t seed = 1;
};

struct Svd {
  std::int64_t rank = 0;               // singular values above 1e-6 of the largest, at most `dimension`
  std::vector<float> singular_values;  // `dimension` values, descending; 0 behind `rank`
  std::vector<float> v;                // cols x dimension, row-major: right singular vectors; 0 behind `rank`
  double explained = 0;  // sum of squared singular values over the matrix's squared Frobenius norm
};

// Randomised subspace iteration (Halko, Martinsson, Tropp 2011, algorithm 4.4), in float32. A dimension above
// the rank is padded with zeros. In each vector the entry of largest magnitude (the first of equals) is
// positive. The result does not depend on the number of threads. Memory: about 3 (rows + cols) (dimension +
// oversample) floats. Throws kInvalidArgument for a dimension below 1, kInterrupted.
Svd truncated_svd(const SparseMatrix& a, const SvdOptions& options, const Context& context = {});

}  // namespace hyperllm::text
