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
  // `draws` must outlive the task.
  Task(const frameworks::Draws::OfPairs& draws, Sampling sampling)
      : draws_(draws), copies_(sampling == Sampling::kPaper ? 1 : draws.copies) {
    const data::Csr& positives = *draws.positives;
    const std::int64_t most =
        sampling == Sampling::kPaper && draws.both_directions ? positives.nnz() / 2 : positives.nnz();
    std::int64_t at = 0;
    for (std::int64_t row = 0; row < positives.rows; ++row)
      for (const std::int32_t column : positives.row(row))
        if (at++ < most && std::ssize(draws.known->row(row)) < draws.known->cols)
          positives_.emplace_back(static_cast<std::int32_t>(row), column);
  }

  std::int64_t size() const { return copies_ * static_cast<std::int64_t>(positives_.size()); }

  std::vector<std::uint32_t> order(std::uint64_t seed, const std::string& stream) const {
    std::vector<std::uint32_t> order(static_cast<std::size_t>(size()));
    for (std::size_t i = 0; i < order.size(); ++i)
      order[i] = static_cast<std::uint32_t>(i % positives_.size());
    Random(seed, draws_.name + stream).shuffle(std::span<std::uint32_t>(order));
    return order;
  }

  void pairs(std::span<const std::uint32_t> positives, std::uint64_t seed, const std::string& stream,
             objectives::Pairs& out) const {
    out.anchor.resize(positives.size());
    out.positive.resize(positives.size());
    for (std::size_t i = 0; i < positives.size(); ++i) {
      const auto& [anchor, positive] = positives_[positives[i]];
      out.anchor[i] = anchor;
      out.positive[i] = positive + draws_.column_offset;
    }
    candidates(Random(seed, draws_.name + stream).state().key, out);
    for (std::int32_t& anchor : out.anchor) anchor += draws_.anchor_offset;
  }

 private:
  // Anchors are rows yet.
  void candidates(std::uint64_t key, objectives::Pairs& out) const {
    out.per_pair = draws_.candidates;
    out.candidates.resize(out.anchor.size() * static_cast<std::size_t>(out.per_pair));
    if (out.per_pair == 0) return;
    const data::Csr& known = *draws_.known;
    std::vector<std::int32_t> repeated;
    if (out.per_pair > 1)
      for (const std::int32_t anchor : out.anchor)
        repeated.insert(repeated.end(), static_cast<std::size_t>(out.per_pair), anchor);
    kernels::draw_negatives({known.cols, known.indptr, known.indices},
                            out.per_pair > 1 ? repeated : out.anchor, key, out.candidates);
    for (std::int32_t& candidate : out.candidates) candidate += draws_.column_offset;
  }

  const frameworks::Draws::OfPairs& draws_;
  std::vector<Pair> positives_;
  std::int64_t copies_;
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
  const std::uint64_t seed = sampler_->options_.seed;
  const std::string of_batch = "/epoch " + std::to_string(number_) + "/batch " + std::to_string(number);
  out.pairs.resize(orders_.size());
  for (std::size_t i = 0; i < orders_.size(); ++i) {
    const Task& task = sampler_->tasks_[i];
    const std::int64_t size = task.size();
    const bool sets_the_steps = i == 0;
    std::int64_t begin, end;
    std::string stream = of_batch;
    if (sampler_->options_.sampling == Sampling::kPaper) {
      const std::int64_t length = std::min(sets_the_steps ? batch_size : 2 * size / batches, size);
      const std::int64_t full = length > 0 ? size / length : 1;
      begin = draws_[number] % full * length;
      end = begin + length;
      stream = "/position " + std::to_string(draws_[number]);
    } else {
      begin = sets_the_steps ? number * batch_size : number * size / batches;
      end = sets_the_steps ? std::min(size, begin + batch_size) : (number + 1) * size / batches;
    }
    task.pairs(std::span(orders_[i]).subspan(begin, end - begin), seed, stream, out.pairs[i]);
  }
  out.rows.resize(sampler_->draws_.rows.size());
  for (std::size_t i = 0; i < out.rows.size(); ++i) {
    const frameworks::Draws::OfRows& rows = sampler_->draws_.rows[i];
    out.rows[i].clear();
    if (rows.drawn > 0 && rows.drawn < rows.rows)
      draw_rows(rows.rows, rows.drawn, Random(seed, rows.name + of_batch), out.rows[i]);
  }
}

Sampler::Sampler(frameworks::Draws draws, const SamplerOptions& options)
    : draws_(std::move(draws)), options_(options) {
  HYPERLLM_CHECK(options.batch_size >= 1, ErrorCode::kInvalidArgument, "batch_size: expected at least 1");
  for (const frameworks::Draws::OfPairs& pairs : draws_.pairs) tasks_.emplace_back(pairs, options.sampling);
  HYPERLLM_CHECK(
      !tasks_.empty() && tasks_.front().size() > 0, ErrorCode::kInvalidArgument,
      "training: no interaction with a possible negative item; the training split is empty or every user "
      "has every item");
  const std::int64_t size = tasks_.front().size();
  batches_ = options.sampling == Sampling::kPaper ? size / options.batch_size + 1
                                                  : (size + options.batch_size - 1) / options.batch_size;
}

Sampler::~Sampler() = default;

Sampler::Epoch Sampler::epoch(std::int64_t number) const {
  const bool paper = options_.sampling == Sampling::kPaper;
  Epoch epoch;
  epoch.sampler_ = this;
  epoch.number_ = number;
  if (paper) epoch.draws_ = worker_draws(options_.seed, number, batches_);
  const std::string stream = paper ? "/order" : "/epoch " + std::to_string(number);
  for (const Task& task : tasks_) epoch.orders_.push_back(task.order(options_.seed, stream));
  return epoch;
}

}  // namespace hyperllm::training
