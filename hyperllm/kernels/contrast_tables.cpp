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
  double begin, width;
};

// The piece that floats with this exponent and these leading mantissa bits belong to. The last piece below 16
// is the last one below 1 instead: rounding may leave v just below 1.
Piece piece_of(int index, int in_octave) {
  const int pieces = 4 * in_octave, octave = index < pieces - 1 ? index / in_octave : -1;
  const double width = std::ldexp(1.0 / in_octave, octave);
  const int part = index % in_octave;
  return {static_cast<std::size_t>((127 + octave) * in_octave + part) % static_cast<std::size_t>(pieces),
          std::ldexp(1, octave) + part * width, width};
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

}  // namespace

DistanceTable::DistanceTable(double tau) {
  for (int index = 0; index < kPieces; ++index) {
    const Piece piece = piece_of(index, kPieces / 4);
    const double middle = piece.begin + piece.width / 2;
    centre[piece.slot] = static_cast<float>(middle);
    const auto power = interpolated<kDegree>(
        piece.width / 2, [&](double x) { return -squared_distance(middle + x) / (tau * std::numbers::ln2); });
    for (int p = 0; p <= kDegree; ++p) coefficient[p][piece.slot] = static_cast<float>(power[p]);
  }
}

WeightTables::WeightTables(double tau, double largest) {
  constexpr int kInOctave = kPieces / 4, kSamples = 64;
  const auto fit = [&]<int kDegree>(Powers<kDegree>& powers, const std::function<double(double)>& value) {
    for (int index = 0; index < kPieces; ++index) {
      const Piece piece = piece_of(index, kInOctave);
      // x is t - kMiddle; a piece is 1 / kInOctave of it wide.
      const auto v_at = [&](double x) { return piece.begin + piece.width * (x * kInOctave + 0.5); };
      const auto power = interpolated<kDegree>(0.5 / kInOctave, [&](double x) { return value(v_at(x)); });
      for (int p = 0; p <= kDegree; ++p) powers.coefficient[p][piece.slot] = static_cast<float>(power[p]);
      for (int sample = 0; sample <= kSamples; ++sample) {
        const double x = (static_cast<double>(sample) / kSamples - 0.5) / kInOctave, v = v_at(x);
        if (v < 1 || v > largest) continue;
        double sum = 0;
        for (int p = kDegree; p >= 0; --p) sum = sum * x + powers.coefficient[p][piece.slot];
        powers.error = std::max(powers.error, std::abs(sum / value(v) - 1));
      }
    }
  };
  const auto weight_at = [&](double v) { return std::exp(-squared_distance(v) / tau); };
  fit(weight, weight_at);
  fit(slope, [&](double v) { return -weight_at(v) * slope_of_distance(v) / tau; });
}

}  // namespace hyperllm::kernels
