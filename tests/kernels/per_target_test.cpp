// The vector code on every instruction set that this processor has.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "hyperllm/kernels/ball_scores.h"
#include "hyperllm/kernels/contrast.h"
#include "hyperllm/kernels/elementwise.h"
#include "hyperllm/kernels/lorentz_rows.h"
#include "hyperllm/kernels/panels_amx.h"
#include "hyperllm/kernels/poincare_rows.h"
#include "hyperllm/kernels/propagate.h"
#include "hyperllm/kernels/squared_distances.h"
#include "hyperllm/kernels/triplet.h"
#include "tests/support/points.h"
#include "tests/support/small_graph.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/kernels/per_target_test.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

std::int64_t target_in_use() { return HWY_TARGET; }

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(target_in_use);

namespace {

using Floats = std::vector<float>;

struct ForcedTarget {
  explicit ForcedTarget(std::int64_t target) { hwy::SetSupportedTargetsForTest(target); }
  ~ForcedTarget() { hwy::SetSupportedTargetsForTest(0); }
};

void on_every_target(const std::function<void()>& body) {
  const std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  ASSERT_GE(targets.size(), HWY_ARCH_X86 ? 2u : 1u) << "one target alone compares nothing";
  for (std::int64_t target : targets) {
    SCOPED_TRACE(hwy::TargetName(target));
    const ForcedTarget forced(target);
    ASSERT_EQ(HWY_DYNAMIC_DISPATCH(target_in_use)(), target);
    body();
  }
  // All of them: what the processor has beside its vector units.
  body();
}

double difference(const Floats& a, const Floats& b) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    size += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(error / size);
}

TEST(PerTarget, PropagateGivesTheSameBits) {
  const test::SmallGraph graph(200, 1500, 1);
  for (std::int64_t dim : {1, 3, 4, 8, 15, 16, 17, 49, 130}) {
    const Floats x = test::normal_floats(200 * dim, static_cast<std::uint64_t>(dim));
    Floats first, first_backward;
    on_every_target([&] {
      Floats out(x.size()), back(x.size()), scratch(x.size());
      propagate_sum(graph.view(), x, dim, 3, out, scratch);
      propagate_sum_backward(graph.view(), x, dim, 3, back, scratch);
      if (first.empty()) {
        first = out;
        first_backward = back;
      }
      EXPECT_EQ(out, first) << "dim " << dim;
      EXPECT_EQ(back, first_backward) << "dim " << dim;
    });
  }
}

TEST(PerTarget, RowsAgree) {
  for (std::int64_t dim : {1, 7, 8, 17, 49}) {
    SCOPED_TRACE(dim);
    const std::int64_t rows = 37;
    const Floats start = test::random_points(rows, dim, 1, 5, 1), grad = test::normal_floats(rows * dim, 2);
    std::vector<Floats> first;
    on_every_target([&] {
      std::vector<Floats> results(6, Floats(start.size()));
      expmap0(start, dim, 1, 1.5, results[0]);
      expmap0_backward(start, grad, dim, 1, 1.5, results[1]);
      logmap0(start, dim, 1, results[2]);
      Floats x = start, buffer = grad;
      lorentz_rsgd_of_tangents(x, results[3], grad, buffer, dim, 1, RsgdStep{});
      results[4] = x;
      results[5] = buffer;
      if (first.empty()) first = results;
      for (std::size_t i = 0; i < results.size(); ++i) EXPECT_LT(difference(results[i], first[i]), 2e-7) << i;
    });
  }
}

TEST(PerTarget, BallMapsAgree) {
  for (const std::int64_t dim : {1, 3, 16, 49}) {
    const Floats v = test::normal_floats(70 * dim, 1, 0.1), grad = test::normal_floats(70 * dim, 2);
    for (BallMap map : {BallMap::kExpmap0, BallMap::kLogmap0, BallMap::kToLorentz, BallMap::kFromLorentz}) {
      Floats first, first_back;
      on_every_target([&] {
        Floats out(v.size()), back(v.size());
        ball_map(map, v, dim, 1, 0.5, out);
        ball_map_backward(map, v, grad, dim, 1, 0.5, back);
        if (first.empty()) {
          first = out;
          first_back = back;
        }
        EXPECT_LT(difference(out, first), 1e-6) << "dim " << dim;
        EXPECT_LT(difference(back, first_back), 1e-6) << "dim " << dim;
      });
    }
  }
}

