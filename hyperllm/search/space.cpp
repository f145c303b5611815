#include "hyperllm/search/space.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <set>

#include "hyperllm/base/error.h"
#include "hyperllm/base/random.h"

namespace hyperllm::search {
namespace {

double rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return std::strtod(text, nullptr);
}

void check(const Dimension& dimension) {
  const auto require = [&](bool holds, const std::string& problem) {
    HYPERLLM_CHECK(holds, ErrorCode::kInvalidArgument,
                   dimension.where + ": '" + dimension.option + "': " + problem);
  };
  if (!dimension.values.empty()) {
    const std::set<std::string> different(dimension.values.begin(), dimension.values.end());
    require(different.size() == dimension.values.size(), "a value stands twice in the list; leave one out.");
    return;
  }
  const std::string range = "low " + number_text(dimension.low) + ", high " + number_text(dimension.high);
  require(dimension.low < dimension.high, range + ": low must be below high.");
  require(!dimension.log || dimension.low > 0, range + ": with log, low must be above 0.");
  require(!dimension.whole ||
              (dimension.low == std::floor(dimension.low) && dimension.high == std::floor(dimension.high)),
          range + ": the option takes whole numbers, so both must be whole.");
}

// Number of values; -1: countless.
std::int64_t count(const Dimension& dimension) {
  if (!dimension.values.empty()) return std::ssize(dimension.values);
  if (!dimension.whole || dimension.high - dimension.low >= kMostPoints) return -1;
  return static_cast<std::int64_t>(dimension.high - dimension.low) + 1;
}

// Value `index` of a dimension that can be counted.
std::string value_at(const Dimension& dimension, std::int64_t index) {
  if (!dimension.values.empty()) return dimension.values[static_cast<std::size_t>(index)];
  return std::to_string(static_cast<std::int64_t>(dimension.low) + index);
}

}  // namespace

std::string number_text(double value) {
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, result.ptr};
}

Halton::Halton(std::size_t dimensions) {
  for (std::int64_t candidate = 2; bases_.size() < dimensions; ++candidate) {
    const bool prime = std::all_of(bases_.begin(), bases_.end(),
                                   [&](const Base& base) { return candidate % base.base != 0; });
    if (!prime) continue;
    Base base{candidate, {}};
    // As many digits as a double holds.
    for (double part = 1; part > 0x1p-53; part /= static_cast<double>(candidate)) {
      base.permutations.emplace_back(static_cast<std::size_t>(candidate));
      std::iota(base.permutations.back().begin(), base.permutations.back().end(), 0);
    }
    bases_.push_back(std::move(base));
  }
}

Halton::Halton(std::size_t dimensions, std::uint64_t seed) : Halton(dimensions) {
  for (Base& base : bases_) {
    Random random(seed, "halton " + std::to_string(base.base));
    for (auto& permutation : base.permutations) random.shuffle(std::span<std::int64_t>(permutation));
  }
}

double Halton::at(std::int64_t index, std::size_t dimension) const {
  const Base& base = bases_.at(dimension);
  double value = 0, part = 1;
  for (const auto& permutation : base.permutations) {
    part /= static_cast<double>(base.base);
    value += part * static_cast<double>(permutation[static_cast<std::size_t>(index % base.base)]);
    index /= base.base;
  }
  return std::min(value, 1 - 0x1p-53);
}

Space::Space(std::vector<Dimension> dimensions) : dimensions_(std::move(dimensions)) {
  for (const Dimension& dimension : dimensions_) check(dimension);
}

std::int64_t Space::size() const {
  std::int64_t points = 1;
  for (const Dimension& dimension : dimensions_) {
    const std::int64_t values = count(dimension);
    if (values < 0 || points > kMostPoints / values) return -1;
    points *= values;
  }
  return points;
}

std::vector<Settings> Space::grid() const {
  for (const Dimension& dimension : dimensions_)
    HYPERLLM_CHECK(!dimension.values.empty(), ErrorCode::kInvalidArgument,
                   dimension.where + ": '" + dimension.option +
                       "': a grid needs a list of values. Give one, or choose the method random or halving.");
  HYPERLLM_CHECK(size() >= 0, ErrorCode::kInvalidArgument,
                 dimensions_.front().where + ": a grid of more than " + std::to_string(kMostPoints) +
                     " points. Shorten the lists, or choose the method random or halving.");
  std::vector<Settings> points = {{}};
  for (const Dimension& dimension : dimensions_) {
    std::vector<Settings> longer;
    for (const Settings& point : points)
      for (const std::string& value : dimension.values) {
        longer.push_back(point);
        longer.back().emplace_back(dimension.option, value);
      }
    points = std::move(longer);
  }
  return points;
}

std::string Space::value(const Dimension& dimension, double place) const {
  if (!dimension.values.empty() || (dimension.whole && !dimension.log && count(dimension) > 0))
    return value_at(dimension, static_cast<std::int64_t>(place * static_cast<double>(count(dimension))));
  const double span = dimension.whole ? dimension.high + 1 : dimension.high;
  const double value = dimension.log ? dimension.low * std::pow(span / dimension.low, place)
                                     : dimension.low + (span - dimension.low) * place;
  if (dimension.whole)
    return std::to_string(
        static_cast<std::int64_t>(std::clamp(std::floor(value), dimension.low, dimension.high)));
  return number_text(std::clamp(rounded(value), dimension.low, dimension.high));
}

std::vector<Settings> Space::draw(std::int64_t wanted, std::uint64_t seed) const {
  const std::int64_t all = size();
  const std::int64_t count = all >= 0 ? std::min(wanted, all) : wanted;
  const Halton sequence(dimensions_.size(), seed);
  std::vector<Settings> points;
  std::set<Settings> seen;
  // Corners of a small space may be long in coming; what is left is taken in order.
  const std::int64_t most_draws = 1000 + 100 * count;
  for (std::int64_t i = 0; i < most_draws && std::ssize(points) < count; ++i) {
    Settings point;
    for (std::size_t d = 0; d < dimensions_.size(); ++d)
      point.emplace_back(dimensions_[d].option, value(dimensions_[d], sequence.at(i, d)));
    if (seen.insert(point).second) points.push_back(std::move(point));
  }
  for (std::int64_t i = 0; i < all && std::ssize(points) < count; ++i) {
    Settings point;
    std::int64_t rest = i;
    for (const Dimension& dimension : dimensions_) {
      const std::int64_t values = search::count(dimension);
      point.emplace_back(dimension.option, value_at(dimension, rest % values));
      rest /= values;
    }
    if (seen.insert(point).second) points.push_back(std::move(point));
  }
  return points;
}

std::string describe(const Dimension& dimension) {
  std::string text;
  for (const std::string& value : dimension.values) text += (text.empty() ? "" : " | ") + value;
  if (!dimension.values.empty()) return text;
  return "from " + number_text(dimension.low) + " to " + number_text(dimension.high) +
         (dimension.log ? ", log" : "") + (dimension.whole ? ", whole" : "");
}

}  // namespace hyperllm::search
