#include "hyperllm/apps/recipe.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "hyperllm/apps/recipe_text.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"

namespace hyperllm::apps {
namespace {

using Kind = RecipeValue::Kind;

const std::vector<std::string> kTopLevel = {"name",    "output",   "dataset", "threads", "seeds",
                                            "prepare", "extract",  "embed",   "train",   "evaluate",
                                            "models",  "variants", "runs",    "report",  "search"};

// The tables of a section such as [runs.NAME]; null for any other section.
std::vector<RecipeTable>* tables_of(Recipe& recipe, std::string_view section) {
  if (section == "runs") return &recipe.runs;
  if (section == "models") return &recipe.models;
  if (section == "variants") return &recipe.variants;
  return nullptr;
}

[[noreturn]] void refuse(const std::string& where, const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, where + ": " + problem);
}

[[noreturn]] void refuse_unknown(const std::string& where, const std::string& what, std::string_view name,
                                 const std::vector<std::string>& known) {
  const std::string near = nearest_word(name, known);
  refuse(where, "unknown " + what + " '" + std::string(name) + "'" +
                    (near.empty() ? "." : "; did you mean '" + near + "'?"));
}

std::string expand_environment(std::string_view text, const std::string& where) {
  std::string expanded;
  while (!text.empty()) {
    const std::size_t start = text.find("${");
    expanded += text.substr(0, start);
    if (start == std::string_view::npos) break;
    text.remove_prefix(start + 2);
    const std::size_t end = text.find('}');
    if (end == std::string_view::npos) refuse(where, "'${' without '}'.");
    const std::string_view inside = text.substr(0, end);
    text.remove_prefix(end + 1);
    const std::size_t dash = inside.find(":-");
    const std::string name(inside.substr(0, dash));
    const char* value = std::getenv(name.c_str());
    if (value && (*value || dash == std::string_view::npos))
      expanded += value;
    else if (dash != std::string_view::npos)
      expanded += inside.substr(dash + 2);
    else
      refuse(where, "the environment variable '" + name + "' is not set. Set it, or give a default: ${" +
                        name + ":-default}.");
  }
  return expanded;
}

std::string real_text(double value) {
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, result.ptr};
}

constexpr std::uintmax_t kLargest = 1 << 20;

// toml++ makes a table for each part of a dotted name and destroys them by recursion. So names of many parts
// are found here, before it reads them: strings and comments are skipped, and a point counts as one between
// parts.
class NameScan {
 public:
  NameScan(std::string_view text, const std::filesystem::path& file) : text_(text), file_(file) {}

  void check() {
    constexpr int kMostParts = 8;  // recipes use three: runs.NAME.key
    int parts = 1;
    while (at_ < text_.size()) {
      const char letter = text_[at_];
      if (letter == '"' || letter == '\'') {
        skip_string(letter);
        continue;
      }
      if (letter == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        continue;
      }
      ++at_;
      if (letter == '\n') ++line_;
      if (std::string_view("\n=,[]{}").find(letter) != std::string_view::npos) parts = 1;
      if (letter == '.' && ++parts > kMostParts)
        throw data_error(file_.string(), line_, "",
                         "a name of more than " + std::to_string(kMostParts) + " parts between points",
                         "See docs/recipes.md for the form of a recipe.");
    }
  }

