// Every kernel gives the same bytes on 1, 2 and 4 threads. Sizes cover several blocks and a last short one.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <functional>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/contrast.h"
#include "hyperllm/kernels/elementwise.h"
#include "hyperllm/kernels/gyromidpoint.h"
#include "hyperllm/kernels/lorentz_rows.h"
#include "hyperllm/kernels/poincare_rows.h"
#include "hyperllm/kernels/propagate.h"
#include "hyperllm/kernels/triplet.h"
#include "tests/support/points.h"
#include "tests/support/small_graph.h"

namespace hyperllm::kernels {
namespace {

using Floats = std::vector<float>;

void append(double value, Floats& out) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits >> 32)));
}
void append(const Floats& values, Floats& out) { out.insert(out.end(), values.begin(), values.end()); }

std::vector<std::uint32_t> bytes(const Floats& values) {
  std::vector<std::uint32_t> out;
  for (float value : values) out.push_back(std::bit_cast<std::uint32_t>(value));
  return out;
}

void expect_same_bytes(const std::function<Floats()>& compute) {
  set_num_threads(1);
  const auto expected = bytes(compute());
  for (int threads : {2, 4, 4}) {
    set_num_threads(threads);
    EXPECT_TRUE(bytes(compute()) == expected) << threads << " threads";
  }
  set_num_threads(0);
}

// Closed forms far out; nearer, polynomials of the distance, or of the weights where there is AMX.
TEST(Threads, SoftmaxContrast) {
  const std::int64_t rows = 64 * 17 + 5, columns = 700, dim = 9;
  for (const auto& [radius, tau] : std::vector<std::array<double, 2>>{{2, 0.2}, {1.5, 0.2}, {1.5, 1}}) {
    const Floats x = test::random_points(rows, dim, 1, radius, 1),
                 y = test::random_points(columns, dim, 1, radius, 2);
    const auto targets = test::random_targets(rows, columns, 3);
    expect_same_bytes([&] {
      Floats gx(x.size()), gy(y.size()), out;
      append(softmax_contrast(x, y, targets, dim, 1, tau, gx, gy), out);
      append(gx, out);
      append(gy, out);
      return out;
    });
  }
}

TEST(Threads, TripletHinge) {
  const std::int64_t rows = 1300, dim = 9;
  const Floats h = test::random_points(rows, dim, 1, 2, 1);
  std::vector<std::int32_t> ids[3];
  for (std::uint64_t i = 0; i < 3; ++i)
    for (std::int64_t id : test::random_targets(2000, rows, i))
      ids[i].push_back(static_cast<std::int32_t>(id));
  expect_same_bytes([&] {
    Floats grad(h.size()), out;
    std::vector<TripletTerm> terms(ids[0].size());
    for (const Margin& margin : {Margin(0.5), {0.9, true}}) {
      append(triplet_hinge(h, dim, 1, {ids[0], ids[1], ids[2]}, margin, terms), out);
      triplet_hinge_backward(h, dim, 1, {ids[0], ids[1], ids[2]}, terms, 0.3, grad);
      append(grad, out);
    }
    return out;
  });
}

TEST(Threads, Propagate) {
  const test::SmallGraph graph(3000, 40000, 1);
  const std::int64_t dim = 9;
  const Floats x = test::normal_floats(3000 * dim, 1);
  expect_same_bytes([&] {
    Floats out, sum(x.size()), scratch(x.size());
    propagate_sum(graph.view(), x, dim, 3, sum, scratch);
    append(sum, out);
    propagate_sum_backward(graph.view(), x, dim, 3, sum, scratch);
    append(sum, out);
    return out;
  });
}

TEST(Threads, Gyromidpoints) {
  const std::int64_t rows = 256 * 5 + 3, dim = 7;
  const Floats v = test::normal_floats(rows * dim, 1), wide = test::normal_floats(rows * (dim + 1), 2);
  expect_same_bytes([&] {
    Floats out, sums(wide.size()), result(v.size());
    lift(v, dim, 1, 2, sums);
    append(sums, out);
    lift_backward(v, wide, dim, 1, 2, result);
    append(result, out);
    midpoint_tangents(sums, dim, 1, 1.5, result);
    append(result, out);
    Floats grad(sums.size());
    midpoint_tangents_backward(sums, v, dim, 1, 1.5, grad);
    append(grad, out);
    return out;
  });
}

TEST(Threads, RowsAndSteps) {
  const std::int64_t rows = 256 * 5 + 3, dim = 7;
  const Floats v = test::normal_floats(rows * dim, 1), grad = test::normal_floats(rows * dim, 2);
  expect_same_bytes([&] {
    Floats out, result(v.size());
    expmap0(v, dim, 1, 2, result);
    append(result, out);
    expmap0_backward(v, grad, dim, 1, 2, result);
    append(result, out);
    logmap0(v, dim, 1, result);
    append(result, out);
    logmap0_backward(v, grad, dim, 1, result);
    append(result, out);
    Floats x = v, buffer = grad;
    lorentz_rsgd(x, grad, buffer, dim, 1, RsgdStep{});
    append(x, out);
    append(buffer, out);
    lorentz_rsgd_of_tangents(x, result, grad, buffer, dim, 1, RsgdStep{});
    append(x, out);
    append(buffer, out);
    append(result, out);
    return out;
  });
}

TEST(Threads, BallMaps) {
  const std::int64_t rows = 256 * 5 + 3, dim = 7;
  const Floats v = test::normal_floats(rows * dim, 1, 0.05), grad = test::normal_floats(rows * dim, 2);
  for (BallMap map : {BallMap::kExpmap0, BallMap::kLogmap0, BallMap::kToLorentz, BallMap::kFromLorentz})
    expect_same_bytes([&] {
      Floats out, result(v.size());
      ball_map(map, v, dim, 1, 2, result);
      append(result, out);
      ball_map_backward(map, v, grad, dim, 1, 2, result);
      append(result, out);
      return out;
    });
}

TEST(Threads, Elementwise) {
  const std::int64_t count = 3 * (1 << 15) + 7;
  const Floats start = test::normal_floats(count, 1), grad = test::normal_floats(count, 2);
  expect_same_bytes([&] {
    Floats out, x = start, a(start.size()), b(start.size());
    sgd(x, grad, a, 0.1, 0.9, 0.01);
    adam(x, grad, a, b, AdamStep{});
    append(x, out);
    append(a, out);
    append(b, out);
    return out;
  });
}

}  // namespace
}  // namespace hyperllm::kernels
