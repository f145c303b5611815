// One description of an options struct that serves the command line, TOML recipes, `--set` and manifests.
//
// An options struct lists its members once:
//
//   struct PrepareOptions {
//     std::int64_t epochs = 500;
//     FieldList fields() { return {{"epochs", &epochs, "at most this many", within(1, 1'000'000)}}; }
//   };
//
// Everything else (flags, parsing, ranges in help and errors, "did you mean", the resolved options in a
// manifest) is derived from that list.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace hyperllm {

// A pointer into an options struct; the struct must outlive the list.
using FieldTarget = std::variant<bool*, std::int64_t*, double*, std::string*, std::filesystem::path*,
                                 std::vector<std::string>*, std::vector<std::int64_t>*>;

// The numbers that a field takes. Every number of a stage has a range whose ends make sense: what is beyond
// them is refused before any work.
struct Range {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool least_excluded = false;
};

inline Range within(double least, double most) { return {least, most, false}; }
inline Range above(double least, double most) { return {least, most, true}; }
// For what is counted by nothing in the machine, such as a seed.
inline Range at_least(double least) { return {least, std::numeric_limits<double>::infinity(), false}; }

// What a field decides.
enum class Effect {
  kResult,  // part of what a stage's files hold: in the manifest, and a change runs the stage again
  kHow,     // how the work is done, never what comes out: left out of the manifest
  kAction,  // as kHow; and a call in which it is not at its default always has something to do
};

// Makes a field count only while one of the fields `chosen_by` holds `name`: an option of one backbone, say.
struct FieldOwner {
  std::string kind, name;              // as errors call it: "model", "hrcf"
  std::vector<std::string> chosen_by;  // fields of the same list
  std::string untouched;               // the field's text where nobody has set it
  // What "auto" in one of those fields stands for at present; empty: it stands for nobody's name.
  std::function<std::string()> automatic = {};
};

struct Field {
  using Choices = std::vector<std::string>;

  Field(std::string field_name, FieldTarget field_target, std::string field_help,
        Effect field_effect = Effect::kResult)
      : name(std::move(field_name)),
        target(field_target),
        help(std::move(field_help)),
        effect(field_effect) {}
  Field(std::string field_name, FieldTarget field_target, std::string field_help, Choices field_choices,
        Effect field_effect = Effect::kResult)
      : Field(std::move(field_name), field_target, std::move(field_help), field_effect) {
    choices = std::move(field_choices);
  }
  Field(std::string field_name, FieldTarget field_target, std::string field_help, Range field_range,
        Effect field_effect = Effect::kResult)
      : Field(std::move(field_name), field_target, std::move(field_help), field_effect) {
    range = field_range;
  }

  std::string name;  // snake_case; on the command line '_' becomes '-'
  FieldTarget target;
  std::string help;  // one line: meaning and unit; choices and range are added to it
  Choices choices;   // if not empty, the only values allowed
  Range range;       // of a number, and of each number of a list
  Effect effect;
  std::optional<FieldOwner> owner = {};
};

using FieldList = std::vector<Field>;

// Assigns `text` to the field. Entries of a list are separated by commas; within an entry, "\," stands for a
// comma and "\\" for a backslash. Throws kInvalidArgument naming the field, what was given and what is
// expected (a number and its range, one of the choices, ...).
void assign_field(const Field& field, std::string_view text);

// An entry of a list as assign_field reads it back.
std::string escape_entry(std::string_view entry);

// "1 to 4096", "above 0, at most 1", "0 or more"; empty if every number is allowed.
std::string range_text(const Range& range);

// The field called `name`. Throws kInvalidArgument with the nearest known name, worded with `where` (for
// example "recipe.toml: [train]").
const Field& find_field(const FieldList& fields, std::string_view name, std::string_view where);

// False for a field whose owner is not chosen.
bool counts(const Field& field, const FieldList& fields);

// Throws kInvalidArgument naming field, owner and what is chosen instead if a field that does not count was
// set.
void check_owners(const FieldList& fields);

// Throws kInvalidArgument, as assign_field does, if a field holds none of its choices or a number out of its
// range, for options that a program filled in without assign_field; and what check_owners throws.
void check_fields(const FieldList& fields);

// The fields that decide the result: of Effect::kResult, and of nobody who is not chosen.
FieldList result_fields(const FieldList& fields);

// The field's present value as text that assign_field reads back to the same value.
std::string field_text(const Field& field);

}  // namespace hyperllm
