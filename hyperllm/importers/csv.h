// Ratings as CSV or TSV with named or numbered columns, and item tables beside them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/importers/raw.h"

namespace hyperllm::importers {

enum class Header { kAuto, kYes, kNo };

// What people say of a file's columns and of how they are written: the same for every format. A column is a
// name of the header (for JSON: of a field, nested ones with dots), or a number counted from 1; "none": there
// is none; empty: recognised by common names (user_id, userId, reviewerID, ...; without a header user, item,
// rating, timestamp in this order).
struct CsvColumns {
  std::string user, item, rating, timestamp;
  std::string label;      // 0 marks what the user did not choose; such rows are left out
  std::string split;      // "train", "valid" or "test"
  std::string separator;  // empty: the one of tab , ; | :: that the first line holds most often, else blanks
  Header header = Header::kAuto;
  bool quotes = true;
  std::string quote;    // one character, "none"; empty: "
  std::string escape;   // one character, "none"; empty: a backslash where the file's start uses it so
  std::string comment;  // what lines to skip begin with; empty: % and # at the file's start
  std::string decimal = "auto";  // "point", "comma"
  std::string timestamp_format;  // of strptime, or s, ms, us, ns; empty: recognised
  std::string list_separator;    // in cells of item tables; empty: recognised
  std::string encoding;          // see open_bytes
  std::string format = "csv";    // for the report
  BadRowRule bad_rows;
};

// Reads a file of ratings. Throws kIo; kInvalidData (file, line, field, remedy): no such column, values that
// contradict the guess, a row of another length, an empty id, text or a non-finite value where a number
// belongs.
void read_ratings_csv(const std::filesystem::path& path, const CsvColumns& columns, const Context& context,
                      RawInteractions& raw);

// Reads texts of wanted items from a table with a header: an id column (`item`, or a common name), title,
// brand, categories (see category_paths), description; every other column becomes one of the item's other
// fields. Names may carry RecBole's types.
void read_items_csv(const std::filesystem::path& path, const CsvColumns& columns, const Context& context,
                    ItemCollector& items);

// Separator, quotes, escapes and comments of the file, as told or by its first lines.
TableFormat table_format(const std::filesystem::path& path, const CsvColumns& columns);

}  // namespace hyperllm::importers
