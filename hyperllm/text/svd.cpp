#include "hyperllm/text/svd.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "hyperllm/kernels/blas.h"

// OpenBLAS's LAPACK, for which Debian has no header without another package. The last argument is the length
// of `job`, as Fortran passes it.
extern "C" void dgesdd_(const char* job, const int* rows, const int* cols, double* a, const int* a_stride,
                        double* values, double* u, const int* u_stride, double* vt, const int* vt_stride,
                        double* work, const int* work_size, int* whole_work, int* info, std::size_t);

namespace hyperllm::text {
namespace {

using Dense = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ColumnMajor = Eigen::MatrixXf;

constexpr float kRankTolerance = 1e-6F;

Dense product(const SparseMatrix& a, const Dense& x) {
  Dense out(a.rows, x.cols());
  multiply(a, {x.data(), static_cast<std::size_t>(x.size())}, x.cols(),
           {out.data(), static_cast<std::size_t>(out.size())});
  return out;
}

struct ThinQr {
  ColumnMajor q;  // rows x min(rows, cols)
  ColumnMajor r;
};

ThinQr thin_qr(const ColumnMajor& x) {
  const Eigen::Index width = std::min(x.rows(), x.cols());
  const Eigen::HouseholderQR<ColumnMajor> qr(x);
  return {qr.householderQ() * ColumnMajor::Identity(x.rows(), width),
          qr.matrixQR().topRows(width).triangularView<Eigen::Upper>()};
}

// Replaces x by an orthonormal basis that holds its columns' span (x.rows() >= x.cols()) and returns the
// triangular factor. Fixed blocks of rows are factored one by one, then their stacked factors.
ColumnMajor orthonormalise(Dense& x) {
  const Eigen::Index width = x.cols();
  const Eigen::Index grain = std::max<Eigen::Index>(1024, 2 * width);
  const Eigen::Index blocks = (x.rows() + grain - 1) / grain;
  std::vector<ThinQr> parts(static_cast<std::size_t>(blocks));
  parallel_ranges(x.rows(), grain, [&](std::int64_t begin, std::int64_t end) {
    parts[begin / grain] = thin_qr(x.middleRows(begin, end - begin));
  });

  std::vector<Eigen::Index> offsets = {0};
  for (const ThinQr& part : parts) offsets.push_back(offsets.back() + part.r.rows());
  ColumnMajor stacked(offsets.back(), width);
  for (Eigen::Index b = 0; b < blocks; ++b) stacked.middleRows(offsets[b], parts[b].r.rows()) = parts[b].r;
  const ThinQr top = thin_qr(stacked);

  parallel_blocks(blocks, [&](std::int64_t b) {
    const ThinQr& part = parts[b];
    x.middleRows(b * grain, part.q.rows()).noalias() = part.q * top.q.middleRows(offsets[b], part.r.rows());
  });
  return top.r;
}

Dense random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  Dense out(rows, cols);
  const Random::State start = Random(seed, "truncated_svd").state();
  parallel_ranges(rows, 256, [&](std::int64_t begin, std::int64_t end) {
    Random random({start.key, start.counter + static_cast<std::uint64_t>(2 * begin * cols)});
    for (std::int64_t r = begin; r < end; ++r)
      for (std::int64_t c = 0; c < cols; ++c) out(r, c) = static_cast<float>(random.normal());
  });
  return out;
}

// Makes the entry of largest magnitude of each column positive.
void fix_signs(Dense& v) {
  for (Eigen::Index c = 0; c < v.cols(); ++c) {
    Eigen::Index largest = 0;
    v.col(c).cwiseAbs().maxCoeff(&largest);
    if (v(largest, c) < 0) v.col(c) = -v.col(c);
  }
}

// A = U diag(values) V^T of a square matrix. Eigen has it too, for half a minute of compiling.
struct Core {
  Eigen::MatrixXd u;
  Eigen::VectorXd values;  // descending
};

Core core_svd(Eigen::MatrixXd a) {
  kernels::use_single_threaded_blas();
  const int width = static_cast<int>(a.rows());
  Core core{Eigen::MatrixXd(width, width), Eigen::VectorXd(width)};
  Eigen::MatrixXd vt(width, width);
  std::vector<int> whole_work(static_cast<std::size_t>(8 * width));
  int info = 0;
  const auto call = [&](double* work, int size) {
    dgesdd_("A", &width, &width, a.data(), &width, core.values.data(), core.u.data(), &width, vt.data(),
            &width, work, &size, whole_work.data(), &info, 1);
  };
  double wanted = 0;
  call(&wanted, -1);  // asks for the size of `work`
  std::vector<double> work(static_cast<std::size_t>(wanted));
  call(work.data(), static_cast<int>(work.size()));
  HYPERLLM_CHECK(info == 0, ErrorCode::kNonFinite,
                 "truncated SVD: no convergence; the matrix holds numbers too large.");
  return core;
}

double squared_norm(const SparseMatrix& a) {
  double sum = 0;
  for (const float value : a.values) sum += static_cast<double>(value) * value;
  return sum;
}

}  // namespace

Svd truncated_svd(const SparseMatrix& a, const SvdOptions& options, const Context& context) {
  HYPERLLM_CHECK(options.dimension >= 1, ErrorCode::kInvalidArgument,
                 "truncated SVD: dimension must be 1 or more, got " + std::to_string(options.dimension));
  Svd out;
  out.singular_values.assign(static_cast<std::size_t>(options.dimension), 0);
  out.v.assign(static_cast<std::size_t>(a.cols * options.dimension), 0);
  const double total = squared_norm(a);
  if (total == 0) return out;

  const std::int64_t width = std::min({a.rows, a.cols, options.dimension + options.oversample});
  const SparseMatrix transposed = a.transposed();
  Progress progress(context, "singular vectors", options.iterations + 1);
  Dense left = product(a, random_matrix(a.cols, width, options.seed));
  Dense right;
  ColumnMajor factor;
  for (std::int64_t i = 0; i <= options.iterations; ++i) {
    context.check_stop("truncated SVD");
    orthonormalise(left);
    right = product(transposed, left);
    factor = orthonormalise(right);
    if (i < options.iterations) left = product(a, right);
    progress.advance();
  }

  // transposed * left = right * factor, so with factor = U S W^T, a is about (left W) S (right U)^T.
  const Core core = core_svd(factor.cast<double>());
  const Eigen::Index kept = std::min<Eigen::Index>(options.dimension, width);
  const ColumnMajor rotation = core.u.leftCols(kept).cast<float>();
  Dense v(a.cols, kept);
  parallel_ranges(a.cols, 1024, [&](std::int64_t begin, std::int64_t end) {
    v.middleRows(begin, end - begin).noalias() = right.middleRows(begin, end - begin) * rotation;
  });
  fix_signs(v);

  const Eigen::VectorXf values = core.values.cast<float>();
  while (out.rank < kept && values(out.rank) > kRankTolerance * values(0)) ++out.rank;
  double explained = 0;
  for (std::int64_t c = 0; c < out.rank; ++c) {
    out.singular_values[c] = values(c);
    explained += static_cast<double>(values(c)) * values(c);
  }
  for (std::int64_t r = 0; r < a.cols; ++r)
    for (std::int64_t c = 0; c < out.rank; ++c) out.v[r * options.dimension + c] = v(r, c);
  out.explained = std::min(1.0, explained / total);
  return out;
}

}  // namespace hyperllm::text
