// Rows of floats computed in double, for kernels that are compiled once an instruction set: included after
// hwy/highway.h, guarded the way Highway's own -inl.h files are.
#if defined(HYPERLLM_KERNELS_ROW_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HYPERLLM_KERNELS_ROW_MATH_INL_H_
#undef HYPERLLM_KERNELS_ROW_MATH_INL_H_
#else
#define HYPERLLM_KERNELS_ROW_MATH_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Doubles = hn::ScalableTag<double>;
using OneDouble = hn::CappedTag<double, 1>;

// Rows whose norms are turned into factors together, so that the transcendental functions fill their vectors.
constexpr std::int64_t kTogether = 16;
static_assert(kTogether * sizeof(double) % HWY_MAX_BYTES == 0);

template <class D>
HWY_INLINE hn::Vec<D> load(D d, const float* from) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D>(), from));
}
template <class D>
HWY_INLINE hn::Vec<D> load(D d, const double* from) {
  return hn::LoadU(d, from);
}
template <class D>
HWY_INLINE void store([[maybe_unused]] D d, hn::Vec<D> value, float* to) {
  const hn::Rebind<float, D> df;
  hn::StoreU(hn::DemoteTo(df, value), df, to);
}

// body(tag, column) for vectors of columns, then for the single columns that are left.
template <class Body>
HWY_INLINE void for_columns(std::int64_t dim, const Body& body) {
  const Doubles d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t k = 0;
  for (; k + lanes <= dim; k += lanes) body(d, k);
  for (; k < dim; ++k) body(OneDouble(), k);
}

template <typename A, typename B>
HWY_INLINE double dot(const A* a, const B* b, std::int64_t dim) {
  const Doubles d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto even = hn::Zero(d), odd = hn::Zero(d);
  std::int64_t k = 0;
  for (; k + 2 * lanes <= dim; k += 2 * lanes) {
    even = hn::MulAdd(load(d, a + k), load(d, b + k), even);
    odd = hn::MulAdd(load(d, a + k + lanes), load(d, b + k + lanes), odd);
  }
  for (; k + lanes <= dim; k += lanes) even = hn::MulAdd(load(d, a + k), load(d, b + k), even);
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  for (; k < dim; ++k) sum += static_cast<double>(a[k]) * b[k];
  return sum;
}

// Highway's functions answer NaN with numbers of their own.
template <class D>
HWY_INLINE hn::Vec<D> keep_nan(D, hn::Vec<D> in, hn::Vec<D> out) {
  return hn::IfThenElse(hn::IsNaN(in), in, out);
}

template <class D>
struct SinhCosh {
  hn::Vec<D> sinh, cosh;
};

// Both to the last digits for any z >= 0; beyond 700 they stay at their (enormous) values there.
template <class D>
HWY_INLINE SinhCosh<D> sinh_cosh(D d, hn::Vec<D> z) {
  const auto half = hn::Set(d, 0.5), one = hn::Set(d, 1);
  const auto most = hn::Set(d, 700);
  const auto capped = hn::IfThenElse(hn::Gt(z, most), most, z);
  const auto e = keep_nan(d, z, hn::CallExpm1(d, capped));
  const auto ratio = hn::Div(e, hn::Add(e, one));
  return {hn::Mul(half, hn::Add(e, ratio)), hn::MulAdd(hn::Mul(half, e), ratio, one)};
}

template <class D>
HWY_INLINE hn::Vec<D> asinh(D d, hn::Vec<D> z) {
  return keep_nan(d, z, hn::CallAsinh(d, z));
}

// The factor f(r) and the slope f'(r) / r of a radial map v -> f(|v|) v, of rows taken together.
struct Factors {
  HWY_ALIGN double value[kTogether];
  HWY_ALIGN double slope[kTogether];
};

// Rows [begin, end) of out = f v, or, if there is a grad, of the gradient f g + f' / r (v . g) v.
// factors(squares, out) turns kTogether squared norms into factors.
template <class ToFactors>
HWY_INLINE void radial_rows(const float* in, const float* grads, float* outs, std::int64_t dim,
                            std::int64_t begin, std::int64_t end, const ToFactors& to_factors) {
  HWY_ALIGN double squares[kTogether] = {};
  Factors factors;
  for (std::int64_t first = begin; first < end; first += kTogether) {
    const std::int64_t rows = std::min(kTogether, end - first);
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* v = in + (first + r) * dim;
      squares[r] = dot(v, v, dim);
    }
    to_factors(squares, factors);
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* v = in + (first + r) * dim;
      float* out = outs + (first + r) * dim;
      const double value = factors.value[r];
      if (grads) {
        const float* grad = grads + (first + r) * dim;
        const double along = factors.slope[r] * dot(v, grad, dim);
        for_columns(dim, [&](auto d, std::int64_t k) HWY_ATTR {
          store(d,
                hn::MulAdd(hn::Set(d, value), load(d, grad + k), hn::Mul(hn::Set(d, along), load(d, v + k))),
                out + k);
        });
      } else {
        for_columns(dim, [&](auto d, std::int64_t k)
                             HWY_ATTR { store(d, hn::Mul(hn::Set(d, value), load(d, v + k)), out + k); });
      }
    }
  }
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
