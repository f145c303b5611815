// Ratings as CSV or TSV with named or numbered columns, and item tables beside them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/data/importers/raw.h"
#include "hyperllm/data/table.h"

namespace hyperllm::data::importers {

enum class Header { kAuto, kYes, kNo };

// Which column is what: a name of the header, or a number counted from 1; empty: recognised by common names
// (user_id, userId, reviewerID, ...; without a header user, item, rating, timestamp in this order).
struct CsvColumns {
  std::string user, item, rating, timestamp;
  std::string separator;  // empty: the one of tab , ; | :: that the first line holds most often
  Header header = Header::kAuto;
  bool quotes = true;
};

// Reads a file of ratings, plain or gzip. Throws kIo; kInvalidData (file, line, field, remedy): no such
// column, a row of another length, an empty id, text or a non-finite value where a number belongs.
void read_ratings_csv(const std::filesystem::path& path, const CsvColumns& columns, const Context& context,
                      RawInteractions& raw);

// Reads texts of wanted items from a table with a header: an id column (`id_column`, or a common name),
// title, brand, categories (paths separated by '|', levels by '>'), description; every other column becomes
// one of the item's other fields.
void read_items_csv(const std::filesystem::path& path, const std::string& id_column, const Context& context,
                    ItemCollector& items);

// The same from JSON lines, each an object as in items.jsonl.
void read_items_jsonl(const std::filesystem::path& path, const std::string& id_field, const Context& context,
                      ItemCollector& items);

// Puts one column of an item table into the item, by the column's name.
void set_item_field(ItemText& item, const std::string& name, const std::string& text);

// The separator that stands most often in the first line that is not empty; "," if there is none.
std::string guess_separator(const std::filesystem::path& path);

// The fields of the first row; empty for an empty file.
std::vector<std::string> first_row(const std::filesystem::path& path, const TableFormat& format);

}  // namespace hyperllm::data::importers
