#include "hyperllm/training/sampler.h"

#include <algorithm>
#include <array>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/base/random.h"

namespace hyperllm::training {
namespace {

using Pair = std::pair<std::int32_t, std::int32_t>;

constexpr std::int64_t kWorkers = 5;  // of the released sampler

// Positions in the shared sequence of batches that the released code's trainer consumes in `epoch`.
std::vector<std::int64_t> worker_draws(std::uint64_t seed, std::int64_t epoch, std::int64_t batches) {
  Random random(seed, "workers");
  std::array<std::int64_t, kWorkers> position{};
  std::vector<std::int64_t> draws;
  for (std::int64_t draw = 0; draw < epoch * batches; ++draw) {
    const std::int64_t at = position[random.below(kWorkers)]++;
    if (draw >= (epoch - 1) * batches) draws.push_back(at);
  }
  return draws;
}

}  // namespace

class Sampler::Task {
 public:
  // `known.row(anchor)` are the ids that must not serve as negatives; node ids are row/column plus the
  // offsets.
  Task(std::string name, std::vector<Pair> positives, data::Csr known, std::int32_t anchor_offset,
       std::int32_t candidate_offset)
      : name_(std::move(name)),
        positives_(std::move(positives)),
        known_(std::move(known)),
        anchor_offset_(anchor_offset),
        candidate_offset_(candidate_offset) {
    std::erase_if(positives_, [&](const Pair& pair) {
      return static_cast<std::int64_t>(known_.row(pair.first).size()) >= known_.cols;
    });
  }

  std::int64_t size() const { return static_cast<std::int64_t>(positives_.size()); }

  // Fresh order and negatives; batch b takes its even share of the positives.
  void fresh(std::uint64_t seed, std::int64_t epoch, std::int64_t batches, std::int64_t batch_size,
             std::vector<manifold::Triplets>& out) const {
    std::vector<Pair> order = positives_;
    Random random(seed, name_ + "/epoch " + std::to_string(epoch));
    random.shuffle(std::span<Pair>(order));
    for (std::int64_t b = 0; b < batches; ++b) {
      const std::int64_t begin = batch_size > 0 ? b * batch_size : b * size() / batches;
      const std::int64_t end =
          batch_size > 0 ? std::min(size(), begin + batch_size) : (b + 1) * size() / batches;
      out.push_back(triplets(std::span<const Pair>(order).subspan(begin, end - begin), random));
    }
  }

  void paper(std::uint64_t seed, std::span<const std::int64_t> draws, std::int64_t batch_size,
             std::vector<manifold::Triplets>& out) const {
    std::vector<Pair> order = positives_;
    Random(seed, name_ + "/order").shuffle(std::span<Pair>(order));
    const std::int64_t length = std::min(batch_size, size());
    const std::int64_t full = length > 0 ? size() / length : 1;
    for (std::int64_t position : draws) {
      Random random(seed, name_ + "/position " + std::to_string(position));
      out.push_back(triplets(std::span<const Pair>(order).subspan(position % full * length, length), random));
    }
  }

 private:
  manifold::Triplets triplets(std::span<const Pair> pairs, Random& random) const {
    manifold::Triplets triplets;
    for (const auto& [anchor, positive] : pairs) {
      std::int32_t negative;
      do negative = static_cast<std::int32_t>(random.below(known_.cols));
      while (known_.contains(anchor, negative));
      triplets.anchor.push_back(anchor + anchor_offset_);
      triplets.positive.push_back(positive + candidate_offset_);
      triplets.negative.push_back(negative + candidate_offset_);
    }
    return triplets;
  }

