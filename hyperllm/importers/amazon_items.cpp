#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/item_json.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/importers/amazon.h"
#include "hyperllm/importers/clean.h"
#include "hyperllm/importers/json_object.h"

namespace hyperllm::importers {
namespace {

using nlohmann::json;

std::string field(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? "" : clean_text(data::json_text(*found));
}

// In 2018 some fields hold the script of the page instead of a text.
std::string without_script(std::string text) {
  const bool script = text.find("getTime(") != text.npos || text.find("function(") != text.npos ||
                      text.find("aPageStart") != text.npos;
  return script ? std::string() : std::move(text);
}

std::vector<std::vector<std::string>> categories(const json& object) {
  std::vector<std::vector<std::string>> paths;
  for (const char* name : {"categories", "category", "main_category", "main_cat"}) {
    const auto found = object.find(name);
    if (found != object.end()) paths = data::json_paths(*found);
    for (auto& path : paths) {
      for (std::string& level : path) level = without_script(clean_text(level));
      std::erase(path, "");
    }
    std::erase_if(paths, [](const auto& path) { return path.empty(); });
    if (!paths.empty()) break;
  }
  return paths;
}

bool has_text(const std::string& price) {
  return !price.empty() && price != "—" && price != "-" && price != "None";
}

ItemText item_of(const json& object, std::string id) {
  ItemText item;
  item.id = std::move(id);
  item.title = without_script(field(object, "title"));
  item.brand = without_script(field(object, "brand"));
  if (item.brand.empty()) item.brand = field(object, "store");
  item.categories = categories(object);
  item.description = without_script(field(object, "description"));
  for (const auto& [name, key] :
       {std::pair{"features", "features"}, {"feature", "features"}, {"details", "details"}})
    if (std::string text = without_script(field(object, name)); !text.empty())
      item.other.emplace_back(key, std::move(text));
  if (std::string price = without_script(field(object, "price")); has_text(price))
    item.other.emplace_back("price", std::move(price));
  return item;
}

}  // namespace

void read_amazon_items(const std::filesystem::path& path, const Context& context, ItemCollector& items,
                       const std::string& encoding) {
  ObjectReader objects(path, encoding);
  FileReport& report = items.begin_file(path, "amazon");
  report.opened(objects.lines());
  ReadMeter meter(context, objects.lines());
  const auto row = [&] {
    const TextObject& object = objects.object();
    if (!object.problem.empty())
      throw data_error(path.string(), objects.line(), "",
                       json_problem(objects.text(), "neither a JSON object nor a Python dictionary"),
                       "Check that this is the metadata file, with one item a line.");
    const char* const key = object.value.contains("parent_asin") ? "parent_asin" : "asin";
    std::string id = object.value.contains(key) ? data::json_text(object.value.at(key)) : "";
    if (id.empty())
      throw data_error(
          path.string(), objects.line(), key, "it is missing or empty",
          "Metadata has asin (2014, 2018) or parent_asin (2023); check that this is the metadata file.");
    if (report.used.empty()) report.used = {{"id", key}};
    if (!items.wants(id)) return;
    items.replaced(object.replaced, objects.line());
    items.put(item_of(object.value, std::move(id)));
  };
  while (objects.next()) {
    items.row(row);
    meter.row();
  }
}

}  // namespace hyperllm::importers
