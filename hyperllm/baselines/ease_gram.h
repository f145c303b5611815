// The matrix that EASE inverts (baselines/ease.h), whole or in parts.
#pragma once

#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/baselines/ease.h"
#include "hyperllm/data/csr.h"

namespace hyperllm::baselines {

// The lower triangle of rows * rows^T + lambda I, rows.rows squared, row-major; `columns` is rows transposed.
// Sums of ones: exact in any order.
std::vector<double> gram(const data::Csr& rows, const data::Csr& columns, double lambda);

// Throws kInvalidArgument for options out of their range and a side that does not fit.
void check_ease(const data::Csr& train, const EaseOptions& options, const EaseSide& side);

// p / (1 - p) diag(X^T X) + lambda I, from the rows of X^T.
std::vector<double> penalties(const data::Csr& item_users, const EaseOptions& options);
// w (ln(items / items of the tag) / ln(items))^2 for each tag, 0 for one that no item has; from the rows of T.
std::vector<double> tag_weights(const data::Csr& tag_items, double weight);
// V, items x columns.
std::vector<double> unit_rows(const artifact::Matrix& embeddings);

// The lower triangle of X^T X + w T^T T + v V V^T + lambda I + p / (1 - p) diag(X^T X), items squared,
// row-major; above the diagonal it holds nothing of use. Same bytes for any number of threads.
std::vector<double> item_gram(const data::Csr& train, const EaseOptions& options, const EaseSide& side,
                              const Context& context);

}  // namespace hyperllm::baselines
