#include "hyperllm/training/sampler.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_set>

#include "hyperllm/base/error.h"
#include "hyperllm/base/random.h"
#include "hyperllm/kernels/negatives.h"

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
  // offsets. Every positive counts `copies` times an epoch. `known` must outlive the task.
  Task(std::string name, std::vector<Pair> positives, std::int64_t copies, const data::Csr& known,
       std::int32_t anchor_offset, std::int32_t candidate_offset)
      : name_(std::move(name)),
        positives_(std::move(positives)),
        copies_(copies),
        known_(known),
        anchor_offset_(anchor_offset),
        candidate_offset_(candidate_offset) {
    std::erase_if(positives_, [&](const Pair& pair) {
      return static_cast<std::int64_t>(known_.row(pair.first).size()) >= known_.cols;
    });
  }

  std::int64_t size() const { return copies_ * static_cast<std::int64_t>(positives_.size()); }

  std::vector<std::uint32_t> order(std::uint64_t seed, const std::string& stream) const {
    std::vector<std::uint32_t> order(static_cast<std::size_t>(size()));
    for (std::size_t i = 0; i < order.size(); ++i)
      order[i] = static_cast<std::uint32_t>(i % positives_.size());
    Random(seed, name_ + stream).shuffle(std::span<std::uint32_t>(order));
    return order;
  }

  void triplets(std::span<const std::uint32_t> positives, std::uint64_t seed, const std::string& stream,
                manifold::Triplets& out) const {
    for (auto* ids : {&out.anchor, &out.positive, &out.negative}) ids->resize(positives.size());
    for (std::size_t i = 0; i < positives.size(); ++i) {
      const auto& [anchor, positive] = positives_[positives[i]];
      out.anchor[i] = anchor;
      out.positive[i] = positive + candidate_offset_;
    }
    kernels::draw_negatives({known_.cols, known_.indptr, known_.indices}, out.anchor,
                            Random(seed, name_ + stream).state().key, out.negative);
    for (std::int32_t& anchor : out.anchor) anchor += anchor_offset_;
    for (std::int32_t& negative : out.negative) negative += candidate_offset_;
  }

 private:
  std::string name_;
  std::vector<Pair> positives_;
  std::int64_t copies_;
  const data::Csr& known_;
  std::int32_t anchor_offset_, candidate_offset_;
};

namespace {

// `count` of [0, rows), every subset as likely as any other (Floyd, in Bentley 1987), ascending.
void draw_rows(std::int64_t rows, std::int64_t count, Random random, std::vector<std::int32_t>& out) {
  std::unordered_set<std::int32_t> drawn;
  for (std::int64_t last = rows - count; last < rows; ++last) {
    const auto row = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(last + 1)));
    drawn.insert(drawn.contains(row) ? static_cast<std::int32_t>(last) : row);
  }
  out.assign(drawn.begin(), drawn.end());
  std::sort(out.begin(), out.end());
}

}  // namespace

void Sampler::Epoch::batch(std::int64_t number, frameworks::Batch& out) const {
  const std::int64_t batches = sampler_->batches_, batch_size = sampler_->options_.batch_size;
  for (const Part& part : parts_) {
    const std::int64_t size = part.task->size();
    const bool user_item = part.task == sampler_->user_item_.get();
    std::int64_t begin, end;
    std::string stream;
    if (sampler_->options_.sampling == Sampling::kPaper) {
      const std::int64_t length = std::min(user_item ? batch_size : 2 * size / batches, size);
      const std::int64_t full = length > 0 ? size / length : 1;
      begin = draws_[number] % full * length;
      end = begin + length;
      stream = "/position " + std::to_string(draws_[number]);
    } else {
      begin = user_item ? number * batch_size : number * size / batches;
      end = user_item ? std::min(size, begin + batch_size) : (number + 1) * size / batches;
      stream = "/epoch " + std::to_string(number_) + "/batch " + std::to_string(number);
    }
    part.task->triplets(std::span(part.order).subspan(begin, end - begin), sampler_->options_.seed, stream,
                        out.*part.triplets);
  }
  out.contrast_rows.clear();
  if (sampler_->tag_item_ && sampler_->options_.contrast_rows > 0 &&
      sampler_->options_.contrast_rows < sampler_->items_)
    draw_rows(sampler_->items_, sampler_->options_.contrast_rows,
              Random(sampler_->options_.seed,
                     "contrast/epoch " + std::to_string(number_) + "/batch " + std::to_string(number)),
              out.contrast_rows);
}

namespace {

std::vector<Pair> entries(const data::Csr& matrix) {
  std::vector<Pair> pairs;
  for (std::int64_t row = 0; row < matrix.rows; ++row)
    for (std::int32_t column : matrix.row(row)) pairs.emplace_back(static_cast<std::int32_t>(row), column);
  return pairs;
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
    : options_(options), items_(train.cols) {
  HYPERLLM_CHECK(options.batch_size >= 1, ErrorCode::kInvalidArgument, "batch_size: expected at least 1");
  user_item_ =
      std::make_unique<Task>("user-item", entries(train), 1, train, 0, static_cast<std::int32_t>(train.rows));
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
  tag_items_ = data::make_csr(count, train.cols, tags->tag_items);
  not_negative_tags_ = tag_neighbours(*tags, true);
  const data::Csr neighbours = tag_neighbours(*tags, false);
  tag_item_ = std::make_unique<Task>("tag-item", entries(tag_items_), paper ? 1 : 2, tag_items_, items, 0);
  tag_tag_ = std::make_unique<Task>("tag-tag", paper ? first_half(entries(neighbours)) : entries(neighbours),
                                    1, not_negative_tags_, items, items);
}

Sampler::~Sampler() = default;

Sampler::Epoch Sampler::epoch(std::int64_t number) const {
  const bool paper = options_.sampling == Sampling::kPaper;
  Epoch epoch;
  epoch.sampler_ = this;
  epoch.number_ = number;
  if (paper) epoch.draws_ = worker_draws(options_.seed, number, batches_);
  const std::string stream = paper ? "/order" : "/epoch " + std::to_string(number);
  const auto add = [&](const Task* task, manifold::Triplets frameworks::Batch::*triplets) {
    if (task) epoch.parts_.push_back({task, triplets, task->order(options_.seed, stream)});
  };
  add(user_item_.get(), &frameworks::Batch::user_item);
  add(tag_item_.get(), &frameworks::Batch::tag_item);
  add(tag_tag_.get(), &frameworks::Batch::tag_tag);
  return epoch;
}

}  // namespace hyperllm::training
