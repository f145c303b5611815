#include "hyperllm/kernels/triplet.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "hyperllm/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/triplet.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on
#include <hwy/cache_control.h>

#include "hyperllm/kernels/row_math-inl.h"

#ifndef HYPERLLM_KERNELS_TRIPLET_TASKS
#define HYPERLLM_KERNELS_TRIPLET_TASKS
namespace hyperllm::kernels {

struct TripletTask {
  const float* h;
  std::int64_t dim;
  double curvature;
  Margin margin;
  const TripletIds& ids;
  TripletTerm* terms;
  double* losses;
};

// The open triplets of every row: entries[starts[row]] to entries[starts[row + 1]], in order. An entry is
// 4 * triplet + role.
struct TripletIndex {
  std::vector<std::int32_t> starts;
  std::vector<std::int64_t> entries;
};

struct TripletGradientTask {
  const float* h;
  std::int64_t dim;
  double curvature, scale;
  const TripletIds& ids;
  const TripletTerm* terms;
  const TripletIndex& index;
  float* grad;
};

// An adaptive margin and its slopes by v - 1, half the squared chord of anchor and positive, and by their times.
struct AdaptiveMargin {
  double value, by_chord, by_anchor, by_positive;
};

inline AdaptiveMargin adaptive_margin(double size, double anchor, double positive, double chord) {
  const double inverse = 1 / (anchor * positive), delta = (anchor + positive - 2 - chord) * inverse,
               share = 1 / (1 + std::exp(-delta)), slope = size * share * (1 - share);
  return {size * share, -slope * inverse, slope * (inverse - delta / anchor),
          slope * (inverse - delta / positive)};
}

constexpr std::int64_t kAhead = 4;  // triplets
constexpr std::int64_t kAnchor = 0, kPositive = 1, kNegative = 2, kRoles = 4;

}  // namespace hyperllm::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

// What the terms need of the points of triplets taken together: squared norms, and of each pair |x - y|^2 and
// |x|^2 - |y|^2, the latter by differences.
struct Sums {
  HWY_ALIGN double anchor[kTogether];
  HWY_ALIGN double positive[kTogether];
  HWY_ALIGN double negative[kTogether];
  HWY_ALIGN double near[kTogether];
  HWY_ALIGN double far[kTogether];
  HWY_ALIGN double near_squares[kTogether];
  HWY_ALIGN double far_squares[kTogether];
};

HWY_INLINE void prefetch_row(const float* row, std::int64_t dim) {
  for (std::int64_t k = 0; k < dim; k += 16) hwy::Prefetch(row + k);
  hwy::Prefetch(row + dim - 1);
}

// All seven sums of triplet i in one pass over its points.
HWY_INLINE void add_up(const float* a, const float* p, const float* n, std::int64_t dim, std::int64_t i,
                       Sums& out) {
  const Doubles d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto aa = hn::Zero(d), pp = aa, nn = aa, near = aa, far = aa, near_squares = aa, far_squares = aa;
  std::int64_t k = 0;
  for (; k + lanes <= dim; k += lanes) {
    const auto x = load(d, a + k), y = load(d, p + k), z = load(d, n + k);
    const auto less_y = hn::Sub(x, y), less_z = hn::Sub(x, z);
    aa = hn::MulAdd(x, x, aa);
    pp = hn::MulAdd(y, y, pp);
    nn = hn::MulAdd(z, z, nn);
    near = hn::MulAdd(less_y, less_y, near);
    far = hn::MulAdd(less_z, less_z, far);
    near_squares = hn::MulAdd(less_y, hn::Add(x, y), near_squares);
    far_squares = hn::MulAdd(less_z, hn::Add(x, z), far_squares);
  }
  const auto sum = [&](hn::Vec<Doubles> lanes_of)
                       HWY_ATTR { return hn::GetLane(hn::SumOfLanes(d, lanes_of)); };
  out.anchor[i] = sum(aa);
  out.positive[i] = sum(pp);
  out.negative[i] = sum(nn);
  out.near[i] = sum(near);
  out.far[i] = sum(far);
  out.near_squares[i] = sum(near_squares);
  out.far_squares[i] = sum(far_squares);
  for (; k < dim; ++k) {
    const double x = a[k], y = p[k], z = n[k];
    out.anchor[i] += x * x;
    out.positive[i] += y * y;
    out.negative[i] += z * z;
    out.near[i] += (x - y) * (x - y);
    out.far[i] += (x - z) * (x - z);
    out.near_squares[i] += (x - y) * (x + y);
    out.far_squares[i] += (x - z) * (x + z);
  }
}

