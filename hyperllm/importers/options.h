// What `prepare` can be told of its input.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/fields.h"
#include "hyperllm/importers/csv.h"

namespace hyperllm::importers {

struct ImportOptions {
  std::vector<std::string> input;
  std::string format = "auto";
  std::filesystem::path items;
  std::string edition = "auto";
  std::string user_column, item_column, rating_column, timestamp_column, label_column, split_column;
  std::string separator, quote, escape, comment, list_separator, encoding, timestamp_format;
  std::string decimal = "auto";
  std::string object;
  std::string header = "auto";
  std::string bad_rows = "error";
  double bad_rows_share = 0.1;
  std::string split = "auto";  // "keep" makes several inputs the parts of a split

  FieldList import_fields();
  CsvColumns columns() const;
};

}  // namespace hyperllm::importers
