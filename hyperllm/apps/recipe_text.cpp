#include "hyperllm/apps/recipe_text.h"

#include <algorithm>

namespace hyperllm::apps {
namespace {

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char letter : text) {
    char code[8];
    const auto byte = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      out += '\\';
      out += letter;
    } else if (byte < ' ' || byte == 127) {
      std::snprintf(code, sizeof code, "\\u%04X", byte);
      out += code;
    } else {
      out += letter;
    }
  }
  return out + "\"";
}

std::string list_text(const std::string& text, bool texts) {
  std::string out;
  for (const std::string& entry : list_entries(text))
    out += (out.empty() ? "" : ", ") + (texts ? toml_text(entry) : entry);
  return "[" + out + "]";
}

std::string value_text(const FieldTarget& target, const std::string& text) {
  if (std::holds_alternative<std::string*>(target) || std::holds_alternative<std::filesystem::path*>(target))
    return toml_text(text);
  if (std::holds_alternative<std::vector<std::string>*>(target)) return list_text(text, true);
  if (std::holds_alternative<std::vector<std::int64_t>*>(target)) return list_text(text, false);
  return text;
}

class Writer {
 public:
  explicit Writer(const std::vector<Stage>& stages) : stages_(stages) {}

  void add(const std::string& stage, const RecipeTable& table, const char* open = "[",
           const char* close = "]") {
    const auto call = find_stage(stages_, stage).make();
    const FieldList fields = call->fields();
    text_ += "\n" + (open + table.name) + close + "\n";
    for (const auto& [key, value] : table.values)
      text_ += key + " = " +
               (key == "seeds" ? list_text(value.text, false)
                               : value_text(find_field(fields, key, table.name).target, value.text)) +
               "\n";
  }
  void add(const std::string& stage, const std::optional<RecipeTable>& table) {
    if (table) add(stage, *table);
  }
  std::string text_;

 private:
  const std::vector<Stage>& stages_;
};

}  // namespace

std::vector<std::string> list_entries(const std::string& text) {
  std::vector<std::string> entries;
  assign_field({"list", &entries, ""}, text);
  return entries;
}

void set_value(RecipeTable& table, const std::string& key, const RecipeValue& value) {
  const auto found = std::find_if(table.values.begin(), table.values.end(),
                                  [&](const auto& entry) { return entry.first == key; });
  if (found != table.values.end())
    found->second = value;
  else
    table.values.emplace_back(key, value);
}

std::string recipe_text(const Recipe& recipe, const std::vector<Stage>& stages) {
  Writer writer(stages);
  writer.text_ = "name = " + toml_text(recipe.name) + "\noutput = " + toml_text(recipe.output.string()) +
                 "\ndataset = " + toml_text(recipe.dataset.string()) + "\n";
  if (recipe.threads != 0) writer.text_ += "threads = " + std::to_string(recipe.threads) + "\n";
  if (!recipe.seeds.empty()) {
    std::string seeds;
    for (const std::int64_t seed : recipe.seeds) seeds += (seeds.empty() ? "" : ", ") + std::to_string(seed);
    writer.text_ += "seeds = [" + seeds + "]\n";
  }
  writer.add("prepare", recipe.prepare);
  writer.add("extract", recipe.extract);
  for (const RecipeTable& embed : recipe.embed) writer.add("embed", embed, "[[", "]]");
  writer.add("train", recipe.train);
  writer.add("evaluate", recipe.evaluate);
  for (const auto* tables : {&recipe.models, &recipe.variants, &recipe.runs})
    for (const RecipeTable& table : *tables) {
      // A name may hold points: the part behind the first one is a name of its own.
      const std::size_t dot = table.name.find('.');
      RecipeTable named = table;
      named.name = table.name.substr(0, dot + 1) + toml_text(table.name.substr(dot + 1));
      writer.add("train", named);
    }
  writer.add("report", recipe.report);
  return writer.text_;
}

}  // namespace hyperllm::apps