 private:
  void skip_string(char quote) {
    const std::string triple(3, quote);
    const std::string_view end = text_.substr(at_).starts_with(triple)
                                     ? std::string_view(triple)
                                     : std::string_view(triple).substr(0, 1);
    for (at_ += end.size(); at_ < text_.size(); ++at_) {
      if (text_.substr(at_).starts_with(end)) {
        at_ += end.size();
        return;
      }
      if (text_[at_] == '\n') {
        if (end.size() == 1) return;  // toml++ will say that it is not closed
        ++line_;
      }
      if (text_[at_] == '\\' && quote == '"' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
    }
  }

  std::string_view text_;
  const std::filesystem::path& file_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

class Reader {
 public:
  explicit Reader(std::filesystem::path file) : file_(std::move(file)) {}

  Recipe read() {
    const std::string content = read_file(file_, kMiB);
    NameScan(content, file_).check();
    toml::table document;
    try {
      document = toml::parse(content, file_.string());
    } catch (const toml::parse_error& error) {
      throw data_error(file_.string(), error.source().begin.line, "",
                       "not valid TOML: " + std::string(error.description()),
                       "See docs/recipes.md for the form of a recipe.");
    }
    Recipe recipe;
    for (const auto& [key, node] : in_file_order(document)) top_level(recipe, std::string(key->str()), *node);
    return recipe;
  }

 private:
  using Entry = std::pair<const toml::key*, const toml::node*>;

  // toml++ sorts keys by name; runs and their tables are wanted as the author wrote them.
  static std::vector<Entry> in_file_order(const toml::table& table) {
    std::vector<Entry> entries;
    for (const auto& [key, node] : table) entries.emplace_back(&key, &node);
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      const auto place = [](const Entry& entry) {
        return std::pair(entry.first->source().begin.line, entry.first->source().begin.column);
      };
      return place(a) < place(b);
    });
    return entries;
  }

  std::string where(const toml::source_region& source) const {
    return file_.string() + ":" + std::to_string(source.begin.line);
  }

  void top_level(Recipe& recipe, const std::string& key, const toml::node& node) {
    const std::string place = where(node.source());
    if (key == "name" || key == "output" || key == "dataset" || key == "threads" || key == "seeds") {
      assign_table({"", {{key, value(key, node)}}}, top_fields(recipe));
    } else if (key == "prepare") {
      recipe.prepare = table(key, node);
    } else if (key == "extract") {
      recipe.extract = table(key, node);
    } else if (key == "train") {
      recipe.train = table(key, node);
    } else if (key == "evaluate") {
      recipe.evaluate = table(key, node);
    } else if (key == "report") {
      recipe.report = table(key, node);
    } else if (key == "search") {
      recipe.search = search(node);
    } else if (key == "embed" && node.is_array()) {
      for (const toml::node& entry : *node.as_array()) recipe.embed.push_back(table(key, entry));
    } else if (key == "embed") {
      recipe.embed.push_back(table(key, node));
    } else if (std::vector<RecipeTable>* named = tables_of(recipe, key)) {
      if (!node.is_table()) refuse(place, "'" + key + "' must be tables with names: [" + key + ".NAME].");
      for (const auto& [run, body] : in_file_order(*node.as_table())) {
        check_run_name(std::string(run->str()), where(run->source()));
        named->push_back(table(key + "." + std::string(run->str()), *body));
      }
    } else {
      refuse_unknown(place, node.is_table() ? "section" : "key", key, kTopLevel);
    }
  }

 public:
  static FieldList top_fields(Recipe& recipe) {
    return {{"name", &recipe.name, ""},
            {"output", &recipe.output, ""},
            {"dataset", &recipe.dataset, ""},
            {"threads", &recipe.threads, ""},
            {"seeds", &recipe.seeds, ""}};
  }

  // A run's name becomes a folder's.
  static void check_run_name(const std::string& name, const std::string& where) {
    const bool plain =
        !name.empty() && name[0] != '.' && std::all_of(name.begin(), name.end(), [](unsigned char c) {
          return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '+';
        });
    if (!plain)
      refuse(where, "run name '" + name + "': use letters, digits and - _ + . only; it names a folder.");
  }

 private:
  RecipeTable table(const std::string& name, const toml::node& node) {
    const toml::table* body = node.as_table();
    if (!body) refuse(where(node.source()), "'" + name + "' must be a table: [" + name + "].");
    RecipeTable result{name, {}};
    for (const auto& [key, entry] : in_file_order(*body))
      result.values.emplace_back(std::string(key->str()), value(std::string(key->str()), *entry));
    return result;
  }

  RecipeSearch search(const toml::node& node) {
    if (!node.is_table()) refuse(where(node.source()), "'search' must be a table: [search].");
    RecipeSearch result;
    for (const auto& [name, entry] : in_file_order(*node.as_table())) {
      const std::string key(name->str());
      if (key == "space") {
        result.spaces.push_back(space("search.space", *entry));
      } else if (key == "spaces") {
        if (!entry->is_table())
          refuse(where(entry->source()), "'spaces' must be tables with names of runs: [search.spaces.RUN].");
        for (const auto& [run, body] : in_file_order(*entry->as_table()))
          result.spaces.push_back(space("search.spaces." + std::string(run->str()), *body));
      } else if (entry->is_table()) {
        refuse_unknown(where(entry->source()), "table", "search." + key, {"search.space", "search.spaces"});
      } else {
        result.options.values.emplace_back(key, value(key, *entry));
      }
    }
    return result;
  }

