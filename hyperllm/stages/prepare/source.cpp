#include "hyperllm/stages/prepare/source.h"

#include <algorithm>

#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/data/importers/amazon.h"
#include "hyperllm/data/importers/csv.h"
#include "hyperllm/data/importers/movielens.h"
#include "hyperllm/data/importers/rdata_import.h"
#include "hyperllm/data/importers/recbole.h"
#include "hyperllm/stages/prepare/released.h"

namespace hyperllm::stages::prepare {
namespace {

namespace fs = std::filesystem;
namespace importers = data::importers;

// The last extension, that of what a .gz file holds.
std::string extension(const fs::path& path) {
  return path.extension() == ".gz" ? path.stem().extension().string() : path.extension().string();
}

bool starts_like(const fs::path& path, const std::string& text) {
  data::LineReader lines(path);
  std::string_view line;
  return lines.next(line) && line.starts_with(text);
}

std::string format_of_folder(const fs::path& folder) {
  if (is_released_folder(folder)) return "hyperllm";
  if (!importers::only_file(folder, ".train.inter").empty() ||
      !importers::only_file(folder, ".inter").empty())
    return "recbole";
  if (const fs::path ratings = importers::movielens_ratings(folder); !ratings.empty())
    return importers::is_movielens_name(ratings) || starts_like(ratings, "userId,movieId,") ? "movielens"
                                                                                            : "csv";
  throw Error(
      ErrorCode::kInvalidArgument,
      folder.string() +
          ": nothing known in this folder. Looked for train_matrix.npz (released HyperLLM data), *.inter "
          "(RecBole), "
          "ratings.csv, ratings.dat or u.data (MovieLens). Give the path of the file with the interactions.");
}

std::string format_of_file(const fs::path& path) {
  const std::string end = extension(path);
  if (end == ".inter") return "recbole";
  if (importers::is_r_file(path)) return "rda";
  if (importers::is_movielens_name(path) || starts_like(path, "userId,movieId,rating,timestamp"))
    return "movielens";
  return importers::looks_like_amazon(path) ? "amazon" : "csv";
}

importers::CsvColumns csv_columns(const PrepareOptions& options) {
  importers::CsvColumns columns;
  columns.user = options.user_column;
  columns.item = options.item_column;
  columns.rating = options.rating_column;
  columns.timestamp = options.timestamp_column;
  columns.separator = options.separator == "tab"     ? "\t"
                      : options.separator == "space" ? " "
                                                     : options.separator;
  columns.header = options.header == "yes"  ? importers::Header::kYes
                   : options.header == "no" ? importers::Header::kNo
                                            : importers::Header::kAuto;
  return columns;
}

importers::Edition edition_of(const std::string& name) {
  if (name == "2014") return importers::Edition::k2014;
  if (name == "2018") return importers::Edition::k2018;
  return name == "2023" ? importers::Edition::k2023 : importers::Edition::kAuto;
}

fs::path first_existing(const fs::path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (fs::exists(folder / name)) return folder / name;
  return {};
}

fs::path only_input(const PrepareOptions& options) {
  HYPERLLM_CHECK(options.input.size() == 1, ErrorCode::kInvalidArgument,
                 "input: this format takes one path, not " + std::to_string(options.input.size()) + ".");
  return options.input[0];
}

void read_csv(const PrepareOptions& options, const Context& context, Source& source) {
  for (fs::path path : options.input) {
    const fs::path folder = fs::is_directory(path) ? path : path.parent_path();
    if (fs::is_directory(path)) path = importers::movielens_ratings(path);
    importers::read_ratings_csv(path, csv_columns(options), context, source.raw);
    if (source.items.empty())
      source.items = first_existing(folder, {"items.jsonl", "items.jsonl.gz", "items.csv"});
  }
}

void read_by_format(const PrepareOptions& options, const Context& context, Source& source) {
  if (source.format == "csv") {
    read_csv(options, context, source);
  } else if (source.format == "recbole") {
    const fs::path path = only_input(options);
    importers::read_recbole(path, context, source.raw);
    source.items = importers::only_file(fs::is_directory(path) ? path : path.parent_path() / ".", ".item");
  } else if (source.format == "movielens") {
    const fs::path ratings = importers::movielens_ratings(only_input(options));
    HYPERLLM_CHECK(!ratings.empty(), ErrorCode::kIo,
                   options.input[0] + ": has no ratings.csv, ratings.dat or u.data. Check the path.");
    importers::read_movielens(ratings, context, source.raw);
    source.items = importers::movielens_items(ratings);
  } else if (source.format == "rda") {
    source.items = only_input(options);
    importers::read_r_ratings(source.items, options.object, csv_columns(options), context, source.raw);
  } else if (source.format == "amazon") {
    for (const std::string& path : options.input)
      importers::read_amazon(path, edition_of(options.edition), context, source.raw);
  } else {
    read_released(only_input(options), source);
  }
}

}  // namespace

std::string detect_format(const std::vector<fs::path>& input) {
  for (const fs::path& path : input)
    if (!fs::exists(path))
      throw Error(ErrorCode::kIo, path.string() + ": no such file or folder. Check the path.");
  if (fs::is_directory(input[0])) finish_commit(input[0]);  // it may be a dataset folder
  return fs::is_directory(input[0]) ? format_of_folder(input[0]) : format_of_file(input[0]);
}

Source read_source(const PrepareOptions& options, const Context& context) {
  HYPERLLM_CHECK(!options.input.empty(), ErrorCode::kInvalidArgument,
                 "input: nothing given. Give a file or a folder with interactions.");
  Source source;
  const std::string found = detect_format({options.input.begin(), options.input.end()});
  source.format = options.format == "auto" ? found : options.format;
  read_by_format(options, context, source);
  if (!options.items.empty()) source.items = options.items;
  for (const fs::path& file : source.raw.files)
    if (std::find(source.files.begin(), source.files.end(), file) == source.files.end())
      source.files.push_back(file);
  if (!source.items.empty()) source.files.push_back(source.items);
  return source;
}

std::vector<data::ItemText> read_item_texts(const Source& source, const PrepareOptions& options,
                                            const std::vector<std::string>& ids, const Context& context) {
  importers::ItemCollector items(ids);
  const fs::path& path = source.items;
  const std::string end = extension(path), name = path.filename().string();
  if (importers::is_r_file(path)) {
    importers::read_r_items(path, options.object, csv_columns(options), context, items);
  } else if (end == ".item" && !name.starts_with("u.item")) {
    importers::read_recbole_items(path, context, items);
  } else if (source.format == "movielens" && (name.starts_with("movies.") || name.starts_with("u.item"))) {
    importers::read_movielens_items(path, context, items);
  } else if (end == ".csv" || end == ".tsv") {
    importers::read_items_csv(path, options.item_column, context, items);
  } else if (source.format == "amazon") {
    importers::read_amazon_items(path, context, items);
  } else {
    importers::read_items_jsonl(path, options.item_column, context, items);
  }
  if (items.repeated() > 0)
    context.warn(path.string() + ": " + std::to_string(items.repeated()) +
                 " lines repeat an item; the first of each item counts.");
  return std::move(items).take();
}

}  // namespace hyperllm::stages::prepare