TEST(PerTarget, TripletsAgree) {
  const std::int64_t rows = 40;
  std::vector<std::int32_t> ids[3];
  for (std::uint64_t i = 0; i < 3; ++i)
    for (std::int64_t id : test::random_targets(700, rows, i))
      ids[i].push_back(static_cast<std::int32_t>(id));
  for (std::int64_t dim : {1, 7, 8, 17, 49}) {
    SCOPED_TRACE(dim);
    const Floats h = test::random_points(rows, dim, 1, 5, 1);
    for (const Margin& margin : {Margin(0.5), {0.9, true}}) {
      double first = 0;
      Floats first_grad;
      on_every_target([&] {
        std::vector<TripletTerm> terms(700);
        Floats grad(h.size());
        const double loss = triplet_hinge(h, dim, 1, {ids[0], ids[1], ids[2]}, margin, terms);
        triplet_hinge_backward(h, dim, 1, {ids[0], ids[1], ids[2]}, terms, 1, grad);
        if (first_grad.empty()) {
          first = loss;
          first_grad = grad;
        }
        EXPECT_NEAR(loss, first, 1e-12 * first);
        EXPECT_LT(difference(grad, first_grad), 2e-7);
      });
    }
  }
}

TEST(PerTarget, ContrastAgrees) {
  for (const auto& [columns, dim, radius, tau] :
       std::vector<std::tuple<std::int64_t, std::int64_t, double, double>>{{3, 9, 1, 1},
                                                                           {7, 1, 1, 1},
                                                                           {64, 15, 1.5, 0.5},
                                                                           {333, 49, 1.5, 1},
                                                                           {333, 18, 1.5, 0.2},
                                                                           {333, 9, 3, 1},
                                                                           {100, 66, 1, 1}}) {
    const std::int64_t rows = 70;
    const Floats x = test::random_points(rows, dim, 1, radius, 1),
                 y = test::random_points(columns, dim, 1, radius, 2);
    const auto targets = test::random_targets(rows, columns, 3);
    double first = 0;
    Floats first_x, first_y;
    on_every_target([&] {
      Floats gx(x.size()), gy(y.size());
      const double loss = softmax_contrast(x, y, targets, dim, 1, tau, gx, gy);
      if (first_x.empty()) {
        first = loss;
        first_x = gx;
        first_y = gy;
      }
      // AMX multiplies weights in two bfloat16 parts.
      const double tolerance = has_amx_parts() ? 1e-5 : 1e-6;
      EXPECT_NEAR(loss, first, 1e-6 * first) << columns << " columns";
      EXPECT_LT(difference(gx, first_x), tolerance) << columns << " columns";
      EXPECT_LT(difference(gy, first_y), tolerance) << columns << " columns";
    });
  }
}

// The gradient falls apart into rows: calls on parts of the rows add up to one on all of them. So few rows a
// part that no tile's products wait for another tile of the same lane, and so many in all that some do.
TEST(PerTarget, ContrastOfPartsAddsUp) {
  const std::int64_t rows = 1200, part = 400, columns = 1300, dim = 17;
  const Floats x = test::random_points(rows, dim, 1, 1.5, 1),
               y = test::random_points(columns, dim, 1, 1.5, 2);
  const auto targets = test::random_targets(rows, columns, 3);
  on_every_target([&] {
    for (double tau : {0.2, 0.5}) {
      Floats gx(x.size()), gy(y.size()), part_x(x.size()), part_y(y.size()), sum_y(y.size());
      const double whole = softmax_contrast(x, y, targets, dim, 1, tau, gx, gy);
      double sum = 0;
      for (std::int64_t begin = 0; begin < rows; begin += part) {
        sum += softmax_contrast(std::span(x).subspan(begin * dim, part * dim), y,
                                std::span(targets).subspan(begin, part), dim, 1, tau,
                                std::span(part_x).subspan(begin * dim, part * dim), part_y);
        for (std::size_t i = 0; i < sum_y.size(); ++i) sum_y[i] += part_y[i];
      }
      EXPECT_NEAR(sum, whole, 1e-7 * whole) << tau;
      EXPECT_LT(difference(part_x, gx), 3e-6) << tau;
      EXPECT_LT(difference(sum_y, gy), 3e-6) << tau;
    }
  });
}

// Where points coincide, rounding brings -<x,y>_L below 1 for many of them: by up to 1e-6, of which acosh^2
// is twice as much.
TEST(PerTarget, ContrastOfCoincidingPoints) {
  constexpr std::int64_t kRows = 50, kDim = 49;
  const Floats x = test::random_points(kRows, kDim, 1, 1.5, 1);
  on_every_target([&] {
    for (double tau : {0.2, 0.5})
      for (std::int64_t row = 0; row < kRows; ++row) {
        const std::span point = std::span(x).subspan(row * kDim, kDim);
        Floats y(point.begin(), point.end()), gx(kDim), gy(2 * kDim);
        y.insert(y.end(), point.begin(), point.end());
        const double loss = softmax_contrast(point, y, std::vector<std::int64_t>{1}, kDim, 1, tau, gx, gy);
        EXPECT_NEAR(loss, std::log(2), 1e-5 / tau);
        for (float value : gx) EXPECT_NEAR(value, 0, 2e-4 / tau);
      }
  });
}