  std::string name_;
  std::vector<Pair> positives_;
  data::Csr known_;
  std::int32_t anchor_offset_, candidate_offset_;
};

namespace {

std::vector<Pair> entries(const data::Csr& matrix) {
  std::vector<Pair> pairs;
  for (std::int64_t row = 0; row < matrix.rows; ++row)
    for (std::int32_t column : matrix.row(row)) pairs.emplace_back(static_cast<std::int32_t>(row), column);
  return pairs;
}

std::vector<Pair> twice(const std::vector<Pair>& pairs) {
  std::vector<Pair> doubled = pairs;
  doubled.insert(doubled.end(), pairs.begin(), pairs.end());
  return doubled;
}

std::vector<Pair> first_half(std::vector<Pair> pairs) {
  pairs.resize(pairs.size() / 2);
  return pairs;
}

// Tag-tag neighbours in both directions, and each tag itself: a tag is not its own negative.
data::Csr tag_neighbours(const data::TagGraph& tags, bool with_self) {
  const auto count = static_cast<std::int64_t>(tags.tags.size());
  std::vector<Pair> pairs;
  for (const auto& [parent, child] : tags.edges) {
    pairs.emplace_back(parent, child);
    pairs.emplace_back(child, parent);
  }
  if (with_self)
    for (std::int32_t tag = 0; tag < count; ++tag) pairs.emplace_back(tag, tag);
  return data::make_csr(count, count, pairs);
}

}  // namespace

Sampler::Sampler(const data::Csr& train, const data::TagGraph* tags, const SamplerOptions& options)
    : options_(options) {
  HYPERLLM_CHECK(options.batch_size >= 1, ErrorCode::kInvalidArgument, "batch_size: expected at least 1");
  user_item_ =
      std::make_unique<Task>("user-item", entries(train), train, 0, static_cast<std::int32_t>(train.rows));
  HYPERLLM_CHECK(
      user_item_->size() > 0, ErrorCode::kInvalidArgument,
      "training: no interaction with a possible negative item; the training split is empty or every user "
      "has every item");
  const bool paper = options.sampling == Sampling::kPaper;
  batches_ = paper ? user_item_->size() / options.batch_size + 1
                   : (user_item_->size() + options.batch_size - 1) / options.batch_size;
  if (!tags) return;
  const auto items = static_cast<std::int32_t>(train.cols);
  const auto count = static_cast<std::int64_t>(tags->tags.size());
  const data::Csr tag_items = data::make_csr(count, train.cols, tags->tag_items);
  const data::Csr neighbours = tag_neighbours(*tags, false);
  tag_item_ = std::make_unique<Task>("tag-item", paper ? entries(tag_items) : twice(entries(tag_items)),
                                     tag_items, items, 0);
  tag_tag_ = std::make_unique<Task>("tag-tag", paper ? first_half(entries(neighbours)) : entries(neighbours),
                                    tag_neighbours(*tags, true), items, items);
}

Sampler::~Sampler() = default;

std::vector<frameworks::Batch> Sampler::epoch(std::int64_t epoch) const {
  std::vector<manifold::Triplets> user_item, tag_item, tag_tag;
  if (options_.sampling == Sampling::kPaper) {
    const std::vector<std::int64_t> draws = worker_draws(options_.seed, epoch, batches_);
    user_item_->paper(options_.seed, draws, options_.batch_size, user_item);
    if (tag_item_) {
      tag_item_->paper(options_.seed, draws, 2 * tag_item_->size() / batches_, tag_item);
      tag_tag_->paper(options_.seed, draws, 2 * tag_tag_->size() / batches_, tag_tag);
    }
  } else {
    user_item_->fresh(options_.seed, epoch, batches_, options_.batch_size, user_item);
    if (tag_item_) {
      tag_item_->fresh(options_.seed, epoch, batches_, 0, tag_item);
      tag_tag_->fresh(options_.seed, epoch, batches_, 0, tag_tag);
    }
  }
  std::vector<frameworks::Batch> batches(batches_);
  for (std::int64_t b = 0; b < batches_; ++b) {
    batches[b].user_item = std::move(user_item[b]);
    if (tag_item_) {
      batches[b].tag_item = std::move(tag_item[b]);
      batches[b].tag_tag = std::move(tag_tag[b]);
    }
  }
  return batches;
}

}  // namespace hyperllm::training
