// A framework's samples, epoch by epoch and batch by batch. A batch is a pure function of (seed, epoch,
// number): there is no hidden state, so a resumed run sees exactly what an undisturbed one sees.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hyperllm/frameworks/framework.h"

namespace hyperllm::training {

enum class Sampling {
  // Every positive as often an epoch as its draws say (`copies`), in a new order and with new negatives.
  // User-item pairs fill the batches, of which the last is smaller; all others are spread evenly over them.
  kFresh,
  // What the released code does. Positives are shuffled once and served in fixed full batches; the remainder
  // is never used. Five workers run through the same batches, negatives included, and the trainer takes the
  // batch of whichever worker is ready (drawn at random here). So an epoch repeats batches and misses others:
  // it sees about half of the positives in the released code, and about 0.7 of them here, where the workers
  // drift further apart. Of pairs that are there in both directions, the first half of the entries in row
  // order is used.
  kPaper,
};

struct SamplerOptions {
  std::int64_t batch_size = 4096;
  std::uint64_t seed = 1;
  Sampling sampling = Sampling::kFresh;
};

class Sampler {
 private:
  class Task;  // one kind of positives with its negatives

 public:
  // Users who interacted with every item get no pairs (no negative exists). Throws kInvalidArgument if
  // nothing is left.
  Sampler(frameworks::Draws draws, const SamplerOptions& options);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  std::int64_t batches_per_epoch() const { return batches_; }

  // The order of one epoch's positives (4 bytes each); pairs are made when a batch is asked for.
  class Epoch {
   public:
    // Overwrites `out` with batch `number` (0-based, below batches_per_epoch()), reusing its memory.
    void batch(std::int64_t number, frameworks::Batch& out) const;

   private:
    friend class Sampler;
    const Sampler* sampler_ = nullptr;
    std::int64_t number_ = 0;
    std::vector<std::int64_t> draws_;                 // kPaper: batch -> position in the shared sequence
    std::vector<std::vector<std::uint32_t>> orders_;  // of each task
  };
  // Epoch `number` (1-based); the sampler must outlive it.
  Epoch epoch(std::int64_t number) const;

 private:
  frameworks::Draws draws_;
  SamplerOptions options_;
  std::int64_t batches_ = 0;
  std::vector<Task> tasks_;
};

}  // namespace hyperllm::training
