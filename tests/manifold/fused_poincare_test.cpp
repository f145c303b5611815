// The ball's float32 kernels, through autograd, against manifold/poincare.h in float64, and row_ranges.
#include <gtest/gtest.h>

#include <limits>

#include "hyperllm/manifold/fused.h"
#include "hyperllm/manifold/poincare.h"
#include "hyperllm/manifold/row_ranges.h"
#include "tests/support/gradcheck.h"
#include "tests/support/points.h"

namespace hyperllm::manifold {
namespace {

using test::relative_error;
using torch::Tensor;

constexpr double kNoCap = std::numeric_limits<double>::infinity();

Tensor rows_of_length(std::int64_t rows, std::int64_t dim, double length) {
  const Tensor direction = torch::tensor(test::normal_floats(rows * dim, 1)).reshape({rows, dim});
  return direction / direction.norm(2, 1, true) * length;
}

template <typename Map>
void expect_agrees(const Tensor& input, const Map& map) {
  const Tensor kernel = input.detach().clone().requires_grad_(true),
               exact = input.detach().to(torch::kDouble).requires_grad_(true);
  const Tensor actual = map(kernel), expected = map(exact);
  EXPECT_EQ(actual.scalar_type(), torch::kFloat);
  EXPECT_LT(relative_error(actual, expected), 1e-6);
  const Tensor grad = torch::tensor(test::normal_floats(actual.numel(), 9)).reshape(actual.sizes());
  actual.backward(grad);
  expected.backward(grad.to(torch::kDouble));
  EXPECT_LT(relative_error(kernel.grad(), exact.grad()), 1e-5);
}

class FusedBall : public ::testing::TestWithParam<double> {
 protected:
  const Curvature c{GetParam()};
  const double unit = 1 / std::sqrt(GetParam());  // the ball's radius
};

TEST_P(FusedBall, MapsAreTheReference) {
  for (std::int64_t dim : {2, 7, 8, 17, 49}) {  // 1: a capped row has no gradient at all
    SCOPED_TRACE(dim);
    for (double size : {0.0, 1e-20, 1e-5, 9e-3, 1.1e-2, 0.3, 1.49, 1.51, 4.0})
      for (double cap : {kNoCap, 1.5})
        expect_agrees(rows_of_length(37, dim, size),
                      [&](const Tensor& v) { return ball_expmap0_rows(v, c, cap); });
    for (double share : {0.0, 1e-20, 1e-5, 9e-3, 1.1e-2, 0.3, 0.9, 0.996}) {
      const Tensor x = rows_of_length(37, dim, share * unit);
      expect_agrees(x, [&](const Tensor& points) { return ball_logmap0_rows(points, c); });
      expect_agrees(x, [&](const Tensor& points) { return ball_to_lorentz_rows(points, c); });
    }
    for (double length : {0.0, 1e-20, 1e-5, 0.3, 10.0, 100.0})
      expect_agrees(rows_of_length(37, dim, length),
                    [&](const Tensor& points) { return lorentz_to_ball_rows(points, c); });
  }
}

// Both halves of a midpoint; sums as they are of points at distances that float32 tells apart.
TEST_P(FusedBall, MidpointsAreTheReference) {
  for (std::int64_t dim : {2, 7, 8, 49}) {
    SCOPED_TRACE(dim);
    for (double size : {0.0, 1e-20, 1e-5, 4e-3, 6e-3, 0.3, 1.4, 1.6, 5.0})
      for (double cap : {1.5 * unit, 20 * unit})
        expect_agrees(rows_of_length(37, dim, size * unit),
                      [&](const Tensor& v) { return lift_rows(v, c, cap); });
    for (double size : {1e-5, 4e-3, 6e-3, 0.3, 1.0, 2.0}) {
      const Tensor points =
          lift_rows(rows_of_length(37, dim, size * unit).to(torch::kDouble), c, kNoCap).to(torch::kFloat);
      for (double factor : {1.0, 0.01})
        for (double most : {0.9 * unit, 3.1 * unit})
          expect_agrees(points * factor,
                        [&](const Tensor& sums) { return midpoint_tangent_rows(sums, c, most); });
    }
  }
}

TEST_P(FusedBall, AMidpointOfOnePointIsItsTangent) {
  const Tensor v = rows_of_length(37, 7, 0.8 * unit);
  EXPECT_LT(relative_error(midpoint_tangent_rows(3 * lift_rows(v, c, 20 * unit), c, 3 * unit), v), 1e-6);
  const Tensor longest = midpoint_tangent_rows(lift_rows(5 * v, c, 20 * unit), c, 3 * unit);
  EXPECT_LT((longest.norm(2, 1) - 3 * unit).abs().max().item<double>(), 1e-6);
}

TEST_P(FusedBall, TheReferenceHasTheRightGradient) {
  const Tensor v = rows_of_length(5, 3, 0.7 * unit).to(torch::kDouble), weights = torch::randn_like(v);
  const auto check = [&](const auto& map) {
    EXPECT_LT(test::gradient_error([&](const auto& in) { return (map(in[0]) * weights).sum(); }, {v}), 1e-7);
  };
  check([&](const Tensor& x) { return ball_expmap0_rows(x, c, kNoCap); });
  check([&](const Tensor& x) { return ball_expmap0_rows(x, c, 0.5 * unit); });
  check([&](const Tensor& x) { return ball_logmap0_rows(x, c); });
  check([&](const Tensor& x) { return ball_to_lorentz_rows(x, c); });
  check([&](const Tensor& x) { return lorentz_to_ball_rows(x, c); });
  for (const double most : {0.2 * unit, 3 * unit})
    check([&](const Tensor& x) {
      const Tensor sums = lift_rows(x, c, 10 * unit);
      return midpoint_tangent_rows(sums + 0.5 * sums.flip(0), c, most);
    });
}

// The triplet kernel of the Lorentz model gives the ball's loss and, through the isometry, its gradient.
TEST_P(FusedBall, LorentzTripletsServeTheBall) {
  Triplets triplets;
  Random random(4, "triplets");
  for (int t = 0; t < 300; ++t)
    for (auto* ids : {&triplets.anchor, &triplets.positive, &triplets.negative})
      ids->push_back(static_cast<std::int32_t>(random.below(30)));
  const auto index = [](const std::vector<std::int32_t>& ids) {
    return torch::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()));
  };
  const Tensor start = rows_of_length(30, 9, 1) * torch::rand({30, 1}) * (0.9 * unit);
  const Tensor kernel = start.clone().requires_grad_(true),
               exact = start.to(torch::kDouble).requires_grad_(true);
  const Tensor actual = triplet_hinge(ball_to_lorentz_rows(kernel, c), triplets, 0.8, c);
  const Poincare ball(c);
  const Tensor anchor = exact.index_select(0, index(triplets.anchor));
  const Tensor expected =
      torch::relu(ball.dist2(anchor, exact.index_select(0, index(triplets.positive))) -
                  ball.dist2(anchor, exact.index_select(0, index(triplets.negative))) + 0.8)
          .sum();
  EXPECT_LT(relative_error(actual, expected), 1e-6);
  actual.backward();
  expected.backward();
  EXPECT_LT(relative_error(kernel.grad(), exact.grad()), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Curvatures, FusedBall, ::testing::Values(0.5, 1.0, 2.0));

TEST(FusedBall, NanAndPointsOutsideSpoilTheirOwnRowOnly) {
  Tensor x = rows_of_length(20, 3, 0.5);
  x[4] = torch::tensor({2.0f, 0.0f, 0.0f});
  x[9][1] = std::numeric_limits<float>::quiet_NaN();
  Tensor sums = lift_rows(0.5 * x, Curvature(1), 9);
  sums[4][0] = std::numeric_limits<float>::quiet_NaN();
  for (const Tensor& y : {ball_logmap0_rows(x, Curvature(1)), ball_to_lorentz_rows(x, Curvature(1)),
                          midpoint_tangent_rows(sums, Curvature(1), 3)})
    for (std::int64_t row = 0; row < 20; ++row)
      EXPECT_EQ(y[row].isnan().all().item<bool>(), row == 4 || row == 9) << row;
}

TEST(RowRanges, AreNarrowAndTheirGradientsAddUp) {
  const std::vector<RowRange> ranges = {{0, 5000}, {3000, 4000}, {6500, 100}};
  const Tensor value = torch::randn({9000, 3});
  std::vector<Tensor> grads;
  for (const bool reference : {false, true}) {
    set_force_reference(reference);
    const Tensor x = value.clone().requires_grad_(true);
    const std::vector<Tensor> views = row_ranges(x, ranges);
    Tensor sum = torch::zeros({});
    for (std::size_t i = 0; i < views.size(); ++i) {
      EXPECT_TRUE(torch::equal(views[i], value.narrow(0, ranges[i].first, ranges[i].count)));
      if (i != 1 || reference) sum = sum + views[i].pow(2).sum() * static_cast<double>(i == 1 ? 0 : i + 1);
    }
    sum.backward();
    grads.push_back(x.grad());
    set_force_reference(false);
  }
  EXPECT_TRUE(torch::allclose(grads[0], grads[1]));
}

TEST(GatheredRows, AreIndexSelectAndRepeatedRowsAddUp) {
  const std::vector<std::int32_t> ids = {5, 0, 5, 8999, 17, 5, 0};
  const Tensor value = torch::randn({9000, 3}), weights = torch::randn({std::ssize(ids), 3});
  std::vector<Tensor> grads;
  for (const bool reference : {false, true}) {
    set_force_reference(reference);
    const Tensor x = value.clone().requires_grad_(true), rows = gathered_rows(x, ids);
    ASSERT_EQ(rows.size(0), std::ssize(ids));
    for (std::int64_t i = 0; i < rows.size(0); ++i) EXPECT_TRUE(torch::equal(rows[i], value[ids[i]]));
    (rows * weights).sum().backward();
    grads.push_back(x.grad());
    set_force_reference(false);
  }
  EXPECT_TRUE(torch::allclose(grads[0], grads[1]));
}

TEST(StackedRows, AreAViewWhereTheyLieTogetherAndACopyOtherwise) {
  const Tensor table = torch::randn({10, 3});
  for (const bool together : {true, false}) {
    const Tensor above = (together ? table.narrow(0, 0, 4) : table.narrow(0, 0, 4).clone())
                             .detach()
                             .requires_grad_(true),
                 below = table.narrow(0, 4, 6).detach().requires_grad_(true);
    const Tensor all = stacked_rows(above, below);
    EXPECT_TRUE(torch::equal(all, table));
    EXPECT_EQ(all.data_ptr() == table.data_ptr(), together);
    const Tensor weights = torch::randn({10, 3});
    (all * weights).sum().backward();
    EXPECT_TRUE(torch::equal(above.grad(), weights.narrow(0, 0, 4)));
    EXPECT_TRUE(torch::equal(below.grad(), weights.narrow(0, 4, 6)));
  }
}

}  // namespace
}  // namespace hyperllm::manifold
