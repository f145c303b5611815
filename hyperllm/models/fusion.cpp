// Finished runs as one model (retrieval/fusion.h); their weights given, or chosen on validation.
#include "hyperllm/retrieval/fusion.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <set>

#include "hyperllm/base/parallel.h"
#include "hyperllm/baselines/waves.h"
#include "hyperllm/metrics/evaluate_ranking.h"
#include "hyperllm/models/model.h"
#include "hyperllm/retrieval/model_files.h"

namespace hyperllm::models {
namespace {

namespace fs = std::filesystem;
using retrieval::Member;
using Weights = std::vector<std::int64_t>;  // one a member; only their proportions count

// More tell of a mistake: validation is ranked once for each.
constexpr int kMostPoints = 10000;

// In how many ways `parts` can be shared among `members`: C(parts + members - 1, members - 1).
double points_of(std::int64_t members, std::int64_t parts) {
  double count = 1;
  for (std::int64_t m = 1; m < members; ++m)
    count = count * static_cast<double>(parts + m) / static_cast<double>(m);
  return count;
}

// All of those ways; the first members' shares rise last.
void add_points(std::int64_t parts, Weights& point, std::size_t member, std::vector<Weights>& points) {
  if (member + 1 == point.size()) {
    point[member] = parts;
    points.push_back(point);
    return;
  }
  for (std::int64_t share = 0; share <= parts; ++share) {
    point[member] = share;
    add_points(parts - share, point, member + 1, points);
  }
}

// The members' standardised scores of a few users, mixed at one point of the grid after another.
class Mixture final : public retrieval::Scorer {
 public:
  Mixture(std::span<const Member> members, std::span<const std::int32_t> users)
      : users_(users),
        num_users_(members[0].scorer->num_users()),
        num_items_(members[0].scorer->num_items()) {
    for (const Member& member : members) {
      scores_.emplace_back(users.size() * static_cast<std::size_t>(num_items_));
      member.scorer->score(users, scores_.back());
      retrieval::standardise(scores_.back(), num_items_);
    }
  }
  // As make_fusion_scorer would.
  void mix(const Weights& weights) {
    const auto sum = static_cast<double>(std::accumulate(weights.begin(), weights.end(), std::int64_t{0}));
    weights_.clear();
    for (const std::int64_t weight : weights) weights_.push_back(static_cast<double>(weight) / sum);
  }
  std::int64_t num_users() const override { return num_users_; }
  std::int64_t num_items() const override { return num_items_; }
  void score(std::span<const std::int32_t> users, std::span<float> out) const override {
    const auto items = static_cast<std::size_t>(num_items_);
    std::fill(out.begin(), out.end(), 0.0F);
    for (std::size_t b = 0; b < users.size(); ++b) {
      const auto row =
          static_cast<std::size_t>(std::lower_bound(users_.begin(), users_.end(), users[b]) - users_.begin());
      for (std::size_t m = 0; m < scores_.size(); ++m)
        retrieval::add_weighted(std::span(scores_[m]).subspan(row * items, items), weights_[m],
                                out.subspan(b * items, items));
    }
  }

 private:
  std::span<const std::int32_t> users_;  // ascending
  std::int64_t num_users_, num_items_;
  std::vector<std::vector<float>> scores_;
  std::vector<double> weights_;
};

// Chooses the point of the grid whose ranking has the highest validation metrics; the first of equals.
class WeightSearch {
 public:
  WeightSearch(std::span<const Member> members, std::int64_t parts, const TrainingData& data)
      : members_(members), data_(data) {
    Weights point(members.size());
    add_points(parts, point, 0, points_);
    for (std::int64_t user = 0; user < data.valid->rows; ++user)
      if (!data.valid->row(user).empty()) users_.push_back(static_cast<std::int32_t>(user));
  }

  Weights best(const Context& context) {
    sums_.assign(points_.size() * kMetrics, 0.0);
    const auto items = static_cast<std::size_t>(data_.train.cols);
    const std::size_t block = std::clamp<std::size_t>(kScores / (items * members_.size()), 1, 64);
    Progress progress(context, "fusion: weights", std::ssize(users_));
    for (std::size_t first = 0; first < users_.size(); first += block * kWave) {
      baselines::check_stop(context, "fusion");
      add_wave(std::span(users_).subspan(first, std::min(block * kWave, users_.size() - first)), block);
      progress.advance(static_cast<std::int64_t>(std::min(block * kWave, users_.size() - first)));
    }
    std::size_t best = 0;
    for (std::size_t p = 1; p < points_.size(); ++p)
      if (value(p) > value(best)) best = p;
    tell(best, context);
    return points_[best];
  }

 private:
  static constexpr std::size_t kMetrics = 4;
  // Floats of scores that a thread holds at once, and blocks of users between two looks at the progress.
  static constexpr std::size_t kScores = std::size_t{1} << 22;
  static constexpr std::size_t kWave = 16;

  double value(std::size_t point) const {
    const double* sums = sums_.data() + point * kMetrics;
    return sums[0] + sums[1] + sums[2] + sums[3];
  }

