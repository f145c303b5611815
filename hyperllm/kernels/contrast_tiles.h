// The inner loops of softmax_contrast: one tile of rows against all columns. Internal to kernels/.
//
// Points lie on the unit hyperboloid. With v_ij = -<x_i, y_j>_L and f = acosh(v)^2, a tile computes
//   e_ij = exp((shift_i - f_ij) / tau),   z_i = sum_j e_ij,   q_ij = c de_ij/dv_ij,
// keeps q for its own rows only, and multiplies it with both sides: three products, nothing rows x columns.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "hyperllm/base/scratch.h"
#include "hyperllm/kernels/contrast_tables.h"

namespace hyperllm::kernels {

inline constexpr std::int64_t kTileRows = 64;
inline constexpr std::int64_t kPanelVectors = 3;  // of coordinates, in a column's gradient at a time

// q is stored as q[j * kTileRows + i]: the loops run over 64 rows at once.
struct ContrastShape {
  std::int64_t columns;  // that count
  std::int64_t width;    // dim + 1: time first
  // Columns that buffers must have room for: packed points beyond `columns` are zero.
  std::int64_t padded() const { return (columns + 23) / 24 * 24; }
};

struct ContrastRows {
  const float* rows;  // width x kTileRows, time first, space negated; every row a point, times weights->scale
  const float* y;     // padded() x width, time first
  double tau;
  // One of them, if this processor has it and its range holds every v: shift_i is 0 then, so that f / tau
  // must stay below 80. Otherwise closed forms, any v, shift_i = min_j f_ij.
  const WeightTable* weights = nullptr;
  const DistanceTable* distances = nullptr;
};
bool contrast_has_weight_table();
bool contrast_has_distance_table();

// A tile whose q still waits to be multiplied with its rows, for the columns' sums.
struct PendingTile {
  std::int64_t main_width, rest;  // coordinates that fill vectors, and up to three that do not
  // Panels of kPanelVectors vectors of coordinates, then single vectors: kTileRows x that many coordinates
  // each; rest x kTileRows.
  const float *scaled, *scaled_rest;
  float *sums, *rest_sums;
  bool first;  // the sums hold nothing yet
};

// sum_i q_ij scaled_i for every column j, over the tiles of one lane. The product of a tile is put off until
// the next tile's scores replace its q chunk by chunk: what is read then needs no second way from memory.
class ContrastSums {
 public:
  explicit ContrastSums(const ContrastShape& shape);

  // For the tile that contrast_rows computed last: its `count` rows (x width), each times its share.
  void add(const float* rows, std::int64_t count, const double* share);
  void finish(const float* q);  // after the last add, of which there is at least one
  // The sums of columns [begin, end) over the lanes, of which the first exists: width values each, row-major.
  static void total(std::span<const std::optional<ContrastSums>> lanes, std::int64_t begin, std::int64_t end,
                    double* sums);

  std::optional<PendingTile> take();  // for contrast_rows: what waits, if anything

 private:
  ContrastShape shape_;
  std::int64_t lanes_, rest_, main_width_;
  Scratch main_, rest_sums_, scaled_main_, scaled_rest_;
  PendingTile tile_;
  bool waiting_ = false;
};

// q: padded() x kTileRows, the same buffer for all tiles of a lane; z, shift: kTileRows. row_sums (kTileRows
// x width) receives sum_j q_ij y_j unless null; `columns`, unless null, the product of the tile before.
// Returns the c of q, the same for every tile of one call.
double contrast_rows(const ContrastShape& shape, const ContrastRows& tile, ContrastSums* columns, float* q,
                     double* z, double* shift, double* row_sums);

}  // namespace hyperllm::kernels
