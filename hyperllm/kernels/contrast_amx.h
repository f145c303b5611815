// softmax_contrast on x86's tile registers (AMX): float32 products from bfloat16 parts. Internal to kernels/;
// notation of hyperllm/kernels/contrast_tiles.h.
//
// Parts: hyperllm/kernels/amx_parts-inl.h. Inner products of points add up five products of parts: the six
// largest without that of x's low part, which is as if x were moved by 2^-17 of itself, in z and in the sums
// alike. Sums over many weighted points add up three, from two parts: each term then has a relative error of
// about 2^-17 of alternating sign. Times, of which points near a cap all have the same one, keep every part.
// All products are exact, all sums float32.
//
// At this speed, weights that wait for their row's z in the last cache cost more than computing them twice.
// So there are two passes: z alone, then both gradients, each over blocks of columns that stay near.
#pragma once

#include <cstdint>
#include <span>

#include "hyperllm/base/scratch.h"
#include "hyperllm/kernels/contrast_tables.h"

namespace hyperllm::kernels {

class AmxContrast {
 public:
  static constexpr std::int64_t kTile = 64;  // rows

  // Nothing below may be called unless has_amx_parts() (hyperllm/kernels/panels_amx.h). x: rows x width, y:
  // columns x width, points of the unit hyperboloid, time first; all -<x_i, y_j>_L in the range of the
  // table. x and table must stay until gradients has been called.
  AmxContrast(const float* x, std::int64_t rows, const float* y, std::int64_t columns, std::int64_t width,
              const WeightTable& table);

  void weight_sums(std::span<double> z) const;  // z_i = sum_j e_ij of every row
  // Sums of the slopes q_ij = de_ij/dv_ij; share: of every row, what its part of the columns' sums is
  // weighted with.
  void gradients(std::span<const double> share);

  // sums[i * width + k] = sum_j q_rj y_jk for the rows r = tile * kTile + i.
  void row_sums(std::int64_t tile, double* sums) const;
  // sums[(j - begin) * width + k] += sum_i share_i q_ij x_ik for the columns [begin, end)
  void add_columns(std::int64_t begin, std::int64_t end, double* sums) const;

 private:
  void weight_sums_of_tiles(std::int64_t begin, std::int64_t end, double* z) const;
  void gradients_of_lane(std::int64_t lane);

  const float* x_;
  std::int64_t rows_, columns_, width_;
  const WeightTable& table_;
  std::int64_t tiles_, lanes_, lane_columns_;
  Scratch x_points_, y_points_, y_transposed_, x_scaled_, row_sums_, column_sums_;
};

}  // namespace hyperllm::kernels
