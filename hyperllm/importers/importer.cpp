#include "hyperllm/importers/importer.h"

#include <algorithm>

#include "hyperllm/base/error.h"

namespace hyperllm::importers {

std::span<const Importer> importers() {
  static const std::vector<Importer> all = {released_importer(),  recbole_importer(),  rdata_importer(),
                                            movielens_importer(), amazon_importer(),   jsonl_importer(),
                                            netflix_importer(),   lightgcn_importer(), csv_importer()};
  return all;
}

const Importer& find_importer(std::string_view name) {
  for (const Importer& importer : importers())
    if (importer.name == name) return importer;
  throw Error(ErrorCode::kInvalidArgument, "format: there is none called '" + std::string(name) + "'.");
}

std::vector<std::string> format_names() {
  std::vector<std::string> names = {"auto"};
  for (const Importer& importer : importers()) names.emplace_back(importer.name);
  return names;
}

std::vector<std::string_view> column_options() {
  return {"user_column",  "item_column",    "rating_column",  "timestamp_column",
          "label_column", "split_column",   "decimal",        "timestamp_format",
          "bad_rows",     "bad_rows_share", "list_separator", "encoding"};
}

std::vector<std::string_view> table_options() {
  std::vector<std::string_view> options = column_options();
  for (const char* option : {"separator", "header", "quote", "escape", "comment"})
    options.emplace_back(option);
  return options;
}

void check_options(const Importer& importer, const ImportOptions& options) {
  ImportOptions told = options, untouched;
  const FieldList fields = told.import_fields(), defaults = untouched.import_fields();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string& name = fields[i].name;
    if (name == "input" || name == "format" || name == "items" || name == "split") continue;
    if (std::find(importer.options.begin(), importer.options.end(), name) != importer.options.end()) continue;
    if (field_text(fields[i]) == field_text(defaults[i])) continue;
    std::string users;
    for (const Importer& other : importers())
      if (std::find(other.options.begin(), other.options.end(), name) != other.options.end())
        users += (users.empty() ? "" : ", ") + std::string(other.name);
    throw Error(ErrorCode::kInvalidArgument, "option '" + name + "' says nothing to the format " +
                                                 importer.name + ", which the input is; it is for: " + users +
                                                 ". Leave it out, or set 'format' to one of these.");
  }
}

FieldList ImportOptions::import_fields() {
  return {
      {"input", &input, "files or a folder with the interactions, comma-separated"},
      {"format", &format, "what the input is", format_names()},
      {"items", &items,
       "file with item texts: JSON lines, a table, .item, Amazon metadata; empty: what lies beside the "
       "input"},
      {"edition", &edition, "edition of Amazon Reviews", {"auto", "2014", "2018", "2023"}},
      {"user_column", &user_column,
       "user column: a name (of a nested JSON field: a.b), or a number from 1; empty: recognised"},
      {"item_column", &item_column, "item column, likewise; also the id of the items file"},
      {"rating_column", &rating_column, "rating column, likewise, or none"},
      {"timestamp_column", &timestamp_column, "time column, likewise, or none"},
      {"label_column", &label_column,
       "column whose 0 marks what was not chosen (such rows are left out), or none"},
      {"split_column", &split_column, "column with the words train, valid and test, or none"},
      {"separator", &separator, "text between fields, or tab, space; empty: recognised"},
      {"header", &header, "whether the first line names the columns", {"auto", "yes", "no"}},
      {"quote", &quote, "character around fields, or none; empty: \""},
      {"escape", &escape, "character before quotes inside of quotes, or none; empty: recognised"},
      {"comment", &comment, "what lines to skip begin with; empty: % at the file's start"},
      {"decimal", &decimal, "mark before decimals", {"auto", "point", "comma"}},
      {"timestamp_format", &timestamp_format,
       "how times are written: letters of strptime such as %d/%m/%Y, or s, ms, us, ns; empty: recognised"},
      {"list_separator", &list_separator, "text between categories in a cell; empty: recognised"},
      {"encoding", &encoding, "encoding of the files, as iconv names it; empty: UTF-8"},
      {"bad_rows",
       &bad_rows,
       "a row that cannot be read: stop, or leave it out and count",
       {"error", "skip"}},
      {"bad_rows_share", &bad_rows_share, "with bad_rows = skip, stop if more than this share is bad",
       within(0, 1)},
      {"object", &object, "rda: the data frame's name in the file; empty: the only one"},
  };
}

CsvColumns ImportOptions::columns() const {
  CsvColumns result;
  result.user = user_column;
  result.item = item_column;
  result.rating = rating_column;
  result.timestamp = timestamp_column;
  result.label = label_column;
  result.split = split_column;
  result.separator = separator == "tab" ? "\t" : separator == "space" ? " " : separator;
  result.header = header == "yes" ? Header::kYes : header == "no" ? Header::kNo : Header::kAuto;
  result.quote = quote;
  result.escape = escape;
  result.comment = comment;
  result.decimal = decimal;
  result.timestamp_format = timestamp_format;
  result.list_separator = list_separator;
  result.encoding = encoding;
  result.bad_rows = {bad_rows == "skip", bad_rows_share};
  return result;
}

}  // namespace hyperllm::importers
