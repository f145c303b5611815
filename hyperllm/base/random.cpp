#include "hyperllm/base/random.h"

#include <cmath>
#include <numbers>

namespace hyperllm {
namespace {

// Finaliser of splitmix64 (Steele, Lea, Flood 2014).
std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

}  // namespace

Random::Random(std::uint64_t seed, std::string_view name) {
  std::uint64_t key = mix(seed + kGolden);
  for (unsigned char letter : name) key = mix(key ^ (letter + kGolden));
  state_ = {key, 0};
}

Random::result_type Random::operator()() { return mix(state_.key + kGolden * ++state_.counter); }

std::uint64_t Random::below(std::uint64_t bound) {
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>((*this)()) * bound;
  if (static_cast<std::uint64_t>(product) < bound) {  // Lemire 2019: reject the uneven remainder
    const std::uint64_t threshold = (0 - bound) % bound;
    while (static_cast<std::uint64_t>(product) < threshold) product = static_cast<Wide>((*this)()) * bound;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

double Random::uniform() { return static_cast<double>((*this)() >> 11) * 0x1p-53; }

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

}  // namespace hyperllm
