// Training triplets, epoch by epoch and batch by batch. A batch is a pure function of (seed, epoch, number):
// there is no hidden state, so a resumed run sees exactly what an undisturbed one sees.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "hyperllm/data/csr.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/frameworks/hyperllm.h"

namespace hyperllm::training {

enum class Sampling {
  // Every positive once an epoch in a new order, the last batch smaller, fresh negatives. Tag edges: tag-item
  // pairs twice,
  // tag-tag pairs once in either direction (the numbers of the released code).
  kFresh,
  // What the released code does: positives shuffled once and served in fixed full batches, the remainder
  // never used;
  // five workers run through the same batches, negatives included, and the trainer takes whichever is ready
  // (drawn at
  // random here), so that an epoch repeats batches and misses others: it sees about half of the positives in
  // the
  // released code, about 0.7 of them in this model of it, whose workers drift further apart. Tag-tag
  // positives come
  // from the first half of the entries of the symmetric matrix in row order.
  kPaper,
};

struct SamplerOptions {
  std::int64_t batch_size = 4096;
  std::uint64_t seed = 1;
  Sampling sampling = Sampling::kFresh;
  // With tags: items drawn for a step's contrast, uniformly and without repetition; 0, or not below the
  // number of items: all.
  std::int64_t contrast_rows = 0;
};

class Sampler {
 private:
  class Task;  // one kind of positives with its negatives

 public:
  // `train` must outlive the sampler. `tags` only where tags are learnt. Users who interacted with every item
  // get no triplets (no negative exists). Throws kInvalidArgument if nothing is left.
  Sampler(const data::Csr& train, const data::TagGraph* tags, const SamplerOptions& options);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  std::int64_t batches_per_epoch() const { return batches_; }

  // The order of one epoch's positives (4 bytes each); triplets are made when a batch is asked for.
  class Epoch {
   public:
    // Overwrites `out` with batch `number` (0-based, below batches_per_epoch()), reusing its memory.
    void batch(std::int64_t number, frameworks::Batch& out) const;

   private:
    friend class Sampler;
    struct Part {
      const Task* task;
      manifold::Triplets frameworks::Batch::*triplets;
      std::vector<std::uint32_t> order;
    };
    const Sampler* sampler_ = nullptr;
    std::int64_t number_ = 0;
    std::vector<std::int64_t> draws_;  // kPaper: batch -> position in the shared sequence
    std::vector<Part> parts_;
  };
  // Epoch `number` (1-based); the sampler must outlive it.
  Epoch epoch(std::int64_t number) const;

 private:
  SamplerOptions options_;
  std::int64_t batches_ = 0, items_ = 0;
  data::Csr tag_items_, not_negative_tags_;
  std::unique_ptr<Task> user_item_, tag_item_, tag_tag_;
};

}  // namespace hyperllm::training
