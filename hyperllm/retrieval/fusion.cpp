#include "hyperllm/retrieval/fusion.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "hyperllm/base/error.h"

namespace hyperllm::retrieval {
namespace {

class FusionScorer final : public Scorer {
 public:
  explicit FusionScorer(std::vector<Member> members) : members_(std::move(members)) {}
  std::int64_t num_users() const override { return members_.front().scorer->num_users(); }
  std::int64_t num_items() const override { return members_.front().scorer->num_items(); }

  void score(std::span<const std::int32_t> users, std::span<float> out) const override {
    std::fill(out.begin(), out.end(), 0.0F);
    std::vector<float> scores(out.size());
    for (const Member& member : members_) {
      member.scorer->score(users, scores);
      standardise(scores, num_items());
      add_weighted(scores, member.weight, out);
    }
  }

 private:
  std::vector<Member> members_;
};

}  // namespace

void standardise(std::span<float> scores, std::int64_t items) {
  for (; !scores.empty(); scores = scores.subspan(static_cast<std::size_t>(items))) {
    const auto row = scores.first(static_cast<std::size_t>(items));
    double sum = 0, squares = 0;
    for (const float score : row) sum += score;
    const double mean = sum / static_cast<double>(items);
    for (const float score : row) squares += (score - mean) * (score - mean);
    const double deviation = std::sqrt(squares / static_cast<double>(items));
    const double scale = deviation == 0 ? 0 : 1 / deviation;
    for (float& score : row) score = static_cast<float>((score - mean) * scale);
  }
}

void add_weighted(std::span<const float> standardised, double weight, std::span<float> out) {
  const auto factor = static_cast<float>(weight);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += factor * standardised[i];
}

std::unique_ptr<Scorer> make_fusion_scorer(std::vector<Member> members) {
  double sum = 0;
  for (const Member& member : members) {
    HYPERLLM_CHECK(member.weight >= 0 && std::isfinite(member.weight), ErrorCode::kInvalidArgument,
                   "a fusion's weight must be 0 or more, got " + std::to_string(member.weight));
    HYPERLLM_CHECK(member.scorer->num_users() == members.front().scorer->num_users() &&
                       member.scorer->num_items() == members.front().scorer->num_items(),
                   ErrorCode::kInvalidArgument, "a fusion's members must be models of one dataset");
    sum += member.weight;
  }
  HYPERLLM_CHECK(sum > 0, ErrorCode::kInvalidArgument, "a fusion needs a member with a weight above 0");
  for (Member& member : members) member.weight /= sum;
  return std::make_unique<FusionScorer>(std::move(members));
}

}  // namespace hyperllm::retrieval