// Squared norms to times, and pairs to half their squared chords, in place.
HWY_INLINE void times_and_chords(double curvature, Sums& sums) {
  const Doubles d;
  const auto c = hn::Set(d, curvature), half = hn::Set(d, curvature / 2), one = hn::Set(d, 1);
  for (std::int64_t i = 0; i < kTogether; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    const auto time = [&](double* squares) HWY_ATTR {
      const auto value = hn::Sqrt(hn::MulAdd(c, hn::Load(d, squares + i), one));
      hn::Store(value, d, squares + i);
      return value;
    };
    const auto anchor = time(sums.anchor), positive = time(sums.positive), negative = time(sums.negative);
    const auto chord = [&](double* space, const double* squares, hn::Vec<Doubles> other) HWY_ATTR {
      const auto between = hn::Div(hn::Load(d, squares + i), hn::Add(anchor, other));
      const auto less = hn::NegMulAdd(hn::Mul(c, between), between, hn::Load(d, space + i));
      hn::Store(hn::Mul(half, less), d, space + i);
    };
    chord(sums.near, sums.near_squares, positive);
    chord(sums.far, sums.far_squares, negative);
  }
}

// acosh(1 + t)^2 in place of t and its slope 2 acosh(1 + t) / sqrt(t (t + 2)), from t = <x-y,x-y>_L / 2 >= 0;
// log1p(t + sqrt(t (t + 2))) keeps the digits near 0.
HWY_INLINE void squared_distances(double* values, double* slopes) {
  const Doubles d;
  const auto two = hn::Set(d, 2);
  for (std::int64_t i = 0; i < kTogether; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    auto t = hn::LoadU(d, values + i);
    t = hn::IfThenElse(hn::Lt(t, hn::Zero(d)), hn::Zero(d), t);  // keeps NaN
    const auto s = hn::Sqrt(hn::Mul(t, hn::Add(t, two)));
    const auto a = keep_nan(d, t, hn::CallLog1p(d, hn::Add(t, s)));
    hn::StoreU(hn::Mul(a, a), d, values + i);
    hn::StoreU(hn::IfThenElse(hn::Lt(s, hn::Set(d, 1e-5)), hn::NegMulAdd(t, hn::Set(d, 2.0 / 3), two),
                              hn::Div(hn::Mul(two, a), s)),
               d, slopes + i);
  }
}

HWY_ATTR void triplet_terms(const TripletTask& task, std::int64_t begin, std::int64_t end) {
  const std::int64_t dim = task.dim;
  const double c = task.curvature;
  const auto point = [&](std::span<const std::int32_t> ids, std::int64_t t) { return task.h + ids[t] * dim; };
  Sums sums = {};
  HWY_ALIGN double pull[kTogether];
  HWY_ALIGN double push[kTogether];
  std::array<AdaptiveMargin, kTogether> margins = {};
  std::fill(margins.begin(), margins.end(), AdaptiveMargin{task.margin.size, 0, 0, 0});
  for (std::int64_t first = begin; first < end; first += kTogether) {
    const std::int64_t count = std::min(kTogether, end - first);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t t = first + i;
      if (t + kAhead < end)
        for (const auto& ids : {task.ids.anchor, task.ids.positive, task.ids.negative})
          prefetch_row(point(ids, t + kAhead), dim);
      add_up(point(task.ids.anchor, t), point(task.ids.positive, t), point(task.ids.negative, t), dim, i,
             sums);
    }
    times_and_chords(c, sums);
    if (task.margin.adaptive)
      for (std::int64_t i = 0; i < count; ++i)
        margins[i] = adaptive_margin(task.margin.size, sums.anchor[i], sums.positive[i], sums.near[i]);
    squared_distances(sums.near, pull);
    squared_distances(sums.far, push);
    for (std::int64_t i = 0; i < count; ++i) {
      const double loss = (sums.near[i] - sums.far[i]) / c + margins[i].value;
      const bool closed = loss <= 0;  // NaN is open
      task.losses[first + i] = closed ? 0 : loss;
      TripletTerm& term = task.terms[first + i];
      term = {sums.anchor[i], sums.positive[i], sums.negative[i], 0, 0};
      if (closed) continue;
      term.pull = pull[i] / c + margins[i].by_chord;
      term.push = -push[i] / c;
      term.anchor_slope = margins[i].by_anchor;
      term.positive_slope = margins[i].by_positive;
    }
  }
}

