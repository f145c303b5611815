// Piecewise polynomials for the inner loops of softmax_contrast; the piece is found by bits of the float
// itself. Internal to kernels/; v = -<x, y>_L of points of the unit hyperboloid.
#pragma once

#include <array>

namespace hyperllm::kernels {

// Of -acosh(v)^2 / (tau ln 2), so that 2 to their value is exp(-acosh(v)^2 / tau): sixteen pieces, four an
// octave, on [0.875, 14). Error of acosh^2: 5e-7, of its derivative relative to itself: 2e-5 at the ends of
// the pieces, both of alternating sign.
struct DistanceTable {
  static constexpr double kLargest = 14;
  static constexpr int kPieces = 16, kDegree = 4;
  alignas(64) std::array<float, kPieces> centre;
  alignas(
      64) std::array<std::array<float, kPieces>, kDegree + 1> coefficient;  // ascending powers of v - centre

  explicit DistanceTable(double tau);
};

// Of e = exp(-acosh(v)^2 / tau) and of its derivative by v, apart: 32 pieces, eight an octave, on [0.9375,
// 15). Cheaper than 2 to a distance, but the smaller tau, the less accurate.
struct WeightTables {
  static constexpr double kLargest = 15;
  static constexpr int kPieces = 32, kShift = 20;  // piece: the low five bits of the float >> kShift
  // Ascending powers of t - kMiddle, where t in [1, 1.125) has the bits of the float below kShift.
  static constexpr float kMiddle = 1.0625f;
  template <int degree>
  struct Powers {
    static constexpr int kDegree = degree;
    alignas(64) std::array<std::array<float, kPieces>, degree + 1> coefficient;
    double error = 0;  // largest for v of [1, largest], relative
  };
  Powers<6> weight;
  Powers<5> slope;

  WeightTables(double tau, double largest);
};

}  // namespace hyperllm::kernels
