#include "hyperllm/importers/released.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/importers/clean.h"
#include "hyperllm/importers/importer.h"

namespace hyperllm::importers {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Pairs = std::vector<std::pair<std::int32_t, std::int32_t>>;

constexpr std::pair<const char*, data::Part> kMatrices[] = {{"train_matrix.npz", data::Part::kTrain},
                                                            {"val_matrix.npz", data::Part::kValid},
                                                            {"test_matrix.npz", data::Part::kTest}};

json read_object(const fs::path& path) {
  const std::string text = read_file(path);
  json object = parse_json(text);
  if (!object.is_object())
    throw data_error(path.string(), 0, "", json_problem(text), "Download or copy it again.");
  return object;
}

std::int32_t id_below(const std::string& text, std::int64_t count, const char* what, const fs::path& path) {
  const auto id = data::to_integer(text);
  if (id && *id >= 0 && *id < count) return static_cast<std::int32_t>(*id);
  throw data_error(path.string(), 0, text.substr(0, 40),
                   std::string("not a valid ") + what + " id below " + std::to_string(count),
                   "Check that all files come from the same dataset.");
}

std::vector<data::Tag> read_tags(const fs::path& path) {
  const json object = read_object(path);
  std::vector<data::Tag> tags(object.size());
  for (const auto& [key, text] : object.items()) {
    data::Tag& tag = tags[id_below(key, static_cast<std::int64_t>(tags.size()), "tag", path)];
    if (text.is_string()) tag.text = clean_text(text.get<std::string>());
    if (tag.text.empty())
      throw data_error(path.string(), 0, key, "the tag has no text", "Download or copy it again.");
  }
  return tags;
}

// {"tag": [id, ...], ...} as sorted pairs, each once.
Pairs read_lists(const fs::path& path, std::int64_t tags, std::int64_t others, const char* what) {
  Pairs pairs;
  const json lists = read_object(path);  // outlives the loop
  for (const auto& [key, list] : lists.items()) {
    const std::int32_t tag = id_below(key, tags, "tag", path);
    if (!list.is_array())
      throw data_error(path.string(), 0, key, "not a list of ids", "Download or copy it again.");
    for (const json& entry : list) pairs.emplace_back(tag, id_below(entry.dump(), others, what, path));
  }
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  return pairs;
}

Pairs undirected(const Pairs& pairs) {
  Pairs edges;
  for (const auto& [a, b] : pairs)
    if (a != b) edges.push_back(std::minmax(a, b));
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  return edges;
}

void add_matrix(const data::Csr& matrix, data::Part part, RawInteractions& raw) {
  for (std::int64_t u = 0; u < matrix.rows; ++u)
    for (const std::int32_t i : matrix.row(u)) {
      raw.rows.user.push_back(static_cast<std::int32_t>(u));
      raw.rows.item.push_back(i);
      raw.rows.rating.push_back(1);
      raw.rows.timestamp.push_back(0);
      raw.line.push_back(static_cast<std::uint32_t>(u));
    }
  raw.parts.resize(raw.rows.user.size(), part);
}

}  // namespace

bool is_released_folder(const fs::path& folder) { return fs::exists(folder / kMatrices[0].first); }

void read_released(const fs::path& folder, Source& source) {
  RawInteractions& raw = source.raw;
  std::int64_t users = -1, items = -1;
  for (const auto& [name, part] : kMatrices) {
    const data::Csr matrix = artifact::read_scipy_csr(folder / name);
    if (users >= 0 && (matrix.rows != users || matrix.cols != items))
      throw data_error((folder / name).string(), 0, "shape",
                       "the matrix is " + std::to_string(matrix.rows) + " x " + std::to_string(matrix.cols) +
                           ", that of training " + std::to_string(users) + " x " + std::to_string(items),
                       "Check that all files come from the same dataset.");
    users = matrix.rows;
    items = matrix.cols;
    FileReport& report = raw.begin_file(folder / name);
    add_matrix(matrix, part, raw);
    report.format = "hyperllm";
    report.used = {{"user", "row"}, {"item", "column"}};
    report.rows = raw.rows.size() - raw.first_row.back();
  }
  for (std::int64_t u = 0; u < users; ++u) raw.users.add(std::to_string(u));
  for (std::int64_t i = 0; i < items; ++i) raw.items.add(std::to_string(i));
  if (!fs::exists(folder / "id_to_tag.json")) return;
  data::TagGraph graph;
  graph.tags = read_tags(folder / "id_to_tag.json");
  const auto tags = static_cast<std::int64_t>(graph.tags.size());
  graph.tag_items = read_lists(folder / "tag_to_item.json", tags, items, "item");
  graph.edges = undirected(read_lists(folder / "tag_to_tag.json", tags, tags, "tag"));
  source.tags = std::move(graph);
  for (const char* name : {"id_to_tag.json", "tag_to_item.json", "tag_to_tag.json"})
    source.files.push_back(folder / name);
}

Importer released_importer() {
  Importer importer{"hyperllm", {"item_column", "list_separator", "encoding"}, nullptr, nullptr, nullptr};
  importer.recognise = [](const fs::path& path, const std::string&) { return is_released_folder(path); };
  importer.read = [](const ImportOptions& options, const Context&, Source& source) {
    read_released(only_input(options), source);
  };
  return importer;
}

}  // namespace hyperllm::importers
