// Finding out which column is what.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/data/importers/csv.h"
#include "hyperllm/data/table.h"

namespace hyperllm::data::importers {

struct RatingColumns {
  bool header = false;  // the row that was looked at is a header
  std::size_t count = 0;
  int user = -1, item = -1, rating = -1, timestamp = -1;  // -1: there is none (rating and timestamp only)
  std::string user_name, item_name, rating_name, timestamp_name;  // for errors
};

// Looks at the present (first) row of `table`. Throws kInvalidData: the header lacks a column, which ones it
// has and how to name the right one; a first row of which nobody can tell whether it is a header.
RatingColumns find_rating_columns(const TableReader& table, const CsvColumns& wanted);

// The column of `names` that goes by a common name of `option` (user_column, item_column, rating_column or
// timestamp_column); -1 if there is none.
int recognise_column(const std::vector<std::string_view>& names, std::string_view option);

// The column of the item's id in the present row, a header. Throws kInvalidData.
std::size_t find_item_id(const TableReader& table, const std::string& wanted);

// The field of `object` that holds the item's id: `wanted` if given, else the first common name it has.
std::string json_id_field(const nlohmann::json& object, const std::string& wanted);

// A column name in lower case, letters and digits only: "Item_ID" is "itemid".
std::string column_key(std::string_view name);

}  // namespace hyperllm::data::importers
