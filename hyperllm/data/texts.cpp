#include "hyperllm/data/texts.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/item_json.h"
#include "hyperllm/data/lines.h"

namespace hyperllm::data {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int kDeepestNesting = 32;

std::string text_of(const Json& value, int depth) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null() || depth > kDeepestNesting) return "";
  std::string result;
  if (value.is_array()) {
    for (const Json& entry : value) {
      const std::string text = text_of(entry, depth + 1);
      if (!text.empty()) result.append(result.empty() ? "" : ", ").append(text);
    }
  } else if (value.is_object()) {
    for (const auto& [key, entry] : value.items()) {
      const std::string text = text_of(entry, depth + 1);
      if (!text.empty()) result.append(result.empty() ? "" : "; ").append(key).append(": ").append(text);
    }
  } else {
    result = value.dump();
  }
  return result;
}

std::string dump(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

// Calls use(line number, object) for each line of a JSON-lines file that is not empty.
template <typename Use>
void for_each_object(const fs::path& path, const Use& use) {
  LineReader lines(path);
  std::string_view line;
  while (lines.next(line)) {
    if (line.find_first_not_of(" \t") == line.npos) continue;
    const Json object = parse_json(line);
    if (!object.is_object())
      throw data_error(path.string(), lines.line_number(), "", json_problem(line),
                       "Write one object a line, like {\"id\": \"17\", \"title\": \"...\"}.");
    use(lines.line_number(), object);
  }
}

std::string required_id(const fs::path& path, std::int64_t line, const Json& object) {
  const auto id = object.find("id");
  std::string text = id == object.end() ? "" : json_text(*id);
  if (text.empty())
    throw data_error(path.string(), line, "id", "it is missing or empty",
                     "Give the id that the interactions use.");
  return text;
}

void check_once(std::vector<std::int64_t>& lines, std::int32_t row, const fs::path& path, std::int64_t line,
                const std::string& id) {
  if (lines[row] > 0)
    throw data_error(path.string(), line, "id",
                     "'" + id + "' was there before, on line " + std::to_string(lines[row]),
                     "Remove one of the two lines.");
  lines[row] = line;
}

std::vector<std::string> string_list(const Json& list) {
  std::vector<std::string> result;
  for (const Json& entry : list)
    if (std::string text = json_text(entry); !text.empty()) result.push_back(std::move(text));
  return result;
}

}  // namespace

std::string json_text(const Json& value) { return text_of(value, 0); }

std::vector<std::vector<std::string>> json_paths(const Json& value) {
  std::vector<std::vector<std::string>> paths;
  if (value.is_array() &&
      std::all_of(value.begin(), value.end(), [](const Json& e) { return e.is_array(); })) {
    for (const Json& path : value) paths.push_back(string_list(path));
  } else if (value.is_array()) {
    paths.push_back(string_list(value));
  } else if (value.is_string()) {
    paths.push_back(string_list(Json::array({value})));
  }
  std::erase_if(paths, [](const auto& path) { return path.empty(); });
  return paths;
}

ItemText item_from_json(const Json& object, std::string_view id_field) {
  ItemText item;
  for (const auto& [key, value] : object.items()) {
    if (key == id_field) {
      item.id = json_text(value);
    } else if (key == "title") {
      item.title = json_text(value);
    } else if (key == "brand") {
      item.brand = json_text(value);
    } else if (key == "categories") {
      item.categories = json_paths(value);
    } else if (key == "description") {
      item.description = json_text(value);
    } else if (std::string text = json_text(value); !text.empty()) {
      item.other.emplace_back(key, std::move(text));
    }
  }
  return item;
}

nlohmann::ordered_json item_to_json(const ItemText& item) {
  nlohmann::ordered_json object;
  object["id"] = item.id;
  if (!item.title.empty()) object["title"] = item.title;
  if (!item.brand.empty()) object["brand"] = item.brand;
  if (!item.categories.empty()) object["categories"] = item.categories;
  if (!item.description.empty()) object["description"] = item.description;
  // An ordered object looks through all its keys for each that is named; there may be thousands.
  auto& entries = static_cast<nlohmann::ordered_json::object_t::Container&>(
      object.get_ref<nlohmann::ordered_json::object_t&>());
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < entries.size(); ++i) places.emplace(entries[i].first, i);
  for (const auto& [key, text] : item.other) {
    const auto [place, added] = places.emplace(key, entries.size());
    if (added)
      entries.emplace_back(key, text);
    else
      entries[place->second].second = text;
  }
  return object;
}

std::vector<ItemText> load_item_texts(const fs::path& folder, const std::vector<std::string>& items) {
  finish_commit(folder);
  const fs::path path = folder / "items.jsonl";
  std::vector<ItemText> texts(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) texts[i].id = items[i];
  const auto rows = index_of(items);
  std::vector<std::int64_t> lines(items.size(), 0);
  for_each_object(path, [&](std::int64_t line, const Json& object) {
    const std::string id = required_id(path, line, object);
    const auto found = rows.find(id);
    if (found == rows.end()) return;  // a catalogue may hold items that nobody touched
    check_once(lines, found->second, path, line, id);
    texts[found->second] = item_from_json(object);
  });
  return texts;
}

void add_item_texts(const std::vector<ItemText>& texts, FileSet& files) {
  AtomicFile& file = files.add("items.jsonl");
  for (const ItemText& item : texts) file.write(dump(item_to_json(item)));
}

void save_item_texts(const std::vector<ItemText>& texts, const fs::path& folder) {
  FileSet files(folder);
  add_item_texts(texts, files);
  files.commit();
}

std::vector<std::string> load_summaries(const fs::path& file, const std::vector<std::string>& ids) {
  finish_commit(folder_of(file));
  std::vector<std::string> summaries(ids.size());
  const auto rows = index_of(ids);
  std::vector<std::int64_t> lines(ids.size(), 0);
  for_each_object(file, [&](std::int64_t line, const Json& object) {
    const std::string id = required_id(file, line, object);
    const auto summary = object.find("summary");
    if (summary == object.end() || !summary->is_string())
      throw data_error(file.string(), line, "summary", "it is missing or not a text",
                       "Give a text, \"\" if there is none.");
    const auto found = rows.find(id);
    if (found == rows.end())
      throw data_error(file.string(), line, "id", "the dataset has no '" + id + "'",
                       "Run `extract` again, or remove the line.");
    check_once(lines, found->second, file, line, id);
    summaries[found->second] = summary->get<std::string>();
  });
  return summaries;
}

void add_summaries(const std::string& name, const std::vector<std::string>& ids,
                   const std::vector<std::string>& summaries, FileSet& files) {
  HYPERLLM_CHECK(ids.size() == summaries.size(), ErrorCode::kInvalidArgument,
                 (files.folder() / name).string() + ": " + std::to_string(ids.size()) + " ids but " +
                     std::to_string(summaries.size()) + " summaries.");
  AtomicFile& output = files.add(name);
  for (std::size_t i = 0; i < ids.size(); ++i)
    output.write(dump(nlohmann::ordered_json{{"id", ids[i]}, {"summary", summaries[i]}}));
}

void save_summaries(const fs::path& file, const std::vector<std::string>& ids,
                    const std::vector<std::string>& summaries) {
  FileSet files(folder_of(file));
  add_summaries(file.filename().string(), ids, summaries, files);
  files.commit();
}

}  // namespace hyperllm::data
