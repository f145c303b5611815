// How well a clustering keeps the distances of its points, and how well it agrees with what is known of them.
#pragma once

#include <cstdint>
#include <span>

#include "hyperllm/base/progress.h"
#include "hyperllm/clustering/ward.h"
#include "hyperllm/data/csr.h"

namespace hyperllm::clustering {

// Pearson's correlation, over all pairs of points, of their Euclidean distance and the height of the merge
// that joins them (Sokal and Rohlf 1962). NaN if either is constant. O(n^2 dim) time, O(n dim) memory; same
// bytes for any number of threads.
double cophenetic_correlation(std::span<const double> points, std::int64_t dim, std::span<const Merge> merges,
                              const Context& context);

// All from 0 to 1 but the gain of a tree that is worse than chance.
struct LabelAgreement {
  std::int64_t labels = 0;  // with two points at least; the others say nothing
  // Dendrogram purity (Heller and Ghahramani 2005), here for labels that overlap: the share of a label's
  // points in the smallest cluster that holds two of them, mean over the label's pairs, then over labels.
  double purity = 0;
  double purity_by_chance = 0;  // expected if the points changed places at random
  // 1 - cost / expected cost of points at random places, where the cost is Dasgupta's (STOC 2016): over pairs
  // of points, the labels that they share times the size of the smallest cluster that holds both.
  double cost_gain = 0;
};

// `labels`: a row a point, the labels that it has.
LabelAgreement label_agreement(std::span<const Merge> merges, const data::Csr& labels);

}  // namespace hyperllm::clustering
