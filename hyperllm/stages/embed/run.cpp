#include "hyperllm/stages/embed/run.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/texts.h"
#include "hyperllm/llm/session.h"
#include "hyperllm/text/lsa.h"

namespace hyperllm::stages::embed {
namespace {

namespace fs = std::filesystem;

struct Embeddings {
  artifact::Matrix users, items;
};

std::vector<std::string> load_summaries(const fs::path& file, const std::vector<std::string>& ids) {
  if (!fs::exists(file))
    throw Error(ErrorCode::kIo, file.string() +
                                    ": no such file. Run `extract` first, or import your own "
                                    "embeddings with encoder npy.");
  return data::load_summaries(file, ids);
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

// Item summaries, then user summaries.
std::vector<std::string> load_documents(const data::Dataset& dataset, const fs::path& folder) {
  std::vector<std::string> documents = load_summaries(folder / "item_summaries.jsonl", dataset.items);
  for (std::string& text : load_summaries(folder / "user_summaries.jsonl", dataset.users))
    documents.push_back(std::move(text));
  return documents;
}

Embeddings encode_openai(const data::Dataset& dataset, const EmbedOptions& options, const Context& context,
                         EmbedResult& result) {
  llm::EmbeddingTable table =
      llm::embed_texts(load_documents(dataset, options.dataset), options.dataset, options.openai, context);
  result.text = std::move(table.text);
  if (!result.text.empty()) return {};
  text::normalise_rows(table.values, table.dimensions);
  const auto split =
      table.values.begin() + static_cast<std::ptrdiff_t>(dataset.num_items() * table.dimensions);
  return {{dataset.num_users(), table.dimensions, {split, table.values.end()}},
          {dataset.num_items(), table.dimensions, {table.values.begin(), split}}};
}

Embeddings encode_lsa(const data::Dataset& dataset, const EmbedOptions& options, const Context& context,
                      EmbedResult& result) {
  const std::vector<std::string> documents = load_documents(dataset, options.dataset);

  text::LsaOptions lsa_options;
  lsa_options.terms = {options.min_df, options.max_df, options.max_terms};
  lsa_options.pairs = options.word_pairs;
  lsa_options.power = options.singular_power;
  lsa_options.svd.dimension = options.dimension;
  lsa_options.svd.seed = static_cast<std::uint64_t>(options.seed);
  const text::Lsa lsa = text::lsa(documents, lsa_options, context);
  result.explained = lsa.explained;
  result.terms = lsa.terms;
  context.info("lsa: " + std::to_string(lsa.terms) + " terms of " + std::to_string(documents.size()) +
               " summaries, " + std::to_string(lsa.dimension) + " dimensions keep " + percent(lsa.explained));
  if (lsa.rank < lsa.dimension)
    context.warn("lsa: the texts have only " + std::to_string(lsa.rank) +
                 " independent directions; the other " + std::to_string(lsa.dimension - lsa.rank) + " of " +
                 std::to_string(lsa.dimension) + " dimensions are zero.");
  const auto split =
      lsa.embeddings.begin() + static_cast<std::ptrdiff_t>(dataset.num_items() * lsa.dimension);
  return {{dataset.num_users(), lsa.dimension, {split, lsa.embeddings.end()}},
          {dataset.num_items(), lsa.dimension, {lsa.embeddings.begin(), split}}};
}

artifact::Matrix import(const fs::path& file, std::int64_t rows, const std::string& what,
                        const fs::path& ids) {
  artifact::Matrix matrix = artifact::read_npy(file);
  if (matrix.rows != rows)
    throw data_error(file.string(), 0, "shape",
                     "it has " + std::to_string(matrix.rows) + " rows, but the dataset has " +
                         std::to_string(rows) + " " + what,
                     "Give one row per line of " + ids.string() + ", in the same order.");
  if (matrix.cols < 1)
    throw data_error(file.string(), 0, "shape", "it has no columns", "Give one number per row at least.");
  return matrix;
}

artifact::Matrix mean_of_items(const data::Csr& train, artifact::Matrix items) {
  text::normalise_rows(items.values, items.cols);
  artifact::Matrix users{train.rows, items.cols,
                         std::vector<float>(static_cast<std::size_t>(train.rows * items.cols))};
  for (std::int64_t user = 0; user < train.rows; ++user) {
    float* sum = users.values.data() + user * users.cols;
    for (const std::int32_t item : train.row(user))
      for (std::int64_t c = 0; c < items.cols; ++c) sum[c] += items.row(item)[c];
  }
  text::normalise_rows(users.values, users.cols);
  return users;
}

Embeddings import_npy(const data::Dataset& dataset, const EmbedOptions& options) {
  Embeddings out;
  out.items = import(options.items_npy, dataset.num_items(), "items", options.dataset / "items.tsv");
  if (options.users_npy.empty()) {
    out.users = mean_of_items(dataset.train_csr(), out.items);
    return out;
  }
  out.users = import(options.users_npy, dataset.num_users(), "users", options.dataset / "users.tsv");
  if (out.users.cols != out.items.cols)
    throw data_error(options.users_npy.string(), 0, "shape",
                     "it has " + std::to_string(out.users.cols) + " columns, but " +
                         options.items_npy.string() + " has " + std::to_string(out.items.cols),
                     "Encode users and items with one model.");
  return out;
}

std::int64_t count_empty(const artifact::Matrix& matrix) {
  std::int64_t empty = 0;
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    const auto row = matrix.row(r);
    empty += std::all_of(row.begin(), row.end(), [](float value) { return value == 0; });
  }
  return empty;
}

void report(const EmbedResult& result, const Embeddings& embeddings, const Context& context) {
  context.info(result.folder.string() + ": " + std::to_string(embeddings.items.rows) + " items, " +
               std::to_string(embeddings.users.rows) + " users, " + std::to_string(result.dimension) +
               " dimensions");
  if (result.empty_items + result.empty_users > 0)
    context.warn(std::to_string(result.empty_items) + " items and " + std::to_string(result.empty_users) +
                 " users have an embedding of zeros: nothing is known of them.");
}

}  // namespace

void check(EmbedOptions options) {
  check_fields(options.fields());
  const auto require = [](bool holds, const char* message) {
    HYPERLLM_CHECK(holds, ErrorCode::kInvalidArgument, message);
  };
  require(!options.dataset.empty(), "option 'dataset': give the dataset folder");
  require(
      options.name.find_first_of("/\\") == std::string::npos && options.name != "." && options.name != "..",
      "option 'name': expected the name of one folder, without / or \\");
  require(options.encoder != "npy" || !options.items_npy.empty(),
          "option 'items_npy': encoder npy needs a matrix with one row per item");
  if (options.encoder == "openai") llm::check(options.openai.server, true);
}

EmbedResult run(const EmbedOptions& options, const Context& context) {
  check(options);
  const data::Dataset dataset = data::load_dataset(options.dataset);
  EmbedResult result;
  result.folder = options.dataset / "embeddings" / (options.name.empty() ? options.encoder : options.name);
  const Embeddings embeddings = options.encoder == "lsa"   ? encode_lsa(dataset, options, context, result)
                                : options.encoder == "npy" ? import_npy(dataset, options)
                                                           : encode_openai(dataset, options, context, result);
  if (!result.text.empty()) return result;
  context.check_stop("embed");
  FileSet files(result.folder);
  for (const auto& [matrix, file] :
       {std::pair{&embeddings.users, "users.npy"}, std::pair{&embeddings.items, "items.npy"}})
    artifact::write_npy(files.add(file), matrix->rows, matrix->cols, matrix->values);
  files.commit();

  result.dimension = embeddings.items.cols;
  result.empty_items = count_empty(embeddings.items);
  result.empty_users = count_empty(embeddings.users);
  report(result, embeddings, context);
  return result;
}

}  // namespace hyperllm::stages::embed