// With v = x0 y0 - c <x, y> (times of the unit hyperboloid), dv/dx = c (y0 / x0 x - y), dx0/dx = c x / x0.
HWY_ATTR void triplet_gradients(const TripletGradientTask& task, double* sum, std::int64_t begin,
                                std::int64_t end) {
  const std::int64_t dim = task.dim;
  const double scale = task.scale * task.curvature;
  for (std::int64_t row = begin; row < end; ++row) {
    float* grad = task.grad + row * dim;
    const std::int64_t from = task.index.starts[row], to = task.index.starts[row + 1];
    if (from == to) {
      std::fill(grad, grad + dim, 0.0f);
      continue;
    }
    std::fill(sum, sum + dim, 0.0);
    double own = 0;
    const auto add = [&](double weight, std::int32_t other, double time, double other_time) HWY_ATTR {
      own += weight * (other_time / time);
      const float* y = task.h + other * dim;
      for_columns(dim, [&](auto d, std::int64_t k) HWY_ATTR {
        hn::StoreU(hn::MulAdd(hn::Set(d, weight), load(d, y + k), hn::LoadU(d, sum + k)), d, sum + k);
      });
    };
    for (std::int64_t e = from; e < to; ++e) {
      const std::int64_t t = task.index.entries[e] / kRoles, role = task.index.entries[e] % kRoles;
      const TripletTerm& term = task.terms[t];
      if (role == kPositive) {
        add(term.pull, task.ids.anchor[t], term.positive_time, term.anchor_time);
        own += term.positive_slope / term.positive_time;
      } else if (role == kNegative) {
        add(term.push, task.ids.anchor[t], term.negative_time, term.anchor_time);
      } else {
        add(term.pull, task.ids.positive[t], term.anchor_time, term.positive_time);
        add(term.push, task.ids.negative[t], term.anchor_time, term.negative_time);
        own += term.anchor_slope / term.anchor_time;
      }
    }
    const float* x = task.h + row * dim;
    for_columns(dim, [&](auto d, std::int64_t k) HWY_ATTR {
      const auto value = hn::MulSub(hn::Set(d, own), load(d, x + k), hn::LoadU(d, sum + k));
      store(d, hn::Mul(hn::Set(d, scale), value), grad + k);
    });
  }
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(triplet_terms);
HWY_EXPORT(triplet_gradients);

namespace {

constexpr std::int64_t kTripletsPerBlock = 512, kRowsPerBlock = 512;

// A counting sort by row.
void make_index(const TripletIds& ids, std::span<const TripletTerm> terms, std::int64_t rows,
                TripletIndex& index) {
  index.starts.assign(static_cast<std::size_t>(rows) + 2, 0);
  std::int32_t* ends = index.starts.data() + 1;  // of row r: ends[r]; before the second pass its start
  const auto each = [&](const auto& visit) {
    for (std::int64_t t = 0; t < ids.size(); ++t) {
      if (terms[t].pull == 0 && terms[t].push == 0) continue;
      visit(ids.anchor[t], kRoles * t + kAnchor);
      visit(ids.positive[t], kRoles * t + kPositive);
      visit(ids.negative[t], kRoles * t + kNegative);
    }
  };
  each([&](std::int32_t row, std::int64_t) { ++ends[row + 1]; });
  for (std::int64_t row = 0; row < rows; ++row) ends[row + 1] += ends[row];
  index.entries.resize(static_cast<std::size_t>(ends[rows]));
  each([&](std::int32_t row, std::int64_t entry) { index.entries[ends[row]++] = entry; });
}

}  // namespace

double triplet_hinge(std::span<const float> h, std::int64_t dim, double curvature, const TripletIds& ids,
                     Margin margin, std::span<TripletTerm> terms, std::int64_t* active) {
  thread_local std::vector<double> losses;  // kept between calls, as every buffer of a step
  losses.resize(static_cast<std::size_t>(ids.size()));
  const TripletTask task{h.data(), dim, curvature, margin, ids, terms.data(), losses.data()};
  parallel_ranges(ids.size(), kTripletsPerBlock, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(triplet_terms)(task, begin, end);
  });
  double loss = 0;
  std::int64_t open = 0;
  for (double value : losses) {
    loss += value;
    open += value != 0;
  }
  if (active) *active = open;
  return loss;
}

void triplet_hinge_backward(std::span<const float> h, std::int64_t dim, double curvature,
                            const TripletIds& ids, std::span<const TripletTerm> terms, double scale,
                            std::span<float> grad) {
  thread_local TripletIndex shared;  // kept between calls
  TripletIndex& index = shared;
  const std::int64_t rows = static_cast<std::int64_t>(h.size()) / dim;
  make_index(ids, terms, rows, index);
  const TripletGradientTask task{h.data(), dim, curvature, scale, ids, terms.data(), index, grad.data()};
  parallel_ranges(rows, kRowsPerBlock, [&](std::int64_t begin, std::int64_t end) {
    thread_local std::vector<double> sum;
    sum.resize(static_cast<std::size_t>(dim));
    HWY_DYNAMIC_DISPATCH(triplet_gradients)(task, sum.data(), begin, end);
  });
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
