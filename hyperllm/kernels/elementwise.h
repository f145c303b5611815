// Optimizer steps on plain (Euclidean) parameters, and searches of arrays.
#pragma once

#include <cstdint>
#include <span>

namespace hyperllm::kernels {

// SGD with momentum as in PyTorch: b = momentum b + (g + weight_decay x); x -= lr b.
void sgd(std::span<float> x, std::span<const float> grad, std::span<float> momentum_buffer, double lr,
         double momentum, double weight_decay);

// Adam (Kingma and Ba 2015), weight decay added to the gradient; `t` counts steps from 1.
struct AdamStep {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  std::int64_t t = 1;
};
void adam(std::span<float> x, std::span<const float> grad, std::span<float> first, std::span<float> second,
          const AdamStep& step);

// Values that belong at [first, first + values.size()) of a longer array.
struct Piece {
  std::int64_t first = 0;
  std::span<const float> values;
};
// out = the sum of the pieces, which may overlap, 0 where there is none; a sum is taken in the order of the
// pieces. No piece aliases out.
void sum_pieces(std::span<const Piece> pieces, std::span<float> out);

// Index of the first NaN or infinity, -1 if there is none.
std::int64_t first_non_finite(std::span<const float> values);

// Index of the first value that is not <= bar (a NaN never is), -1 if there is none. One thread.
std::int64_t first_above(std::span<const float> values, float bar);

}  // namespace hyperllm::kernels
