// Rows of separated fields, streamed: CSV with quotes, TSV, MovieLens' "::".
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/base/error.h"
#include "hyperllm/data/lines.h"

namespace hyperllm::data {

struct TableFormat {
  std::string separator = "\t";  // a blank: any run of blanks and tabs
  // Fields may be in double quotes (RFC 4180): "" stands for a quote; separators and line ends inside are
  // text. Blanks around the quotes are dropped.
  bool quotes = false;
  char quote = '"';
  char escape = 0;              // stands before a quote inside of quotes, and before itself; 0: nothing does
  std::string comment;          // lines that begin with it are skipped; empty: none
  std::int64_t skip_lines = 0;  // at the start of the file
  std::string encoding;         // see open_bytes
};

class TableReader {
 public:
  // Throws kIo.
  TableReader(const std::filesystem::path& path, TableFormat format)
      : lines_(path, format.encoding), format_(std::move(format)) {}

  // The next row; empty lines and lines of blanks are skipped; false at the end. Throws as LineReader::next, and kInvalidData for
  // a quote that is never closed and for more than 100,000 fields.
  bool next();
  // Fields of the row, good until next().
  const std::vector<std::string_view>& fields() const { return fields_; }
  std::int64_t line() const { return line_; }  // on which the row starts, from 1
  // Whether the field stood in quotes: blanks at its ends belong to it.
  bool quoted(std::size_t column) const { return column < quoted_.size() && quoted_[column]; }

  // Throws kInvalidData unless the row has `count` fields.
  void expect_fields(std::size_t count) const;
  // The field as a finite number; throws kInvalidData naming the field.
  double number(std::size_t column, std::string_view name) const;
  // The field as a point in time (see to_timestamp); throws as number().
  double timestamp(std::size_t column, std::string_view name) const;
  // The field as an id: not empty, valid UTF-8, no tab or line end inside. Throws kInvalidData naming the
  // field. Blanks at its ends are dropped unless it stood in quotes.
  std::string_view id(std::size_t column, std::string_view name) const;
  // The same with its blanks, as in files of our own.
  std::string_view exact_id(std::size_t column, std::string_view name) const;

  Error error(std::string_view field, std::string_view problem, std::string_view remedy) const;
  const LineReader& lines() const { return lines_; }

 private:
  std::string_view checked_id(std::string_view text, std::string_view name) const;
  void add_field(std::string_view field);
  void split_plain(std::string_view row);
  void split_blanks(std::string_view row);
  void split_quoted(std::string_view row);
  bool ends_inside_quotes(std::string_view piece, bool inside) const;
  LineReader lines_;
  TableFormat format_;
  std::int64_t line_ = 0;
  std::string row_;      // a quoted row, when it spans several lines
  std::string scratch_;  // unquoted text of the row's quoted fields
  std::vector<std::string_view> fields_;
  std::vector<bool> quoted_;  // of the row's fields; empty if none is
};

}  // namespace hyperllm::data
