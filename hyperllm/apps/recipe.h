// Recipes: one TOML file that says how to get from raw data to a table of results. docs/recipes.md is the
// user's description.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hyperllm/base/fields.h"

namespace hyperllm::apps {

// One value as written, and where ("beauty.toml:12", "--set train.epochs=3").
struct RecipeValue {
  enum class Kind { kText, kWhole, kReal, kBool, kTexts, kWholes, kUntyped };
  Kind kind = Kind::kUntyped;  // kUntyped: from the command line
  std::string text;            // as assign_field reads it; ${VAR} already expanded
  std::string where;
};

struct RecipeTable {
  std::string name;  // "train", "runs.ease"
  std::vector<std::pair<std::string, RecipeValue>> values;
};

// What a search tries for one option: a list of values, or a range with the keys low, high, log, int.
struct RecipeChoice {
  std::string option, where;
  std::vector<RecipeValue> values;   // empty: the range
  std::optional<RecipeTable> range;  // its name is the choice's place, for messages
};

struct RecipeSpace {
  std::string name;  // "search.space", "search.spaces.ease"
  std::vector<RecipeChoice> choices;
};

// [search] and what is below it.
struct RecipeSearch {
  RecipeTable options{"search", {}};
  std::vector<RecipeSpace> spaces;
};

struct Recipe {
  std::string name;                 // default: the file's stem
  std::filesystem::path output;     // default: runs/NAME
  std::filesystem::path dataset;    // default: OUTPUT/data/NAME
  std::int64_t threads = 0;         // 0: all cores
  std::vector<std::int64_t> seeds;  // every run once for each, as RUN/seed-N; empty: once, with its own seed
  // A stage runs if the recipe has its table, an empty one included.
  std::optional<RecipeTable> prepare, extract, train, evaluate, report;
  std::vector<RecipeTable> embed;  // [embed] or several [[embed]]
  std::vector<RecipeTable> runs;   // [runs.NAME], in the file's order
  std::optional<RecipeSearch> search;
  // [models.NAME] and [variants.NAME]: a run MODEL-VARIANT for each pair.
  std::vector<RecipeTable> models, variants;
};

// Reads the file, then applies `overrides` ("section.key=value") in order; an override of an [[embed]] array
// changes every entry, one of search.space.OPTION gives a list. Relative paths in a recipe are relative to
// the working directory. Text may use ${VAR} and ${VAR:-default}. Throws kIo (missing file), kInvalidData
// (not TOML, a name of more than eight parts: file and line; more than 1 MiB), kInvalidArgument (an unknown
// section with the nearest name, a value of a kind no option has, an unset variable).
Recipe load_recipe(const std::filesystem::path& path, const std::vector<std::string>& overrides = {});

// Assigns the table's values to the options. Throws kInvalidArgument, naming file and line: an unknown key
// with the nearest name, a value of the wrong type, a value the option refuses.
void assign_table(const RecipeTable& table, const FieldList& fields);

}  // namespace hyperllm::apps
