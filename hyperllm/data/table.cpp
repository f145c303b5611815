#include "hyperllm/data/table.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "hyperllm/data/numbers.h"
#include "hyperllm/data/times.h"
#include "hyperllm/data/utf8.h"

namespace hyperllm::data {
namespace {

constexpr std::size_t kLongestRow = 16 << 20;
constexpr std::size_t kMostFields = 100'000;

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 60;
  return "'" + std::string(text.substr(0, kMost)) + (text.size() > kMost ? "...'" : "'");
}

}  // namespace

// Whether `piece` ends inside of quotes; `inside`: it starts inside of them. A quote opens only at the start
// of a field, so that an inch mark in plain text stays text.
bool TableReader::ends_inside_quotes(std::string_view piece, bool inside) const {
  bool field_start = !inside;
  std::size_t i = 0;
  while (true) {
    if (inside) {
      i = format_.escape ? piece.find_first_of(std::string{format_.quote, format_.escape}, i)
                         : piece.find(format_.quote, i);
      if (i == piece.npos) return true;
      const bool pair = piece[i] != format_.quote || (i + 1 < piece.size() && piece[i + 1] == format_.quote);
      i += pair ? 2 : 1;
      inside = pair;
      field_start = false;
      if (i >= piece.size() && inside) return true;
    } else {
      if (field_start)
        while (i < piece.size() && piece[i] == ' ' && format_.separator != " ") ++i;
      if (field_start && i < piece.size() && piece[i] == format_.quote) {
        inside = true;
        ++i;
        continue;
      }
      i = piece.find(format_.separator, i);
      if (i == piece.npos) return false;
      i += format_.separator.size();
      field_start = true;
    }
  }
}

bool TableReader::next() {
  std::string_view row;
  do {
    if (!lines_.next(row)) return false;
  } while (row.empty() || (row[0] == ' ' && row.find_first_not_of(' ') == row.npos) ||
           (!format_.comment.empty() && row.starts_with(format_.comment)) ||
           lines_.line_number() <= format_.skip_lines);
  line_ = lines_.line_number();
  fields_.clear();
  if (!quoted_.empty()) quoted_.clear();
  if (!format_.quotes || row.find(format_.quote) == row.npos) {
    if (format_.separator == " ")
      split_blanks(row);
    else
      split_plain(row);
    return true;
  }
  if (ends_inside_quotes(row, false)) {
    row_.assign(row);
    bool open = true;
    while (open) {
      std::string_view more;
      if (row_.size() > kLongestRow || !lines_.next(more))
        throw error("", "a quote that is opened here is never closed",
                    "Close it, write a quote inside of a field as \"\", or give quote = none if quotes mean "
                    "nothing in this file.");
      open = ends_inside_quotes(more, true);
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

void TableReader::split_blanks(std::string_view row) {
  for (row = trimmed(row); !row.empty();) {
    const std::size_t end = std::min(row.find_first_of(" \t"), row.size());
    add_field(row.substr(0, end));
    row.remove_prefix(end);
    row.remove_prefix(std::min(row.find_first_not_of(" \t"), row.size()));
  }
}

void TableReader::split_quoted(std::string_view row) {
  const std::string& separator = format_.separator;
  const bool blanks = separator == " ";
  scratch_.clear();
  scratch_.reserve(row.size());  // views into it stay good: it never grows past the row
  if (blanks) row = trimmed(row);
  while (true) {
    std::size_t end = 0, start_at = 0;
    if (!blanks)
      while (start_at < row.size() && row[start_at] == ' ') ++start_at;
    if (start_at < row.size() && row[start_at] == format_.quote) {
      const std::size_t start = scratch_.size();
      std::size_t i = start_at + 1;
      for (; i < row.size(); ++i) {
        const char next = i + 1 < row.size() ? row[i + 1] : '\0';
        if (format_.escape && row[i] == format_.escape && (next == format_.quote || next == format_.escape)) {
          ++i;
        } else if (row[i] == format_.quote) {
          if (next != format_.quote) break;
          ++i;
        }
        scratch_.push_back(row[i]);
      }
      end = i + 1;
      if (!blanks)
        while (end < row.size() && row[end] == ' ' && separator[0] != ' ') ++end;
      if (i >= row.size() || (end < row.size() && row.substr(end, separator.size()) != separator))
        throw error(
            "", "text after the closing quote of field " + std::to_string(fields_.size() + 1),
            "Write a quote inside of a field as \"\", give escape = \\ if a backslash stands before it, or "
            "quote = none if quotes mean nothing in this file.");
      quoted_.resize(fields_.size() + 1);
      quoted_.back() = true;
      add_field({scratch_.data() + start, scratch_.size() - start});
      end = std::min(end, row.size());
    } else {
      end = std::min(row.find(separator), row.size());
      add_field(row.substr(0, end));
    }
    if (end == row.size()) return;
    row.remove_prefix(end + separator.size());
    if (blanks) row.remove_prefix(std::min(row.find_first_not_of(' '), row.size()));
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
  return checked_id(quoted(column) ? fields_[column] : trimmed(fields_[column]), name);
}

std::string_view TableReader::exact_id(std::size_t column, std::string_view name) const {
  return checked_id(fields_[column], name);
}

std::string_view TableReader::checked_id(std::string_view text, std::string_view name) const {
  if (trimmed(text).empty()) throw error(name, "it is empty", "Give an id, or remove the row.");
  if (text.find_first_of("\t\r\n") != text.npos)
    throw error(name, "the id holds a tab or a line end", "Replace it in the source.");
  if (!is_utf8(text))
    throw error(name, "the id is not UTF-8",
                "Give the file's encoding, for example encoding = windows-1252 (or convert it with iconv -f "
                "WINDOWS-1252 -t UTF-8).");
  return text;
}

Error TableReader::error(std::string_view field, std::string_view problem, std::string_view remedy) const {
  return data_error(lines_.path().string(), line_, field, problem, remedy);
}

}  // namespace hyperllm::data