  RecipeSpace space(const std::string& name, const toml::node& node) {
    if (!node.is_table()) refuse(where(node.source()), "'" + name + "' must be a table: [" + name + "].");
    RecipeSpace result{name, {}};
    for (const auto& [key, entry] : in_file_order(*node.as_table())) {
      RecipeChoice choice{std::string(key->str()), where(key->source()) + ": [" + name + "]", {}, {}};
      if (entry->is_table()) {
        choice.range = table(name + "." + choice.option, *entry);
      } else if (entry->is_array()) {
        for (const toml::node& one : *entry->as_array()) choice.values.push_back(value(choice.option, one));
      }
      if (choice.values.empty() && !choice.range)
        refuse(choice.where, "'" + choice.option + "' must be a list of values, or {low = ..., high = ...}.");
      result.choices.push_back(std::move(choice));
    }
    return result;
  }

  RecipeValue value(const std::string& key, const toml::node& node) {
    RecipeValue result{Kind::kText, "", where(node.source())};
    if (const auto* text = node.as_string()) {
      result.text = expand_environment(text->get(), result.where);
    } else if (const auto* whole = node.as_integer()) {
      result.kind = Kind::kWhole;
      result.text = std::to_string(whole->get());
    } else if (const auto* real = node.as_floating_point()) {
      result.kind = Kind::kReal;
      result.text = real_text(real->get());
    } else if (const auto* flag = node.as_boolean()) {
      result.kind = Kind::kBool;
      result.text = flag->get() ? "true" : "false";
    } else if (const auto* array = node.as_array()) {
      list(key, *array, result);
    } else {
      refuse(result.where, "'" + key + "' must be a text, a number, true, false or a list of them.");
    }
    return result;
  }

  void list(const std::string& key, const toml::array& array, RecipeValue& result) {
    result.kind = Kind::kWholes;
    for (const toml::node& node : array) {
      const RecipeValue entry = value(key, node);
      if (entry.kind != Kind::kText && entry.kind != Kind::kWhole)
        refuse(entry.where, "'" + key + "': a list may hold texts or whole numbers.");
      if (entry.kind == Kind::kText) result.kind = Kind::kTexts;
      result.text += (result.text.empty() ? "" : ",") + escape_entry(entry.text);
    }
    if (array.empty()) result.kind = Kind::kUntyped;
  }

  std::filesystem::path file_;
};

RecipeTable& named_table(std::vector<RecipeTable>& tables, const std::string& section,
                         const std::string& where) {
  std::vector<std::string> names;
  for (RecipeTable& table : tables) {
    if (table.name == section) return table;
    names.push_back(table.name);
  }
  refuse_unknown(where, "run", section, names);
}

// "search.space.margin=1,2,3"
void set_choice(RecipeSearch& search, const std::string& section, const std::string& option,
                const RecipeValue& value) {
  RecipeChoice choice{option, value.where, {}, {}};
  for (const std::string& entry : list_entries(value.text))
    choice.values.push_back({Kind::kUntyped, entry, value.where});
  if (choice.values.empty()) refuse(value.where, "expected values with commas between them.");
  for (RecipeSpace& space : search.spaces) {
    if (space.name != section) continue;
    const auto found = std::find_if(space.choices.begin(), space.choices.end(),
                                    [&](const RecipeChoice& other) { return other.option == option; });
    if (found != space.choices.end())
      *found = std::move(choice);
    else
      space.choices.push_back(std::move(choice));
    return;
  }
  search.spaces.push_back({section, {std::move(choice)}});
}

