// One description of an options struct that serves the command line, TOML recipes, `--set` and manifests.
//
// An options struct lists its members once:
//
//   struct PrepareOptions {
//     double min_rating = 0;
//     FieldList fields() { return {{"min_rating", &min_rating, "keep interactions rated at least this"}}; }
//   };
//
// Everything else (flags, parsing, "did you mean", the resolved options in a manifest) is derived from that
// list.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace hyperllm {

// A pointer into an options struct; the struct must outlive the list.
using FieldTarget = std::variant<bool*, std::int64_t*, double*, std::string*, std::filesystem::path*,
                                 std::vector<std::string>*, std::vector<std::int64_t>*>;

struct Field {
  std::string name;  // snake_case; on the command line '_' becomes '-'
  FieldTarget target;
  std::string help;                       // one line: meaning, unit, valid range
  std::vector<std::string> choices = {};  // if not empty, the only values allowed
};

using FieldList = std::vector<Field>;

// Assigns `text` to the field. Lists are comma-separated. Throws kInvalidArgument naming the field, what was
// given and what is expected (a number, one of the choices, ...).
void assign_field(const Field& field, std::string_view text);

// The field called `name`. Throws kInvalidArgument with the nearest known name, worded with `where` (for
// example "recipe.toml: [train]").
const Field& find_field(const FieldList& fields, std::string_view name, std::string_view where);

// Throws kInvalidArgument, as assign_field does, if a field with choices holds none of them: for options that
// a program filled in without assign_field.
void check_choices(const FieldList& fields);

// The field's present value as text that assign_field reads back to the same value.
std::string field_text(const Field& field);

}  // namespace hyperllm
