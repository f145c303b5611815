// The memory that a training run will need, from its sizes alone: known before anything large is allocated.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace hyperllm::training {

struct RunShape {
  std::int64_t users = 0, items = 0;
  std::int64_t train = 0;                               // interactions that are trained on
  std::int64_t held_out = 0;                            // interactions of valid and test: they are loaded too
  std::int64_t tags = 0, tag_edges = 0, tag_items = 0;  // 0 unless tags are learnt
  std::int64_t dim = 49;                                // without the time coordinate
  std::int64_t batch_size = 4096;
  std::int64_t eval_users = 0;                 // validated on; 0: all
  bool softmax = false;                        // the objective over all items
  bool adam = false;                           // two moments a parameter instead of one
  bool contrast = true;                        // with tags only
  std::int64_t contrast_rows = 0;              // rows of the contrast in a step; 0: all items
  std::int64_t semantic_dim = 0, experts = 0;  // of the mixture of experts; 0: no phase 1
  std::int64_t of_model = 0;  // bytes a step, of the backbone's and the framework's own losses
  int threads = 1;
};

struct MemoryPlan {
  // Bytes by purpose at the moment of the peak, in a fixed order; "phase 1" stands for all of it if it peaks
  // there.
  std::vector<std::pair<std::string, std::int64_t>> parts;
  std::int64_t peak() const;
  // "memory: about 212 MB (process 90, interactions 12, ...)", megabytes of 10^6 bytes.
  std::string text() const;
};

// The peak of the resident set, within a quarter of what a run takes (benchmarks/run shows both side by
// side).
MemoryPlan plan_memory(const RunShape& shape);

// Throws kInvalidArgument naming the need, what there is, the largest parts and the remedies unless the
// plan's peak is at most `limit` bytes; limit < 0: unknown, nothing is checked.
void require_memory(const MemoryPlan& plan, std::int64_t limit);

}  // namespace hyperllm::training
