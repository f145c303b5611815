#include "hyperllm/importers/item_fields.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "hyperllm/base/json.h"
#include "hyperllm/data/item_json.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/importers/columns.h"
#include "hyperllm/importers/python_literal.h"
#include "hyperllm/importers/sample.h"

namespace hyperllm::importers {
namespace {

using data::trimmed;
using Paths = std::vector<std::vector<std::string>>;

bool is_missing(std::string_view word) { return word == "(no genres listed)" || is_missing_word(word); }

std::vector<std::string> split(std::string_view whole, std::string_view by) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t at = whole.find(by);
    const std::string_view part = trimmed(whole.substr(0, at));
    if (!part.empty() && !is_missing(part)) parts.emplace_back(part);
    if (at == whole.npos) return parts;
    whole.remove_prefix(at + by.size());
  }
}

// The list that the text is in JSON or Python; empty if it is none. RecBole leaves the brackets out.
std::optional<nlohmann::json> list_of(std::string_view text) {
  const bool bare = text.size() > 1 && (text[0] == '\'' || text[0] == '"') && text.back() == text[0];
  if (!bare && !(text.starts_with('[') && text.ends_with(']')) &&
      !(text.starts_with('(') && text.ends_with(')')))
    return std::nullopt;
  const std::string list = bare ? "[" + std::string(text) + "]" : std::string(text);
  nlohmann::json parsed = parse_json(list);
  if (parsed.is_array()) return parsed;
  std::optional<nlohmann::json> literal = parse_python_literal(list);
  if (literal && literal->is_array()) return literal;
  return std::nullopt;
}

// "Clothing, Shoes & Jewelry" is one name.
bool is_one_name(std::string_view text) {
  const std::size_t comma = text.rfind(',');
  const std::string_view last = text.substr(comma + 1);
  return last.find(" & ") != last.npos || last.find(" and ") != last.npos;
}

void drop_missing(Paths& paths) {
  for (auto& path : paths)
    std::erase_if(path, [](const std::string& level) { return is_missing(trimmed(level)); });
  std::erase_if(paths, [](const auto& path) { return path.empty(); });
}

}  // namespace

Paths category_paths(std::string_view text, const std::string& separator) {
  text = trimmed(text);
  Paths paths;
  if (separator.empty()) {
    if (const auto list = list_of(text)) {
      paths = data::json_paths(*list);
      drop_missing(paths);
      return paths;
    }
  }
  std::string_view by = separator;
  if (separator.empty()) {
    const auto holds = [&](const char* mark) { return text.find(mark) != text.npos; };
    by = holds("|") || holds(">") ? "|" : holds(";") ? ";" : holds(",") && !is_one_name(text) ? "," : "|";
  }
  for (const std::string& path : split(text, by))
    if (auto levels = split(path, ">"); !levels.empty()) paths.push_back(std::move(levels));
  return paths;
}

void set_item_field(data::ItemText& item, const std::string& name, const std::string& text,
                    const std::string& list_separator, bool words) {
  const std::string key = column_key(name);
  const bool titled = key == "title" || key == "name" || key == "itemname" || key.ends_with("title") ||
                      name.ends_with("_name") || name.ends_with(" name");
  if (titled && item.title.empty()) {
    item.title = text;
  } else if (key == "brand") {
    item.brand = text;
  } else if (key == "categories" || key == "category" || key == "genres" || key == "genre" ||
             (words && key == "class")) {
    item.categories = category_paths(text, list_separator);
    const bool one = item.categories.size() == 1 && item.categories[0].size() == 1;
    if (words && one && list_separator.empty() && text.find_first_of("|>;,['\"") == text.npos)
      item.categories = category_paths(text, " ");
  } else if (key == "description") {
    item.description = text;
  } else if (!text.empty()) {
    item.other.emplace_back(words && name == "release_year" ? "year" : name, text);
  }
}

}  // namespace hyperllm::importers
