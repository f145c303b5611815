#include <cmath>
#include <limits>
#include <numeric>
#include <stop_token>

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "hyperllm/clustering/agreement.h"
#include "hyperllm/clustering/dendrogram.h"
#include "hyperllm/clustering/ward.h"
#include "tests/support/folder.h"

namespace hyperllm::clustering {
namespace {

using test::expect_error;

struct Case {
  std::int64_t points, dim, groups, leaves;
  std::vector<Merge> merges;
  double correlation;
  std::vector<Link> links;
  std::vector<std::int64_t> counts;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
#include "tests/golden/clustering.inc"
  };
  return all;
}

// As in tests/golden/clustering.py.
std::vector<double> points_of(const Case& c) {
  std::int64_t state = 7;
  const auto draw = [&state] {
    state = (state * 1103515245 + 12345) % (std::int64_t{1} << 31);
    return static_cast<double>(state) / static_cast<double>(std::int64_t{1} << 31);
  };
  std::vector<double> centres(static_cast<std::size_t>(c.groups * c.dim)), points;
  for (double& centre : centres) centre = 10 * draw();
  for (std::int64_t i = 0; i < c.points; ++i)
    for (std::int64_t k = 0; k < c.dim; ++k)
      points.push_back(centres[static_cast<std::size_t>(i % c.groups * c.dim + k)] + draw());
  return points;
}

std::vector<double> random_points(std::int64_t points, std::int64_t dim) {
  Random random(3, "points");
  std::vector<double> values(static_cast<std::size_t>(points * dim));
  for (double& value : values) value = random.normal();
  return values;
}

TEST(Ward, AgreesWithSciPy) {
  ASSERT_EQ(cases().size(), 5u);
  for (const Case& c : cases()) {
    const std::vector<Merge> merges = ward(points_of(c), c.dim, {});
    ASSERT_EQ(merges.size(), c.merges.size());
    for (std::size_t i = 0; i < merges.size(); ++i) {
      EXPECT_EQ(merges[i].left, c.merges[i].left) << c.points << " points, merge " << i;
      EXPECT_EQ(merges[i].right, c.merges[i].right) << c.points << " points, merge " << i;
      EXPECT_EQ(merges[i].size, c.merges[i].size);
      EXPECT_NEAR(merges[i].height / c.merges[i].height, 1, 1e-9);
    }
  }
}

TEST(Ward, SameBytesForAnyNumberOfThreads) {
  const std::vector<double> points = random_points(1300, 7);
  std::vector<std::vector<Merge>> found;
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    found.push_back(ward(points, 7, {}));
  }
  set_num_threads(0);
  for (const auto& other : found)
    for (std::size_t i = 0; i < other.size(); ++i) {
      ASSERT_EQ(other[i].left, found[0][i].left);
      ASSERT_EQ(other[i].height, found[0][i].height);
    }
}

// Equal points are at distance 0 of one another and merge first.
TEST(Ward, EqualPoints) {
  std::vector<double> points = random_points(40, 3);
  for (std::size_t i = 0; i < 60; ++i) points[60 + i] = points[i];
  const std::vector<Merge> merges = ward(points, 3, {});
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(merges[i].height, 0);
    EXPECT_EQ(merges[i].right, merges[i].left + 20);
  }
  EXPECT_GT(merges[20].height, 0);
  EXPECT_EQ(merges.back().size, 40);
  const std::vector<Merge> same = ward(std::vector<double>(300, 1.5), 3, {});
  EXPECT_EQ(same.back().height, 0);
  EXPECT_EQ(same.back().size, 100);
}

TEST(Ward, BadInput) {
  const double inf = std::numeric_limits<double>::infinity();
  expect_error(ErrorCode::kInvalidArgument, {"two points"}, [] { ward(std::vector<double>{1, 2}, 2, {}); });
  expect_error(ErrorCode::kInvalidArgument, {"whole rows"}, [] {
    ward(std::vector<double>{1, 2, 3}, 2, {});
  });
  expect_error(ErrorCode::kInvalidArgument, {"not finite"}, [&] {
    ward(std::vector<double>{1, inf}, 1, {});
  });
  std::stop_source stop;
  stop.request_stop();
  expect_error(ErrorCode::kInterrupted, {"clustering"}, [&] {
    ward(random_points(2000, 2), 2, {&silent_sink(), stop.get_token()});
  });
}

TEST(Dendrogram, AgreesWithSciPy) {
  for (const Case& c : cases()) {
    const Dendrogram drawn = dendrogram(c.merges, c.leaves);
    ASSERT_EQ(drawn.links.size(), c.links.size());
    for (std::size_t i = 0; i < drawn.links.size(); ++i) {
      EXPECT_EQ(drawn.links[i].colour, c.links[i].colour) << c.points << " points, link " << i;
      for (int corner = 0; corner < 4; ++corner) {
        EXPECT_EQ(drawn.links[i].x[corner], c.links[i].x[corner]);
        EXPECT_EQ(drawn.links[i].y[corner], c.links[i].y[corner]);
      }
    }
    ASSERT_EQ(drawn.leaves.size(), c.counts.size());
    for (std::size_t i = 0; i < c.counts.size(); ++i) EXPECT_EQ(drawn.leaves[i].count, c.counts[i]);
  }
}

TEST(Dendrogram, FewerPointsThanLeaves) {
  EXPECT_EQ(dendrogram(cases()[1].merges, 30).leaves.size(), 3u);
  EXPECT_EQ(dendrogram(cases()[3].merges, 1).leaves.size(), 1u);
}

