// Seeded random streams that can be stored and continued.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace hyperllm {

// A counter-based generator (splitmix64 over key + counter): its whole state is two numbers, any position can
// be reached directly, and streams with different names are independent. Satisfies UniformRandomBitGenerator.
class Random {
 public:
  struct State {
    std::uint64_t key = 0;
    std::uint64_t counter = 0;
    bool operator==(const State&) const = default;
  };
  using result_type = std::uint64_t;

  // The stream called `name` of `seed`, for example Random(1234, "negatives").
  Random(std::uint64_t seed, std::string_view name);
  explicit Random(State state) : state_(state) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~std::uint64_t{0}; }
  result_type operator()();

  // Uniform in [0, bound), unbiased; bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [0, 1), 53 bits.
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  // Standard normal (Box-Muller, two draws a call).
  double normal();

  template <typename T>
  void shuffle(std::span<T> values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

  // Brings `count` of the values, drawn without repetition, to the front; count <= values.size().
  template <typename T>
  void shuffle_front(std::span<T> values, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) std::swap(values[i], values[i + below(values.size() - i)]);
  }

  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

 private:
  State state_;
};

}  // namespace hyperllm
