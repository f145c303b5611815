#include "hyperllm/stages/evaluate/run.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/metrics/evaluate_ranking.h"
#include "hyperllm/retrieval/model_files.h"

namespace hyperllm::stages::evaluate {
namespace {

// Users ranked between two reports of progress.
constexpr std::size_t kUsersAtOnce = 4096;

using Masks = std::vector<const data::Csr*>;

std::vector<std::int32_t> users_with_items(const data::Csr& relevant) {
  std::vector<std::int32_t> users;
  for (std::int64_t user = 0; user < relevant.rows; ++user)
    if (!relevant.row(user).empty()) users.push_back(static_cast<std::int32_t>(user));
  return users;
}

std::vector<std::int32_t> rank_all(const retrieval::Scorer& scorer, std::span<const std::int32_t> users,
                                   const Masks& masks, std::int64_t width, const Context& context) {
  std::vector<std::int32_t> ranked;
  ranked.reserve(users.size() * static_cast<std::size_t>(width));
  Progress progress(context, "evaluate: rank users", std::ssize(users));
  for (std::size_t first = 0; first < users.size(); first += kUsersAtOnce) {
    context.check_stop("evaluate");
    const auto part = users.subspan(first, std::min(kUsersAtOnce, users.size() - first));
    const retrieval::TopK top = retrieval::top_k(scorer, part, masks, width);
    ranked.insert(ranked.end(), top.items.begin(), top.items.end());
    progress.advance(std::ssize(part));
  }
  return ranked;
}

EvaluateResult make_result(const EvaluateOptions& options, const data::Dataset& dataset,
                           metrics::RankingValues values) {
  EvaluateResult result;
  result.evaluation = {dataset.name, metrics::run_name(options.run), options.split,
                       options.mask, std::ssize(values.users),       {}};
  for (std::size_t c = 0; c < values.columns.size(); ++c)
    result.evaluation.metrics.emplace_back(values.columns[c], values.means[c]);
  for (const std::int32_t user : values.users) result.per_user.users.push_back(dataset.users[user]);
  result.per_user.columns = std::move(values.columns);
  result.per_user.values = std::move(values.values);
  return result;
}

metrics::PerItem per_item(const EvaluateOptions& options, const data::Dataset& dataset,
                          const data::Csr& relevant, std::span<const std::int32_t> users,
                          std::span<const std::int32_t> ranked, std::int64_t width) {
  metrics::PerItem result;
  result.ks = options.ks;
  std::sort(result.ks.begin(), result.ks.end());
  result.items = dataset.items;
  result.held_out.assign(dataset.items.size(), 0);
  for (const std::int32_t item : relevant.indices) ++result.held_out[static_cast<std::size_t>(item)];
  result.hits = metrics::item_hits(users, ranked, width, relevant, result.ks);
  return result;
}

}  // namespace

void check(EvaluateOptions options) {
  check_fields(options.fields());
  HYPERLLM_CHECK(options.mask == "train" || options.split == "test", ErrorCode::kInvalidArgument,
                 "option 'mask': train+valid hides the very items that split valid looks for; use train");
  // The metrics' and Ks' own checks, before any work.
  metrics::evaluate_ranking({}, {}, 1, {}, options.metrics, options.ks);
}

EvaluateResult run(const EvaluateOptions& options, const Context& context) {
  check(options);
  const data::Dataset dataset = data::load_dataset(options.dataset);
  const data::Csr train = dataset.train_csr(), valid = dataset.valid_csr();
  const data::Csr relevant = options.split == "test" ? dataset.test_csr() : valid;
  const std::vector<std::int32_t> users = users_with_items(relevant);
  HYPERLLM_CHECK(!users.empty(), ErrorCode::kInvalidData,
                 options.dataset.string() + ": the split '" + options.split +
                     "' has no interactions. Prepare the dataset with a larger share for it.");
  const auto scorer = retrieval::load_model(options.run / "model", train);
  Masks masks = {&train};
  if (options.mask == "train+valid") masks.push_back(&valid);
  const std::int64_t width =
      std::min(*std::max_element(options.ks.begin(), options.ks.end()), dataset.num_items());
  const auto ranked = rank_all(*scorer, users, masks, width, context);
  EvaluateResult result =
      make_result(options, dataset,
                  metrics::evaluate_ranking(users, ranked, width, relevant, options.metrics, options.ks));
  result.per_item = per_item(options, dataset, relevant, users, ranked, width);
  FileSet files(options.run);
  metrics::add_per_user(result.per_user, options.split, files);
  metrics::add_per_item(result.per_item, options.split, files);
  metrics::add_evaluation(result.evaluation, files);
  files.commit();
  return result;
}

}  // namespace hyperllm::stages::evaluate