  // A block of users sums for itself, and the blocks' sums are added in order.
  void add_wave(std::span<const std::int32_t> users, std::size_t block) {
    const std::size_t blocks = (users.size() + block - 1) / block;
    std::vector<std::vector<double>> of_blocks(blocks);
    parallel_blocks(static_cast<std::int64_t>(blocks), [&](std::int64_t b) {
      const std::size_t first = static_cast<std::size_t>(b) * block;
      of_blocks[b] = measure(users.subspan(first, std::min(block, users.size() - first)));
    });
    for (const std::vector<double>& sums : of_blocks)
      for (std::size_t i = 0; i < sums.size(); ++i) sums_[i] += sums[i];
  }

  std::vector<double> measure(std::span<const std::int32_t> users) const {
    Mixture mixture(members_, users);
    const data::Csr* const masks[] = {&data_.train};
    std::vector<double> sums(points_.size() * kMetrics, 0.0);
    for (std::size_t p = 0; p < points_.size(); ++p) {
      mixture.mix(points_[p]);
      const retrieval::TopK top = retrieval::top_k(mixture, users, masks, 20);
      const metrics::RankingValues values = metrics::validation_values(users, top.items, 20, *data_.valid);
      for (std::size_t i = 0; i < values.values.size(); ++i)
        sums[p * kMetrics + i % kMetrics] += values.values[i];
    }
    return sums;
  }

  void tell(std::size_t best, const Context& context) const {
    const auto n = static_cast<double>(users_.size());
    const double* sums = sums_.data() + best * kMetrics;
    char text[160];
    std::snprintf(text, sizeof text, "validation R@10 %.4f  R@20 %.4f  N@10 %.4f  N@20 %.4f", sums[0] / n,
                  sums[1] / n, sums[2] / n, sums[3] / n);
    std::string weights;
    for (const std::int64_t weight : points_[best])
      weights += (weights.empty() ? "" : ", ") + std::to_string(weight);
    context.info("fusion: weights " + weights + " are the best of " + std::to_string(points_.size()) + ": " +
                 text);
  }

  std::span<const Member> members_;
  const TrainingData& data_;
  std::vector<Weights> points_;
  std::vector<std::int32_t> users_;
  std::vector<double> sums_;  // points x metrics
};

[[noreturn]] void refuse(const std::string& option, const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, "option 'fusion_" + option + "': " + problem);
}

struct Fusion : Model {
  std::vector<std::string> members;
  Weights weights;
  std::int64_t parts = 10;

  FieldList fields() override {
    return {{"members", &members,
             "folders of finished runs on this dataset; in a recipe also names of runs above"},
            {"weights", &weights,
             "one whole number per member, in proportion to their sum; empty: chosen on validation",
             within(0, 1e6)},
            {"parts", &parts, "weights are tried in steps of 1 / parts", within(1, 1000)}};
  }

  void validate() const override {
    if (members.size() < 2) refuse("members", "expected two runs or more, got " + count_text(members.size()));
    std::set<fs::path> seen;
    for (const std::string& member : members)
      if (!seen.insert(fs::weakly_canonical(fs::path(member) / "model")).second)
        refuse("members", "'" + member + "' is given twice");
    if (!weights.empty() && weights.size() != members.size())
      refuse("weights", "expected one for each of the " + count_text(members.size()) + " members, got " +
                            count_text(weights.size()));
    if (!weights.empty() && std::all_of(weights.begin(), weights.end(), [](auto w) { return w == 0; }))
      refuse("weights", "expected one above 0 at least");
    if (weights.empty() && points_of(std::ssize(members), parts) > kMostPoints)
      refuse("parts", "more than " + std::to_string(kMostPoints) +
                          " mixtures to try; give fewer parts or members, or the weights");
  }

  Reads reads() const override {
    Reads reads;
    reads.runs.assign(members.begin(), members.end());
    reads.valid = weights.empty();
    return reads;
  }

  std::vector<std::string> fit(const TrainingData& data, FileSet& files, const std::string& prefix,
                               const Context& context) const override {
    validate();
    HYPERLLM_CHECK(!weights.empty() || (data.valid && data.valid->nnz() > 0), ErrorCode::kInvalidData,
                   "the dataset has no validation interactions to choose the weights of a fusion by; give "
                   "'fusion_weights', or prepare the dataset with a share for validation");
    std::vector<Member> loaded;
    for (const std::string& member : members) loaded.push_back({load(member, files, data.train), 1});
    const Weights chosen = weights.empty() ? WeightSearch(loaded, parts, data).best(context) : weights;
    std::vector<retrieval::FusionMember> named;
    for (std::size_t m = 0; m < members.size(); ++m) named.push_back({members[m], chosen[m]});
    retrieval::add_fusion_model(files, prefix, named);
    return {prefix + "model.json"};
  }

 private:
  static std::string count_text(std::size_t count) { return std::to_string(count); }

  static std::unique_ptr<retrieval::Scorer> load(const fs::path& run, const FileSet& files,
                                                 const data::Csr& train) {
    if (fs::weakly_canonical(run / "model") == fs::weakly_canonical(files.folder() / "model"))
      refuse("members", run.string() + " is the folder of the fusion itself");
    return retrieval::load_model(run / "model", train);
  }
};

}  // namespace

void add_fusion(Registry<Model>& to) { to.add("fusion", "finished runs as one model", Fusion()); }

}  // namespace hyperllm::models
