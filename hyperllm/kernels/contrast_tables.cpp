#include "hyperllm/kernels/contrast_tables.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

namespace hyperllm::kernels {
namespace {

// acosh(v)^2, which is one analytic function below 1 too.
double squared_distance(double v) { return v < 1 ? -std::pow(std::acos(v), 2) : std::pow(std::acosh(v), 2); }

// Its derivative by v.
double slope_of_distance(double v) {
  const double s = std::sqrt(std::abs(v * v - 1));
  return s < 1e-5 ? 2 - 2 * (v - 1) / 3 : 2 * (v < 1 ? std::acos(v) : std::acosh(v)) / s;
}

struct Piece {
  std::size_t slot;
  double middle, width;
};

// Part `part` of the in_octave equal ones of [2^octave, 2^(octave + 1)); the exponent and the leading bits of
// the mantissa of its floats, modulo the number of pieces, are its slot.
Piece piece_of(int octave, int part, int in_octave, int pieces) {
  const double width = std::ldexp(1.0 / in_octave, octave);
  return {static_cast<std::size_t>(((127 + octave) * in_octave + part) % pieces),
          std::ldexp(1, octave) + (part + 0.5) * width, width};
}

// Powers of x that meet `value` at Chebyshev's nodes of [-half, half]: Newton's form, then expanded.
template <int kDegree>
std::array<double, kDegree + 1> interpolated(double half, const std::function<double(double)>& value) {
  constexpr int kNodes = kDegree + 1;
  std::array<double, kNodes> node, difference, power{};
  for (int n = 0; n < kNodes; ++n) {
    node[n] = half * std::cos(std::numbers::pi * (n + 0.5) / kNodes);
    difference[n] = value(node[n]);
  }
  for (int order = 1; order < kNodes; ++order)
    for (int n = kNodes - 1; n >= order; --n)
      difference[n] = (difference[n] - difference[n - 1]) / (node[n] - node[n - order]);
  for (int n = kNodes - 1; n >= 0; --n) {
    for (int p = kDegree; p > 0; --p) power[p] = power[p - 1] - node[n] * power[p];
    power[0] = difference[n] - node[n] * power[0];
  }
  return power;
}

// The nearest number of so many significant bits.
double with_bits(double value, int bits) {
  int exponent;
  const double mantissa = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(mantissa, bits)), exponent - bits);
}

}  // namespace

DistanceTable::DistanceTable(double tau) {
  constexpr int kInOctave = kPieces / 4;
  for (int index = 0; index < kPieces; ++index) {
    const auto [first, middle, width] = piece_of(index / kInOctave, index % kInOctave, kInOctave, kPieces);
    const auto power = interpolated<kDegree>(width / 2, [&, at = middle](double x) {
      return -squared_distance(at + x - shift) / (tau * std::numbers::ln2);
    });
    for (std::size_t slot = first; slot < kSlots; slot += kPieces)
      for (int p = 0; p <= kDegree; ++p) coefficient[p][slot] = static_cast<float>(power[p]);
  }
}

WeightTable::WeightTable(double tau, double largest) {
  constexpr double kSmallest = 0.97;  // rounding may leave v below 1
  constexpr double kSpan = 11.99;     // of [4, 16): rounding of scale and shift must not reach 16
  constexpr int kInOctave = kPieces / 2, kSamples = 12;
  scale = static_cast<float>(kSpan / (largest - kSmallest));
  shift = with_bits(4 - scale * kSmallest, 16);
  for (int index = 0; index < kPieces; ++index) {
    const auto [slot, middle, width] = piece_of(2 + index / kInOctave, index % kInOctave, kInOctave, kPieces);
    const auto v_at = [&, at = middle](double x) { return (at + x - shift) / scale; };
    const auto slope_at = [&](double x) {
      const double v = v_at(x);
      return -std::exp(-squared_distance(v) / tau) * slope_of_distance(v) / (tau * scale);
    };
    const auto weight_at = [&](double x) { return std::exp(-squared_distance(v_at(x)) / tau); };
    const auto slope = interpolated<kDegree - 1>(width / 2, slope_at);
    std::array<double, kDegree + 1> power{};
    for (int p = 0; p < kDegree; ++p) power[p + 1] = slope[p] / (p + 1);
    // power[0]: no relative error on the mean.
    double errors = 0, weights = 0;
    struct Sample {
      double v, value, slope, of_value, of_slope;
    };
    std::array<Sample, kSamples + 1> samples;
    for (int n = 0; n <= kSamples; ++n) {
      const double x = (static_cast<double>(n) / kSamples - 0.5) * width;
      Sample& at = samples[n] = {v_at(x), weight_at(x), slope_at(x), 0, 0};
      for (int p = kDegree; p >= 0; --p) {
        at.of_slope = at.of_slope * x + at.of_value;
        at.of_value = at.of_value * x + power[p];
      }
      errors += 1 - at.of_value / at.value;
      weights += 1 / at.value;
    }
    power[0] = errors / weights;
    for (const Sample& at : samples) {
      if (at.v < 1 || at.v > largest) continue;
      error = std::max(error, std::abs((at.of_value + power[0]) / at.value - 1));
      slope_error = std::max(slope_error, std::abs(at.of_slope / at.slope - 1));
    }
    for (int p = 0; p <= kDegree; ++p) coefficient[p][slot] = static_cast<float>(power[p]);
  }
}

}  // namespace hyperllm::kernels
