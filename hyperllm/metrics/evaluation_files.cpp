#include "hyperllm/metrics/evaluation_files.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "hyperllm/base/error.h"

namespace hyperllm::metrics {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kAgain = "Run `evaluate` again.";

std::string number_text(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

double parse_number(std::string_view text, const fs::path& path, std::int64_t line,
                    const std::string& field) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    throw data_error(path.string(), line, field, "'" + std::string(text) + "' is not a number", kAgain);
  return value;
}

// The parts between `separator`s, empty ones included.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0;;) {
    const std::size_t end = text.find(separator, start);
    parts.push_back(text.substr(start, end - start));
    if (end == text.npos) return parts;
    start = end + 1;
  }
}

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
    for (std::size_t c = 0; c < values.columns.size(); ++c) text += "\t" + number_text(*value++);
    text += "\n";
  }
  return text;
}

std::string read_result(const fs::path& path) {
  finish_commit(folder_of(path));
  HYPERLLM_CHECK(fs::exists(path), ErrorCode::kIo,
                 path.string() + ": No such file. Run `evaluate` on this run first.");
  return read_file(path, 4096 * kMiB);
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

void add_evaluation(const Evaluation& evaluation, FileSet& run) {
  run.add(evaluation_path("", evaluation.split).string()).write(text_of(evaluation));
}

void add_per_user(const PerUser& values, const std::string& split, FileSet& run) {
  run.add(per_user_path("", split).string()).write(text_of(values));
}

Evaluation load_evaluation(const fs::path& path) {
  const Json object = Json::parse(read_result(path), nullptr, false);
  if (!object.is_object()) throw data_error(path.string(), 0, "", "is not a JSON object", kAgain);
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
  const std::string content = read_result(path);
  auto lines = split(content, '\n');
  if (lines.back().empty()) lines.pop_back();
  PerUser result;
  if (!lines.empty())
    for (const std::string_view name : split(lines[0], '\t')) result.columns.emplace_back(name);
  if (result.columns.size() < 2 || result.columns[0] != "user_id")
    throw data_error(path.string(), 1, "", "the header is not user_id and metrics between tabs", kAgain);
  result.columns.erase(result.columns.begin());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto line = static_cast<std::int64_t>(i + 1);
    const auto cells = split(lines[i], '\t');
    if (cells.size() != result.columns.size() + 1)
      throw data_error(path.string(), line, "",
                       "has " + std::to_string(cells.size()) + " fields, the header has " +
                           std::to_string(result.columns.size() + 1),
                       kAgain);
    result.users.emplace_back(cells[0]);
    for (std::size_t c = 1; c < cells.size(); ++c)
      result.values.push_back(parse_number(cells[c], path, line, result.columns[c - 1]));
  }
  return result;
}

}  // namespace hyperllm::metrics