TEST(Agreement, CopheneticCorrelationOfSciPy) {
  for (const Case& c : cases()) {
    if (c.points == 2) continue;  // one pair has no correlation
    EXPECT_NEAR(cophenetic_correlation(points_of(c), c.dim, c.merges, {}), c.correlation, 1e-9);
  }
}

// Over all pairs by hand: the smallest cluster that holds both.
struct ByHand {
  explicit ByHand(std::span<const Merge> merges) : points(std::ssize(merges) + 1) {
    for (std::int64_t i = 0; i < points; ++i) members.push_back({static_cast<std::int32_t>(i)});
    for (const Merge& merge : merges) {
      members.push_back(members[static_cast<std::size_t>(merge.left)]);
      const auto& right = members[static_cast<std::size_t>(merge.right)];
      members.back().insert(members.back().end(), right.begin(), right.end());
    }
  }
  const std::vector<std::int32_t>& smallest(std::int32_t a, std::int32_t b) const {
    for (std::size_t node = static_cast<std::size_t>(points); node < members.size(); ++node)
      if (has(node, a) && has(node, b)) return members[node];
    return members.back();
  }
  bool has(std::size_t node, std::int32_t point) const {
    return std::find(members[node].begin(), members[node].end(), point) != members[node].end();
  }
  std::int64_t points;
  std::vector<std::vector<std::int32_t>> members;
};

double purity_by_hand(const ByHand& tree, const data::Csr& labels, double& cost) {
  double purity = 0;
  std::int64_t counted = 0;
  const data::Csr members = labels.transposed();
  for (std::int64_t label = 0; label < members.rows; ++label) {
    const auto of = members.row(label);
    double shares = 0, pairs = 0;
    for (std::size_t i = 0; i < of.size(); ++i)
      for (std::size_t j = i + 1; j < of.size(); ++j) {
        const auto& cluster = tree.smallest(of[i], of[j]);
        double inside = 0;
        for (const std::int32_t point : cluster)
          inside += labels.contains(point, static_cast<std::int32_t>(label));
        shares += inside / static_cast<double>(cluster.size());
        cost += static_cast<double>(cluster.size());
        ++pairs;
      }
    if (pairs == 0) continue;
    purity += shares / pairs;
    ++counted;
  }
  return purity / static_cast<double>(counted);
}

data::Csr random_labels(std::int64_t points, std::int64_t labels, std::uint64_t seed) {
  Random random(seed, "labels");
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  for (std::int32_t point = 0; point < points; ++point)
    for (int i = 0; i < 3; ++i)
      pairs.emplace_back(point, static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(labels))));
  return data::make_csr(points, labels, pairs);
}

TEST(Agreement, PurityAndCostByHand) {
  const Case& c = cases()[3];
  const ByHand tree(c.merges);
  const data::Csr labels = random_labels(c.points, 40, 1);
  double cost = 0;
  const double purity = purity_by_hand(tree, labels, cost);
  const LabelAgreement found = label_agreement(c.merges, labels);
  EXPECT_NEAR(found.purity, purity, 1e-12);
  // Chance: the mean over shuffled points.
  double by_chance = 0, cost_by_chance = 0;
  std::vector<std::int32_t> places(static_cast<std::size_t>(c.points));
  std::iota(places.begin(), places.end(), 0);
  Random random(5, "places");
  constexpr int kShuffles = 400;
  for (int i = 0; i < kShuffles; ++i) {
    random.shuffle(std::span(places));
    std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
    for (std::int64_t point = 0; point < c.points; ++point)
      for (const std::int32_t label : labels.row(point))
        pairs.emplace_back(places[static_cast<std::size_t>(point)], label);
    by_chance += purity_by_hand(tree, data::make_csr(c.points, 40, pairs), cost_by_chance) / kShuffles;
  }
  EXPECT_NEAR(found.purity_by_chance, by_chance, 0.01);
  EXPECT_NEAR(found.cost_gain, 1 - cost / (cost_by_chance / kShuffles), 0.01);
}

// Labels that are clusters of the tree are pure; the whole as a label says nothing beyond chance.
TEST(Agreement, EndsOfTheScale) {
  const Case& c = cases()[3];
  std::vector<std::pair<std::int32_t, std::int32_t>> groups, all;
  for (std::int32_t point = 0; point < c.points; ++point) {
    groups.emplace_back(point, static_cast<std::int32_t>(point % c.groups));
    all.emplace_back(point, 0);
  }
  const LabelAgreement of_groups = label_agreement(c.merges, data::make_csr(c.points, c.groups, groups));
  EXPECT_DOUBLE_EQ(of_groups.purity, 1);
  EXPECT_LT(of_groups.purity_by_chance, 0.5);
  EXPECT_GT(of_groups.cost_gain, 0.5);
  EXPECT_EQ(of_groups.labels, c.groups);
  const LabelAgreement of_all = label_agreement(c.merges, data::make_csr(c.points, 1, all));
  EXPECT_DOUBLE_EQ(of_all.purity, 1);
  EXPECT_DOUBLE_EQ(of_all.purity_by_chance, 1);
  EXPECT_NEAR(of_all.cost_gain, 0, 1e-12);
  EXPECT_EQ(label_agreement(c.merges, data::make_csr(c.points, 3, {})).labels, 0);
}

}  // namespace
}  // namespace hyperllm::clustering