// "train.epochs=3", "runs.ease.lambda=5", "threads=1".
void override_one(Recipe& recipe, const std::string& text) {
  constexpr std::size_t kShown = 100;
  const std::string where = "--set " + text.substr(0, kShown) + (text.size() > kShown ? "..." : "");
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) refuse(where, "expected section.key=value.");
  const std::string path = text.substr(0, equals);
  const RecipeValue value{Kind::kUntyped, expand_environment(text.substr(equals + 1), where), where};
  const std::size_t dot = path.rfind('.');
  if (dot == std::string::npos) {
    const FieldList fields = Reader::top_fields(recipe);
    const bool known =
        std::any_of(fields.begin(), fields.end(), [&](const Field& field) { return field.name == path; });
    if (!known) refuse_unknown(where, "key", path, {"name", "output", "dataset", "threads", "seeds"});
    assign_table({"", {{path, value}}}, fields);
    return;
  }
  const std::string section = path.substr(0, dot), key = path.substr(dot + 1);
  if (section == "search" || section.starts_with("search.")) {
    if (!recipe.search) recipe.search.emplace();
    if (section == "search")
      set_value(recipe.search->options, key, value);
    else
      set_choice(*recipe.search, section, key, value);
    return;
  }
  const auto into = [&](std::optional<RecipeTable>& table) {
    if (!table) table = RecipeTable{section, {}};
    set_value(*table, key, value);
  };
  if (section == "prepare") {
    into(recipe.prepare);
  } else if (section == "extract") {
    into(recipe.extract);
  } else if (section == "train") {
    into(recipe.train);
  } else if (section == "evaluate") {
    into(recipe.evaluate);
  } else if (section == "report") {
    into(recipe.report);
  } else if (section == "embed") {
    if (recipe.embed.empty()) recipe.embed.push_back({"embed", {}});
    for (RecipeTable& table : recipe.embed) set_value(table, key, value);
  } else if (std::vector<RecipeTable>* named = tables_of(recipe, section.substr(0, section.find('.')))) {
    set_value(named_table(*named, section, where), key, value);
  } else {
    refuse_unknown(where, "section", section, kTopLevel);
  }
}

bool fits(Kind kind, const FieldTarget& target) {
  if (kind == Kind::kUntyped) return true;
  return std::visit(
      [&](auto* pointer) {
        using T = std::remove_pointer_t<decltype(pointer)>;
        if constexpr (std::is_same_v<T, bool>) return kind == Kind::kBool;
        if constexpr (std::is_same_v<T, std::int64_t>) return kind == Kind::kWhole;
        if constexpr (std::is_same_v<T, double>) return kind == Kind::kReal || kind == Kind::kWhole;
        if constexpr (std::is_same_v<T, std::vector<std::string>>)
          return kind == Kind::kTexts || kind == Kind::kText;
        if constexpr (std::is_same_v<T, std::vector<std::int64_t>>)
          return kind == Kind::kWholes || kind == Kind::kWhole;
        return kind == Kind::kText;
      },
      target);
}

std::string expected_text(const FieldTarget& target) {
  static const char* const kNames[] = {"true or false",          "a whole number",   "a number",
                                       "a text in quotes",       "a path in quotes", "a list of texts",
                                       "a list of whole numbers"};
  return kNames[target.index()];
}

}  // namespace

Recipe load_recipe(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  Recipe recipe = Reader(path).read();
  for (const std::string& text : overrides) override_one(recipe, text);
  if (recipe.name.empty()) recipe.name = path.stem().string();
  Reader::check_run_name(recipe.name, path.string() + ": name");
  if (recipe.output.empty()) recipe.output = std::filesystem::path("runs") / recipe.name;
  if (recipe.dataset.empty()) recipe.dataset = recipe.output / "data" / recipe.name;
  return recipe;
}

void assign_table(const RecipeTable& table, const FieldList& fields) {
  const std::string section = table.name.empty() ? "" : ": [" + table.name + "]";
  for (const auto& [key, value] : table.values) {
    const Field& field = find_field(fields, key, value.where + section);
    if (!fits(value.kind, field.target))
      refuse(value.where + section,
             "'" + key + "': expected " + expected_text(field.target) + ", got " + value.text + ".");
    try {
      assign_field(field, value.text);
    } catch (const Error& error) {
      refuse(value.where + section, std::string(error.what()) + ".");
    }
  }
}

}  // namespace hyperllm::apps
