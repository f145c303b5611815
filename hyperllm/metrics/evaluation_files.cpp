#include "hyperllm/metrics/evaluation_files.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/data/table.h"

namespace hyperllm::metrics {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kAgain = "Run `evaluate` again.";
constexpr std::string_view kHits = "hits@";
constexpr std::uintmax_t kLargest = 1 << 16;  // an ordered object looks through all its keys to add one

std::string word(const Json& object, const char* field, const fs::path& path) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_string())
    throw data_error(path.string(), 0, field, "is missing or not a text", kAgain);
  return found->get<std::string>();
}

std::string text_of(const Evaluation& evaluation) {
  Json metrics = Json::object();
  for (const auto& [name, value] : evaluation.metrics) metrics[name] = value;
  const Json object = {{"dataset", evaluation.dataset}, {"run", evaluation.run},
                       {"split", evaluation.split},     {"mask", evaluation.mask},
                       {"users", evaluation.users},     {"metrics", metrics}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string text_of(const PerUser& values) {
  std::string text = "user_id";
  for (const std::string& column : values.columns) text += "\t" + column;
  text += "\n";
  auto value = values.values.begin();
  for (const std::string& user : values.users) {
    text += user;
    for (std::size_t c = 0; c < values.columns.size(); ++c) {
      text += '\t';
      data::append_number(text, *value++);
    }
    text += "\n";
  }
  return text;
}

std::string text_of(const PerItem& values) {
  std::string text = "item_id\theld_out";
  for (const std::int64_t k : values.ks) text += "\t" + std::string(kHits) + std::to_string(k);
  text += "\n";
  auto hits = values.hits.begin();
  for (std::size_t i = 0; i < values.items.size(); ++i) {
    text += values.items[i] + "\t" + std::to_string(values.held_out[i]);
    for (std::size_t c = 0; c < values.ks.size(); ++c) text += "\t" + std::to_string(*hits++);
    text += "\n";
  }
  return text;
}

struct Rows {
  std::vector<std::string> columns, ids;
  std::vector<double> values;  // ids x columns
};

void require(const fs::path& path) {
  finish_commit(folder_of(path));
  HYPERLLM_CHECK(fs::exists(path), ErrorCode::kIo,
                 path.string() + ": No such file. Run `evaluate` on this run first.");
}

// A table of an id and numbers; `what` names the numbers' columns.
Rows load_rows(const fs::path& path, const std::string& id, const std::string& what) {
  require(path);
  data::TableReader table(path, {});
  Rows result;
  if (table.next()) result.columns.assign(table.fields().begin(), table.fields().end());
  if (result.columns.size() < 2 || result.columns[0] != id)
    throw data_error(path.string(), 1, "", "the header is not " + id + " and " + what + " between tabs",
                     kAgain);
  result.columns.erase(result.columns.begin());
  while (table.next()) {
    const auto& cells = table.fields();
    if (cells.size() != result.columns.size() + 1)
      throw table.error("",
                        "has " + std::to_string(cells.size()) + " fields, the header has " +
                            std::to_string(result.columns.size() + 1),
                        kAgain);
    result.ids.emplace_back(cells[0]);
    for (std::size_t c = 1; c < cells.size(); ++c) {
      const auto value = data::to_number(cells[c]);
      if (!value || !std::isfinite(*value))
        throw table.error(result.columns[c - 1], "'" + std::string(cells[c]) + "' is not a number", kAgain);
      result.values.push_back(*value);
    }
  }
  return result;
}

}  // namespace

std::vector<double> PerUser::column(const std::string& name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) {
    const std::string near = nearest_word(name, columns);
    throw Error(ErrorCode::kInvalidArgument,
                "there are no values per user of '" + name + "'" +
                    (near.empty() ? std::string() : "; did you mean '" + near + "'?"));
  }
  std::vector<double> result;
  for (auto i = static_cast<std::size_t>(found - columns.begin()); i < values.size(); i += columns.size())
    result.push_back(values[i]);
  return result;
}