TEST(PerTarget, FirstAboveLooksAtEveryPlace) {
  on_every_target([] {
    for (std::size_t count : {0, 1, 7, 130, 300}) {
      Floats values(count, 1.0f);
      EXPECT_EQ(first_above(values, 1.0f), -1);
      for (std::size_t at = 0; at < count; ++at)
        for (float value : {1.5f, std::numeric_limits<float>::quiet_NaN()}) {
          values[at] = value;
          EXPECT_EQ(first_above(values, 1.0f), static_cast<std::int64_t>(at));
          if (at + 1 < count) values[at + 1] = 2;  // a later one does not matter
          EXPECT_EQ(first_above(values, 1.0f), static_cast<std::int64_t>(at));
          values[at] = 1;
          if (at + 1 < count) values[at + 1] = 1;
        }
      for (float& value : values) value = std::numeric_limits<float>::infinity();
      EXPECT_EQ(first_above(values, std::numeric_limits<float>::infinity()), -1);
    }
  });
}

TEST(PerTarget, BallScoresAgree) {
  const std::int64_t items = 37;
  for (std::int64_t dim : {1, 9, 49})
    for (std::int64_t count : {1, 8, 13}) {
      const Floats x = test::normal_floats(20 * dim, 1), y = test::normal_floats(items * dim, 2),
                   user_factor = test::normal_floats(20, 3), item_factor = test::normal_floats(items, 4);
      const Floats packed = pack_ball_items(y, dim);
      std::vector<std::int32_t> users;
      for (std::int64_t b = 0; b < count; ++b) users.push_back(static_cast<std::int32_t>((7 * b + 3) % 20));
      Floats expected;
      for (std::int32_t u : users)
        for (std::int64_t i = 0; i < items; ++i) {
          double sum = 0;
          for (std::int64_t k = 0; k < dim; ++k)
            sum += std::pow(static_cast<double>(x[u * dim + k]) - y[i * dim + k], 2);
          expected.push_back(static_cast<float>(sum * user_factor[u] * item_factor[i]));
        }
      on_every_target([&] {
        Floats out(expected.size() + 1, 7.0f);
        ball_scores(x.data(), dim, users, user_factor, packed.data(), item_factor, out.data());
        EXPECT_EQ(out.back(), 7.0f) << "written behind the end";
        out.pop_back();
        for (std::size_t at = 0; at < out.size(); ++at)
          EXPECT_NEAR(out[at], expected[at], 2e-6 * std::abs(expected[at])) << "dim " << dim << ", " << at;
      });
    }
}

TEST(PerTarget, SquaredDistancesAgree) {
  for (std::int64_t dim : {1, 2, 49})
    for (std::int64_t count : {1, 15, 16, 17, 50}) {
      const Floats drawn = test::normal_floats(count * dim, 1), x_drawn = test::normal_floats(dim, 2);
      const std::vector<double> rows(drawn.begin(), drawn.end()), x(x_drawn.begin(), x_drawn.end());
      PackedPoints points(rows, dim);
      on_every_target([&] {
        std::vector<double> out(64 + 1, 7.0), back(64);
        squared_distances(x.data(), points, 0, count, out.data());
        EXPECT_EQ(out.back(), 7.0) << "written behind the end";
        for (std::int64_t i = 0; i < count; ++i) {
          double sum = 0;
          for (std::int64_t k = 0; k < dim; ++k) sum += std::pow(x[k] - rows[i * dim + k], 2);
          EXPECT_NEAR(out[i], sum, 1e-14 * sum) << "dim " << dim << ", " << i << " of " << count;
          // The other way round, to the last bit.
          std::vector<double> row(static_cast<std::size_t>(dim));
          points.copy(i, row);
          squared_distances(row.data(), PackedPoints(x, dim), 0, 1, back.data());
          EXPECT_EQ(back[0], out[i]);
        }
      });
      points.remove(0);
      EXPECT_EQ(points.size(), count - 1);
      if (count > 1) {
        EXPECT_EQ(points.at(0, dim - 1), rows.back());
      }
    }
}

TEST(PerTarget, ContrastKeepsNan) {
  Floats x = test::random_points(3, 2, 1, 1, 1);
  const Floats y = test::random_points(5, 2, 1, 1, 2);
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    x[3] = bad;
    on_every_target([&] {
      const std::vector<std::int64_t> targets = {0, 1, 2};
      EXPECT_TRUE(std::isnan(softmax_contrast(x, y, targets, 2, 1, 1, {}, {})));
    });
  }
}

}  // namespace
}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
