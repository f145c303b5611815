#include "hyperllm/stages/recommend/run.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/lines.h"
#include "hyperllm/data/texts.h"
#include "hyperllm/retrieval/model_files.h"
#include "hyperllm/stages/recommend/format.h"

namespace hyperllm::stages::recommend {
namespace {

// Users ranked between two reports of progress.
constexpr std::size_t kUsersAtOnce = 4096;

void check_options(RecommendOptions options) {
  check_fields(options.fields());
  const bool named = !options.users.empty() || !options.users_file.empty();
  HYPERLLM_CHECK(options.all != named, ErrorCode::kInvalidArgument,
                 options.all ? "options 'users' and 'all' exclude each other; give one of them"
                             : "no user given; name some with 'users', or take 'all'");
}

std::vector<std::string> wanted_users(const RecommendOptions& options) {
  std::vector<std::string> users = options.users;
  if (options.users_file.empty()) return users;
  data::LineReader lines(options.users_file);
  for (std::string_view line; lines.next(line);)
    if (!line.empty()) users.emplace_back(line);
  return users;
}

// Ids that hold a comma come apart in the list `users`.
std::string comma_advice(const data::Dataset& dataset) {
  const bool commas = std::any_of(dataset.users.begin(), dataset.users.end(),
                                  [](const std::string& id) { return id.find(',') != id.npos; });
  return commas ? ". Write a comma inside of an id as \\, or give the ids a line each with users_file." : "";
}

std::vector<std::int32_t> chosen_users(const RecommendOptions& options, const data::Dataset& dataset) {
  std::vector<std::int32_t> rows;
  if (options.all) {
    rows.resize(dataset.users.size());
    std::iota(rows.begin(), rows.end(), 0);
    return rows;
  }
  const auto index = data::index_of(dataset.users);
  for (const std::string& user : wanted_users(options)) {
    const auto found = index.find(user);
    if (found == index.end()) {
      const std::string near = nearest_word(user, dataset.users);
      throw Error(ErrorCode::kInvalidArgument,
                  "unknown user '" + user + "'" +
                      (near.empty() ? "; " + options.dataset.string() + " has ids such as '" +
                                          (dataset.users.empty() ? "" : dataset.users.front()) + "'"
                                    : "; did you mean '" + near + "'?") +
                      comma_advice(dataset));
    }
    rows.push_back(found->second);
  }
  return rows;
}

std::vector<std::string> titles_of(const std::filesystem::path& folder, const data::Dataset& dataset) {
  std::vector<std::string> titles(dataset.items.size());
  if (!std::filesystem::exists(folder / "items.jsonl")) return titles;
  auto texts = data::load_item_texts(folder, dataset.items);
  for (std::size_t i = 0; i < titles.size(); ++i) titles[i] = std::move(texts[i].title);
  return titles;
}

data::Csr excluded_items(const std::string& exclude, const data::Dataset& dataset, const data::Csr& train) {
  data::Csr mask = train;
  if (exclude != "train") mask = data::unite(mask, dataset.valid_csr());
  if (exclude == "known") mask = data::unite(mask, dataset.test_csr());
  return mask;
}

struct Catalogue {
  const data::Dataset& dataset;
  const data::Csr& train;
  const std::vector<std::string>& titles;
};

UserRecommendations describe(const Catalogue& catalogue, std::int32_t user,
                             std::span<const std::int32_t> items, std::span<const float> scores) {
  UserRecommendations result;
  result.user = catalogue.dataset.users[user];
  result.history = std::ssize(catalogue.train.row(user));
  for (std::size_t rank = 0; rank < items.size() && items[rank] >= 0; ++rank)
    result.items.push_back(
        {catalogue.dataset.items[items[rank]], catalogue.titles[items[rank]], scores[rank]});
  return result;
}

}  // namespace

RecommendResult run(const RecommendOptions& options, const Context& context) {
  check_options(options);
  const data::Dataset dataset = data::load_dataset(options.dataset);
  const std::vector<std::int32_t> users = chosen_users(options, dataset);
  const data::Csr train = dataset.train_csr();
  const auto scorer = retrieval::load_model(options.run / "model", train);
  const std::vector<std::string> titles = titles_of(options.dataset, dataset);
  const data::Csr mask = excluded_items(options.exclude, dataset, train);
  const std::vector<const data::Csr*> masks = {&mask};
  const auto width = static_cast<std::size_t>(std::min(options.k, dataset.num_items()));

  RecommendResult result;
  Progress progress(context, "recommend: rank users", std::ssize(users));
  for (std::size_t first = 0; first < users.size(); first += kUsersAtOnce) {
    context.check_stop("recommend");
    const auto part = std::span(users).subspan(first, std::min(kUsersAtOnce, users.size() - first));
    const retrieval::TopK top = retrieval::top_k(*scorer, part, masks, static_cast<std::int64_t>(width));
    for (std::size_t b = 0; b < part.size(); ++b)
      result.users.push_back(describe({dataset, train, titles}, part[b],
                                      std::span(top.items).subspan(b * width, width),
                                      std::span(top.scores).subspan(b * width, width)));
    progress.advance(std::ssize(part));
  }
  result.text = options.format == "json" ? format_json(result.users) : format_text(result.users);
  if (!options.output.empty()) write_file(options.output, result.text);
  return result;
}

}  // namespace hyperllm::stages::recommend
