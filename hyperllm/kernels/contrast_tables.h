// Piecewise polynomials for the inner loops of softmax_contrast; the piece is found by bits of the argument
// itself. Internal to kernels/; v = -<x, y>_L of points of the unit hyperboloid.
#pragma once

#include <array>

namespace hyperllm::kernels {

// Of -acosh(v)^2 / (tau ln 2), so that 2 to their value is exp(-acosh(v)^2 / tau), in u = v + shift: eight
// pieces, two an octave, on [1, 16). Error of acosh^2: 7e-7, of its derivative relative to itself: 2e-5 at
// the ends of the pieces, both of alternating sign.
struct DistanceTable {
  static constexpr double kLargest = 15.9;
  static constexpr double shift = 1.0 / 32;                    // rounding may leave v below 1
  static constexpr int kPieces = 8, kDegree = 5, kShift = 22;  // piece: the low three bits of u >> kShift
  static constexpr int kSlots = 16;                            // the pieces twice, for sixteen lanes
  // Ascending powers of u - the middle of its piece.
  alignas(64) std::array<std::array<float, kSlots>, kDegree + 1> coefficient;

  explicit DistanceTable(double tau);
};

// Of e = exp(-acosh(v)^2 / tau) itself, in u = scale v + shift that brings [0.97, largest] into [4, 16): 32
// pieces, those of [8, 16) before those of [4, 8). Cheaper than 2 to a distance, but the smaller tau, the
// less accurate; the polynomials are fitted to the slope and then integrated.
struct WeightTable {
  static constexpr int kPieces = 32, kDegree = 5, kShift = 19;  // piece: the low five bits of u >> kShift
  double scale, shift;                                          // of a float's bits; of 16
  // Ascending powers of u - the middle of its piece.
  alignas(64) std::array<std::array<float, kPieces>, kDegree + 1> coefficient;
  // Largest relative ones for v of [1, largest]: of e, and of its derivative by v, which is `scale` times
  // that of the polynomials.
  double error = 0, slope_error = 0;

  WeightTable(double tau, double largest);
};

}  // namespace hyperllm::kernels