std::string run_name(const fs::path& run) {
  fs::path whole = fs::weakly_canonical(run);
  if (!whole.has_filename()) whole = whole.parent_path();
  const std::string name = whole.filename().string();
  return name.starts_with("seed-") ? whole.parent_path().filename().string() + "/" + name : name;
}

fs::path evaluation_path(const fs::path& run, const std::string& split) {
  return run / ("evaluation." + split + ".json");
}

fs::path per_user_path(const fs::path& run, const std::string& split) {
  return run / ("per_user." + split + ".tsv");
}

fs::path per_item_path(const fs::path& run, const std::string& split) {
  return run / ("per_item." + split + ".tsv");
}

void add_evaluation(const Evaluation& evaluation, FileSet& run) {
  run.add(evaluation_path("", evaluation.split).string()).write(text_of(evaluation));
}

void add_per_user(const PerUser& values, const std::string& split, FileSet& run) {
  run.add(per_user_path("", split).string()).write(text_of(values));
}

void add_per_item(const PerItem& values, const std::string& split, FileSet& run) {
  run.add(per_item_path("", split).string()).write(text_of(values));
}

Evaluation load_evaluation(const fs::path& path) {
  require(path);
  std::error_code code;
  if (fs::file_size(path, code) > kLargest && !code)
    throw data_error(path.string(), 0, "", "is larger than any evaluation", kAgain);
  const std::string text = read_file(path);
  const Json object = parse_json<Json>(text);
  if (!object.is_object())
    throw data_error(path.string(), 0, "", json_problem(text, "is not a JSON object"), kAgain);
  Evaluation result;
  result.dataset = word(object, "dataset", path);
  result.run = word(object, "run", path);
  result.split = word(object, "split", path);
  result.mask = word(object, "mask", path);
  const auto users = object.find("users");
  if (users == object.end() || !users->is_number_integer())
    throw data_error(path.string(), 0, "users", "is missing or not a whole number", kAgain);
  result.users = users->get<std::int64_t>();
  const auto metrics = object.find("metrics");
  if (metrics == object.end() || !metrics->is_object() || metrics->empty())
    throw data_error(path.string(), 0, "metrics", "is missing or empty", kAgain);
  for (const auto& [name, value] : metrics->items()) {
    if (!value.is_number()) throw data_error(path.string(), 0, name, "is not a number", kAgain);
    result.metrics.emplace_back(name, value.get<double>());
  }
  return result;
}

PerUser load_per_user(const fs::path& path) {
  Rows rows = load_rows(path, "user_id", "metrics");
  return {std::move(rows.columns), std::move(rows.ids), std::move(rows.values)};
}

PerItem load_per_item(const fs::path& path) {
  const Rows rows = load_rows(path, "item_id", "held_out, hits@K, ...");
  PerItem result;
  result.items = rows.ids;
  for (std::size_t c = 1; c < rows.columns.size(); ++c) {
    const auto k =
        data::to_integer(rows.columns[c].starts_with(kHits) ? rows.columns[c].substr(kHits.size()) : "");
    if (k) result.ks.push_back(*k);
  }
  if (rows.columns[0] != "held_out" || result.ks.size() + 1 != rows.columns.size() || result.ks.empty())
    throw data_error(path.string(), 1, "", "the header is not item_id, held_out, hits@K, ... between tabs",
                     kAgain);
  const std::size_t width = rows.columns.size();
  for (std::size_t i = 0; i < rows.values.size(); ++i) {
    const double value = rows.values[i];
    if (value < 0 || value > 1e15 || value != std::floor(value))
      throw data_error(path.string(), static_cast<std::int64_t>(i / width) + 2, rows.columns[i % width],
                       "is not a count", kAgain);
    (i % width == 0 ? result.held_out : result.hits).push_back(static_cast<std::int64_t>(value));
  }
  return result;
}

}  // namespace hyperllm::metrics
