#include "hyperllm/baselines/item_knn.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/error.h"
#include "hyperllm/base/memory.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/baselines/item_lists.h"
#include "hyperllm/baselines/waves.h"

namespace hyperllm::baselines {
namespace {

// Items that one thread takes at a time, and blocks between two looks at the user's wish to stop.
constexpr std::int64_t kBlock = 64;

// The weight of an interaction is one factor of its user and one of its item.
struct Factors {
  std::vector<double> of_user, of_item;
};

Factors factors(const data::Csr& train, const data::Csr& users_of, Weighting weighting) {
  Factors made{std::vector<double>(static_cast<std::size_t>(train.rows), 1.0),
               std::vector<double>(static_cast<std::size_t>(train.cols), 1.0)};
  if (weighting == Weighting::kNone) return made;
  for (std::int64_t user = 0; user < train.rows; ++user)
    made.of_user[user] =
        std::log(static_cast<double>(train.cols) / (1.0 + static_cast<double>(train.row(user).size())));
  if (weighting == Weighting::kTfIdf) return made;
  constexpr double kK1 = 1.2, kB = 0.75;
  const double mean = static_cast<double>(train.nnz()) / static_cast<double>(train.cols);
  for (std::int64_t item = 0; item < train.cols; ++item) {
    const double length = 1 - kB + kB * static_cast<double>(users_of.row(item).size()) / mean;
    made.of_item[item] = (kK1 + 1) / (kK1 * length + 1);
  }
  return made;
}

class Neighbourhoods {
 public:
  Neighbourhoods(const data::Csr& train, const ItemKnnOptions& options)
      : train_(train),
        users_of_(train.transposed()),
        options_(options),
        factors_(factors(train, users_of_, options.weighting)) {
    for (std::int64_t item = 0; item < train.cols; ++item) squares_.push_back(square(item));
  }

  // Those of items [begin, end), nearest first.
  void find(std::int64_t begin, std::int64_t end, std::vector<std::vector<Neighbour>>& found) const {
    std::vector<double> products(static_cast<std::size_t>(train_.cols), 0.0);
    std::vector<std::int32_t> touched;
    for (std::int64_t item = begin; item < end; ++item) {
      touched.clear();
      for (const std::int32_t user : users_of_.row(item)) {
        const double weight = std::pow(factors_.of_user[user], 2);
        if (weight == 0) continue;
        for (const std::int32_t other : train_.row(user)) {
          if (products[other] == 0) touched.push_back(other);
          products[other] += weight;
        }
      }
      std::vector<Neighbour>& neighbours = found[item];
      for (const std::int32_t other : touched) {
        if (other != item) neighbours.push_back({similarity(item, other, products[other]), other});
        products[other] = 0;
      }
      const std::int64_t kept = std::min(options_.neighbours, std::ssize(neighbours));
      std::partial_sort(neighbours.begin(), neighbours.begin() + kept, neighbours.end(), nearer);
      neighbours.resize(static_cast<std::size_t>(kept));
      neighbours.shrink_to_fit();
    }
  }

 private:
  double square(std::int64_t item) const {
    double sum = 0;
    for (const std::int32_t user : users_of_.row(item)) sum += std::pow(factors_.of_user[user], 2);
    return sum * std::pow(factors_.of_item[item], 2);
  }

  // of_users: r_i.r_j without the factors of the items.
  double similarity(std::int64_t i, std::int64_t j, double of_users) const {
    const double product = of_users * factors_.of_item[i] * factors_.of_item[j],
                 rest = options_.shrink + 1e-6;
    switch (options_.similarity) {
      case Similarity::kCosine:
        return product / (std::sqrt(squares_[i]) * std::sqrt(squares_[j]) + rest);
      case Similarity::kJaccard:
        return product / (squares_[i] + squares_[j] - product + rest);
      default:
        return product / (squares_[i] + squares_[j] + rest);
    }
  }

  const data::Csr& train_;
  const data::Csr users_of_;
  const ItemKnnOptions options_;
  const Factors factors_;
  std::vector<double> squares_;
};

void check(const data::Csr& train, const ItemKnnOptions& options) {
  HYPERLLM_CHECK(options.neighbours >= 1 && options.shrink >= 0 && std::isfinite(options.shrink),
                 ErrorCode::kInvalidArgument, "item-kNN: expected neighbours >= 1 and shrink >= 0");
  HYPERLLM_CHECK(train.nnz() > 0, ErrorCode::kInvalidArgument,
                 "item-kNN needs training interactions, there are none");
  double pairs = 0;  // as many entries at most
  for (std::int64_t user = 0; user < train.rows; ++user)
    pairs += std::pow(static_cast<double>(train.row(user).size()), 2);
  const double entries = std::min(
      pairs, static_cast<double>(train.cols) * static_cast<double>(std::min(options.neighbours, train.cols)));
  // The lists, the rows made of them, and those as the file's matrix.
  const double bytes = entries * (sizeof(Neighbour) + 8 + 12) + 64.0 * static_cast<double>(train.cols);
  const std::int64_t free = available_memory();
  HYPERLLM_CHECK(free < 0 || bytes <= static_cast<double>(free), ErrorCode::kInvalidArgument,
                 "item-kNN needs " + std::to_string(static_cast<std::int64_t>(bytes / 1e6)) +
                     " MB of memory for its neighbours, " + std::to_string(free / 1'000'000) +
                     " are free; keep fewer neighbours");
}

}  // namespace

retrieval::SparseWeights item_knn(const data::Csr& train, const ItemKnnOptions& options,
                                  const Context& context) {
  check(train, options);
  const Neighbourhoods neighbourhoods(train, options);
  std::vector<std::vector<Neighbour>> columns(static_cast<std::size_t>(train.cols));
  Progress progress(context, "item-kNN", train.cols);
  in_waves(train.cols, kBlock, progress, context, "item-kNN",
           [&](std::int64_t begin, std::int64_t end) { neighbourhoods.find(begin, end, columns); });
  return by_rows(columns);
}

}  // namespace hyperllm::baselines
