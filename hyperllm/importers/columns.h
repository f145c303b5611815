// Finding out which column is what, by names and by what the first rows hold.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/data/times.h"
#include "hyperllm/importers/csv.h"

namespace hyperllm::importers {

// The first rows of a file.
struct Probe {
  std::filesystem::path path;
  std::vector<std::vector<std::string>> rows;  // texts of fields; the header first, if it is in the file
  bool header_known = false;                   // the format itself says that rows[0] is (or is not) a header
  bool header = false;
  std::int64_t line = 1;  // of rows[0]
};

struct Layout {
  bool header = false;
  std::size_t count = 0;
  // -1: there is none (all but user and item)
  int user = -1, item = -1, rating = -1, timestamp = -1, label = -1, split = -1;
  std::vector<std::string> names;  // of all columns: the header's, else "column 1", ...
  data::TimeFormat times;
  bool comma = false;  // decimal
  // All ids are whole numbers in the first rows: 17.0 is 17, and NaN is a missing id.
  bool numbered_user = false, numbered_item = false;
  bool floats = false;  // some of these are written 17.0
  const std::string& name(int column) const { return names[static_cast<std::size_t>(column)]; }
};

// Throws kInvalidData: the header lacks a column, which ones it has and how to name the right one; a first row
// of which nobody can tell whether it is a header; values that contradict what their place says, with the
// options that read the file; dates whose day and month cannot be told apart.
Layout find_layout(const Probe& probe, const CsvColumns& wanted);

// The column of `names` that goes by a common name of `option` (user_column, item_column, rating_column or
// timestamp_column); -1 if there is none.
int recognise_column(const std::vector<std::string_view>& names, std::string_view option);

// The column of the item's id in a header. Throws kInvalidData.
std::size_t find_item_id(const Probe& probe, const std::string& wanted);

// The field of `object` that holds the item's id: `wanted` if given, else the first common name it has.
std::string json_id_field(const nlohmann::json& object, const std::string& wanted);

// A column name in lower case, letters and digits only: "Item_ID" is "itemid".
std::string column_key(std::string_view name);

// The part that a word of a split column or of a file's name stands for; empty: none.
std::optional<Part> part_of(std::string_view word);

}  // namespace hyperllm::importers
