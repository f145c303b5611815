#include "hyperllm/data/table.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "hyperllm/data/numbers.h"
#include "hyperllm/data/utf8.h"

namespace hyperllm::data {
namespace {

constexpr std::size_t kLongestRow = 16 << 20;
constexpr std::size_t kMostFields = 100'000;

// Whether `piece` ends inside of quotes; `inside`: it starts inside of them. A quote opens only at the start
// of a field, so that an inch mark in plain text stays text.
bool ends_inside_quotes(std::string_view piece, const std::string& separator, bool inside) {
  bool field_start = !inside;
  std::size_t i = 0;
  while (true) {
    if (inside) {
      i = piece.find('"', i);
      if (i == piece.npos) return true;
      const bool doubled = i + 1 < piece.size() && piece[i + 1] == '"';
      i += doubled ? 2 : 1;
      inside = doubled;
      field_start = false;
    } else if (field_start && i < piece.size() && piece[i] == '"') {
      inside = true;
      ++i;
    } else {
      i = piece.find(separator, i);
      if (i == piece.npos) return false;
      i += separator.size();
      field_start = true;
    }
  }
}

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 60;
  return "'" + std::string(text.substr(0, kMost)) + (text.size() > kMost ? "...'" : "'");
}

}  // namespace

bool TableReader::next() {
  std::string_view row;
  do {
    if (!lines_.next(row)) return false;
  } while (row.empty());
  line_ = lines_.line_number();
  fields_.clear();
  if (!format_.quotes || row.find('"') == row.npos) {
    split_plain(row);
    return true;
  }
  if (ends_inside_quotes(row, format_.separator, false)) {
    row_.assign(row);
    bool open = true;
    while (open) {
      std::string_view more;
      if (row_.size() > kLongestRow || !lines_.next(more))
        throw error("", "a quote that is opened here is never closed",
                    "Close it, or write a quote inside of a field as \"\".");
      open = ends_inside_quotes(more, format_.separator, true);
      row_.append("\n").append(more);
    }
    row = row_;
  }
  split_quoted(row);
  return true;
}

void TableReader::add_field(std::string_view field) {
  if (fields_.size() == kMostFields)
    throw error("", "the row has more than " + std::to_string(kMostFields) + " fields",
                "Check the separator and the line ends, or leave out columns.");
  fields_.push_back(field);
}

void TableReader::split_plain(std::string_view row) {
  const std::string& separator = format_.separator;
  while (true) {
    const std::size_t at = separator.size() == 1 ? row.find(separator[0]) : row.find(separator);
    add_field(row.substr(0, at));
    if (at == row.npos) return;
    row.remove_prefix(at + separator.size());
  }
}

void TableReader::split_quoted(std::string_view row) {
  scratch_.clear();
  scratch_.reserve(row.size());  // views into it stay good: it never grows past the row
  while (true) {
    std::size_t end = 0;
    if (!row.empty() && row[0] == '"') {
      const std::size_t start = scratch_.size();
      std::size_t i = 1;
      for (; i < row.size(); ++i) {
        if (row[i] == '"') {
          if (i + 1 >= row.size() || row[i + 1] != '"') break;
          ++i;
        }
        scratch_.push_back(row[i]);
      }
      end = i + 1;
      if (i >= row.size() ||
          (end < row.size() && row.substr(end, format_.separator.size()) != format_.separator))
        throw error("", "text after the closing quote of field " + std::to_string(fields_.size() + 1),
                    "Write a quote inside of a field as \"\".");
      add_field({scratch_.data() + start, scratch_.size() - start});
      end = std::min(end, row.size());
    } else {
      end = std::min(row.find(format_.separator), row.size());
      add_field(row.substr(0, end));
    }
    if (end == row.size()) return;
    row.remove_prefix(end + format_.separator.size());
  }
}

void TableReader::expect_fields(std::size_t count) const {
  if (fields_.size() == count) return;
  throw error("", std::to_string(fields_.size()) + " fields where " + std::to_string(count) + " are expected",
              fields_.size() < count
                  ? "Fill in the missing fields, or check the separator."
                  : "Put fields that hold the separator in quotes, or check the separator.");
}

double TableReader::number(std::size_t column, std::string_view name) const {
  const std::string_view text = fields_[column];
  const auto value = to_number(text);
  if (!value) throw error(name, shown(text) + " is not a number", "Give a number such as 4 or 3.5.");
  if (!std::isfinite(*value)) throw error(name, shown(text) + " is not finite", "Correct or remove the row.");
  return *value;
}

double TableReader::timestamp(std::size_t column, std::string_view name) const {
  const std::string_view text = fields_[column];
  const auto value = to_timestamp(text);
  if (!value)
    throw error(name, shown(text) + " is not a point in time",
                "Give seconds or milliseconds since 1970, or a date such as 2023-04-30T17:05:09Z.");
  if (!std::isfinite(*value)) throw error(name, shown(text) + " is not finite", "Correct or remove the row.");
  return *value;
}

std::string_view TableReader::id(std::size_t column, std::string_view name) const {
  const std::string_view text = trimmed(fields_[column]);
  if (text.empty()) throw error(name, "it is empty", "Give an id, or remove the row.");
  if (text.find_first_of("\t\r\n") != text.npos)
    throw error(name, "the id holds a tab or a line end", "Replace it in the source.");
  if (!is_utf8(text))
    throw error(name, "the id is not UTF-8", "Convert the file, for example with iconv -t UTF-8.");
  return text;
}

Error TableReader::error(std::string_view field, std::string_view problem, std::string_view remedy) const {
  return data_error(lines_.path().string(), line_, field, problem, remedy);
}

}  // namespace hyperllm::data
