// What a search tries: options with the values that each may take, and points among them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hyperllm::search {

// One option: a list of values, or the numbers from `low` to `high`, both included.
struct Dimension {
  std::string option;
  std::string where;                // file, line and table, for messages
  std::vector<std::string> values;  // as assign_field reads them; empty: the range
  double low = 0, high = 0;
  bool log = false;    // equal ratios are equally likely
  bool whole = false;  // whole numbers only
};

// Options and their values, in the order of the dimensions.
using Settings = std::vector<std::pair<std::string, std::string>>;

// Most points that a grid may have.
inline constexpr std::int64_t kMostPoints = 100'000;

class Space {
 public:
  // Throws kInvalidArgument, naming where: a value twice, low not below high, a logarithm of what is not
  // above 0, whole numbers with a fraction.
  explicit Space(std::vector<Dimension> dimensions);

  const std::vector<Dimension>& dimensions() const { return dimensions_; }
  // Different points; -1 if a range of fractions makes them countless or they exceed kMostPoints.
  std::int64_t size() const;
  // All of them, the last dimension fastest. Throws kInvalidArgument if a dimension is a range, or if they
  // are more than kMostPoints.
  std::vector<Settings> grid() const;
  // The first `count` different points of the scrambled Halton sequence of `seed`; all points, if there are
  // not more. What a smaller count gives, a larger one begins with. Fractions have four digits.
  std::vector<Settings> draw(std::int64_t count, std::uint64_t seed) const;

 private:
  std::string value(const Dimension& dimension, double place) const;
  std::vector<Dimension> dimensions_;
};

// The shortest text that reads back to the same number.
std::string number_text(double value);

// One dimension as text that differs where the dimension does.
std::string describe(const Dimension& dimension);

// Halton's sequence: coordinate d of point i is i's digits in the d-th prime base, mirrored at the point.
// Each digit goes through a permutation of its own (A. B. Owen, "A randomized Halton algorithm in R", 2017),
// so that large bases do not go in step; the first base^k points still lie one in each of base^k equal parts.
class Halton {
 public:
  // Unscrambled without a seed.
  explicit Halton(std::size_t dimensions);
  Halton(std::size_t dimensions, std::uint64_t seed);
  // In [0, 1); index >= 0.
  double at(std::int64_t index, std::size_t dimension) const;

 private:
  struct Base {
    std::int64_t base;
    std::vector<std::vector<std::int64_t>> permutations;  // one a digit, the first digit first
  };
  std::vector<Base> bases_;
};

}  // namespace hyperllm::search
