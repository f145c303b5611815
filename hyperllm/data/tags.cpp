#include "hyperllm/data/tags.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <unordered_set>

#include "hyperllm/base/error.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/data/table.h"

namespace hyperllm::data {
namespace {

namespace fs = std::filesystem;
using Pair = std::pair<std::int32_t, std::int32_t>;

constexpr int kDeepestLevel = 3;

void read_header(TableReader& table, const std::vector<std::string_view>& header) {
  std::string expected;
  for (const std::string_view name : header) expected.append(expected.empty() ? "" : "<tab>").append(name);
  if (!table.next() || table.fields() != header)
    throw data_error(table.lines().path().string(), 1, "", "the header is not '" + expected + "'",
                     "Write it as the first line.");
}

std::vector<Tag> load_tag_list(const fs::path& path) {
  TableReader table(path, TableFormat{});
  read_header(table, {"tag_id", "text", "level"});
  std::vector<Tag> tags;
  while (table.next()) {
    table.expect_fields(3);
    if (to_integer(table.fields()[0]) != static_cast<std::int64_t>(tags.size()))
      throw table.error(
          "tag_id",
          "'" + std::string(table.fields()[0]) + "' where " + std::to_string(tags.size()) + " is due",
          "Number the tags 0, 1, 2, ... in the order of the lines.");
    const auto level = to_integer(table.fields()[2]);
    if (!level || *level < 0 || *level > kDeepestLevel)
      throw table.error("level", "'" + std::string(table.fields()[2]) + "' is not a level",
                        "Give 1 (broadest) to 3 (most specific), or 0 if it is unknown.");
    if (trimmed(table.fields()[1]).empty()) throw table.error("text", "it is empty", "Give the tag a text.");
    tags.push_back({std::string(table.fields()[1]), static_cast<int>(*level)});
  }
  return tags;
}

std::int32_t tag_number(const TableReader& table, std::size_t column, std::string_view name,
                        std::size_t tags) {
  const auto number = to_integer(table.fields()[column]);
  if (!number || *number < 0 || *number >= static_cast<std::int64_t>(tags))
    throw table.error(name, "tags.tsv has no tag '" + std::string(table.fields()[column]) + "'",
                      "Add the tag to tags.tsv, or remove the line.");
  return static_cast<std::int32_t>(*number);
}

// Refuses what was there before.
class Seen {
 public:
  void check(const TableReader& table, Pair pair) {
    const auto key = static_cast<std::uint64_t>(pair.first) << 32 | static_cast<std::uint32_t>(pair.second);
    if (!keys_.insert(key).second)
      throw table.error("", "the pair is there twice", "Remove one of the two lines.");
  }

 private:
  std::unordered_set<std::uint64_t> keys_;
};

std::vector<Pair> load_edges(const fs::path& path, std::size_t tags) {
  TableReader table(path, TableFormat{});
  read_header(table, {"parent", "child"});
  std::vector<Pair> edges;
  Seen seen;
  while (table.next()) {
    table.expect_fields(2);
    const Pair edge{tag_number(table, 0, "parent", tags), tag_number(table, 1, "child", tags)};
    if (edge.first == edge.second)
      throw table.error("child", "an edge from tag " + std::to_string(edge.first) + " to itself",
                        "Remove the line.");
    seen.check(table, std::minmax(edge.first, edge.second));
    edges.push_back(edge);
  }
  return edges;
}

std::vector<Pair> load_tag_items(const fs::path& path, std::size_t tags,
                                 const std::vector<std::string>& items) {
  TableReader table(path, TableFormat{});
  read_header(table, {"tag", "item"});
  const auto rows = index_of(items);
  std::vector<Pair> pairs;
  Seen seen;
  while (table.next()) {
    table.expect_fields(2);
    const std::int32_t tag = tag_number(table, 0, "tag", tags);
    const std::string item(table.exact_id(1, "item"));
    const auto found = rows.find(item);
    if (found == rows.end())
      throw table.error("item", "items.tsv has no item '" + item + "'",
                        "Run `extract` again, or remove the line.");
    seen.check(table, {tag, found->second});
    pairs.emplace_back(tag, found->second);
  }
  return pairs;
}

}  // namespace

bool has_tags(const fs::path& folder) {
  finish_commit(folder);
  return fs::exists(folder / "tags.tsv");
}

TagGraph load_tags(const fs::path& folder, const std::vector<std::string>& items) {
  finish_commit(folder);
  TagGraph graph;
  graph.tags = load_tag_list(folder / "tags.tsv");
  graph.edges = load_edges(folder / "tag_edges.tsv", graph.tags.size());
  graph.tag_items = load_tag_items(folder / "tag_items.tsv", graph.tags.size(), items);
  return graph;
}

void add_tags(const TagGraph& graph, const std::vector<std::string>& items, FileSet& files) {
  AtomicFile& edges = files.add("tag_edges.tsv");
  edges.write("parent\tchild\n");
  for (const auto& [parent, child] : graph.edges)
    edges.write(std::to_string(parent) + "\t" + std::to_string(child) + "\n");
  AtomicFile& tag_items = files.add("tag_items.tsv");
  tag_items.write("tag\titem\n");
  for (const auto& [tag, item] : graph.tag_items)
    tag_items.write(std::to_string(tag) + "\t" + items.at(item) + "\n");
  AtomicFile& tags = files.add("tags.tsv");
  tags.write("tag_id\ttext\tlevel\n");
  for (std::size_t i = 0; i < graph.tags.size(); ++i) {
    const Tag& tag = graph.tags[i];
    HYPERLLM_CHECK(
        !trimmed(tag.text).empty() && tag.text.find_first_of("\t\r\n") == tag.text.npos,
        ErrorCode::kInvalidArgument,
        "tag " + std::to_string(i) + ": the text '" + tag.text + "' is empty or holds a tab or a line end.");
    tags.write(std::to_string(i) + "\t" + tag.text + "\t" + std::to_string(tag.level) + "\n");
  }
}

void save_tags(const TagGraph& graph, const fs::path& folder, const std::vector<std::string>& items) {
  FileSet files(folder);
  add_tags(graph, items, files);
  files.commit();
}

}  // namespace hyperllm::data
