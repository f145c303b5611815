// Exact masked top-k by inner product, without ever holding a users x items matrix of scores.
//
// Ranking by Lorentz distance is this with the time coordinate as one more column, negated on one side:
// d(x, y) falls as <x, y>_L = x.y - x0 y0 grows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace hyperllm::kernels {

class AmxItems;

// `values` holds rows of `dim` numbers, row-major; `last`, empty or one number a row, is a column kept apart
// (a time coordinate). Any alignment. The spans must outlive whoever looks at them.
struct EmbeddingRows {
  std::span<const float> values;
  std::int64_t dim = 0;
  std::span<const float> last;

  std::int64_t count() const { return dim > 0 ? static_cast<std::int64_t>(values.size()) / dim : 0; }
  std::int64_t width() const { return dim + (last.empty() ? 0 : 1); }
  const float* row(std::int64_t r) const { return values.data() + r * dim; }
};

// A catalogue packed for ranking: panels of kItems items, column by column, the last panel filled with zeros.
// Costs items x width floats beside the rows, which stay in use; with AMX more than half as much again.
class ItemPanels {
 public:
  static constexpr std::int64_t kItems = 32;

  explicit ItemPanels(const EmbeddingRows& items);
  const EmbeddingRows& rows() const { return rows_; }
  std::int64_t count() const { return rows_.count(); }
  const float* panels() const { return panels_.get(); }
  const float* norms() const { return norms_.data(); }      // Euclidean, of whole rows
  const AmxItems* filter() const { return filter_.get(); }  // null without AMX

 private:
  struct Free {
    void operator()(float* memory) const;
  };

  EmbeddingRows rows_;
  std::unique_ptr<float[], Free> panels_;
  std::vector<float> norms_;
  std::shared_ptr<const AmxItems> filter_;
};

// Compressed rows of item ids, each row ascending without duplicates.
struct MaskRows {
  std::span<const std::int64_t> indptr;
  std::span<const std::int32_t> indices;
};

struct NanScore {
  std::int64_t position;  // in `users`
  std::int32_t item;
};

// For each position p the k best items of query row users[p] that no mask's row users[p] holds: score
// descending, ties to the smaller id. Queries have the items' width; `users` are rows of `queries` and of
// every mask, in any order, repeated or not; k >= 1.
//
// top_items, top_scores: users x k, overwritten; -1 and -infinity where fewer than k items are left.
// head_start: empty, or users x k. Read as a guess of the result (last epoch's), overwritten with this
// result's items in ascending order, -1 last. It makes the search faster and never changes the result: the
// guessed items' worst score is a bar, and a row for which fewer than k items pass it is ranked again
// without. Start from -1. With AMX (hyperllm/kernels/topk_amx.h) bars are found otherwise, as fast.
//
// A score is one float32 sum over the columns in their order, by fused multiply-adds where the instruction
// set has them: same bits for any number of threads, any batch of users and any head start; the last bits may
// differ between instruction sets. Infinities are ordinary scores; -0 is given as 0.
// Returns the first user's first NaN score if there is any, masked items included; the outputs are then
// unspecified. Scratch: about 400 (width + 4 k + 100) bytes per thread; with AMX four times as much and 0.8
// MB.
std::optional<NanScore> masked_top_k(const EmbeddingRows& queries, const ItemPanels& items,
                                     std::span<const std::int32_t> users, std::span<const MaskRows> masks,
                                     std::int64_t k, std::span<std::int32_t> top_items,
                                     std::span<float> top_scores, std::span<std::int32_t> head_start = {});

// The scores themselves, to the bit as masked_top_k has them (-0 is kept): out is users x items.
void inner_products(const EmbeddingRows& queries, const ItemPanels& items,
                    std::span<const std::int32_t> users, std::span<float> out);

}  // namespace hyperllm::kernels
