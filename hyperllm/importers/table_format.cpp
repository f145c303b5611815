#include <algorithm>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/importers/csv.h"

namespace hyperllm::importers {
namespace {

namespace fs = std::filesystem;

constexpr int kFirstLines = 500;

std::size_t count(std::string_view line, std::string_view separator) {
  std::size_t found = 0;
  for (std::size_t at = line.find(separator); at != line.npos;
       at = line.find(separator, at + separator.size()))
    ++found;
  return found;
}

// The separator that stands most often in the line, else blanks where there are some, else a comma.
std::string separator_of(std::string_view line) {
  std::string best = ",";
  for (const char* separator : {"\t", ";", "|", "::", "\x01"})
    if (count(line, separator) > count(line, best)) best = separator;
  const std::size_t blank = line.find(' ');
  return count(line, best) == 0 && blank != line.npos && line[0] != '"' ? " " : best;
}

// Whether a backslash stands before quotes inside of fields: `\"` with text behind it.
bool escapes(std::string_view line, std::string_view separator) {
  for (std::size_t at = line.find("\\\""); at != line.npos; at = line.find("\\\"", at + 2)) {
    const bool escaped = at > 0 && line[at - 1] == '\\';
    const std::string_view rest = line.substr(at + 2);
    if (!escaped && !rest.empty() && rest[0] != '"' && !rest.starts_with(separator)) return true;
    if (!escaped && rest.starts_with("\"" + std::string(separator))) return true;
  }
  return false;
}

// 'user','item','rating'
bool in_single_quotes(std::string_view line, const std::string& separator) {
  int fields = 0;
  while (true) {
    const std::size_t end = std::min(line.find(separator), line.size());
    const std::string_view field = data::trimmed(line.substr(0, end));
    if (field.size() < 2 || field.front() != '\'' || field.back() != '\'') return false;
    ++fields;
    if (end == line.size()) return fields > 1;
    line.remove_prefix(end + separator.size());
  }
}

char one_character(const std::string& option, const std::string& value) {
  HYPERLLM_CHECK(value.size() == 1, ErrorCode::kInvalidArgument,
                 option + ": '" + value + "' is not one character. Give one, or none.");
  return value[0];
}

}  // namespace

TableFormat table_format(const fs::path& path, const CsvColumns& columns) {
  TableFormat format;
  format.encoding = columns.encoding;
  format.comment = columns.comment;
  LineReader lines(path, columns.encoding);
  std::string_view line;
  std::string separator = columns.separator;
  bool first = true, matrix_market = false;
  for (int read = 0; read < kFirstLines && lines.next(line); ++read) {
    if (line.find_first_not_of(' ') == line.npos) continue;
    if (!format.comment.empty() && line.starts_with(format.comment)) continue;
    if (first) {
      const bool comment =
          columns.comment.empty() && (line[0] == '%' || (line[0] == '#' && line.starts_with("# ")));
      if (line.starts_with("%%MatrixMarket")) {
        if (line.find("coordinate") == line.npos)
          throw data_error(path.string(), lines.line_number(), "", "a Matrix Market file of a dense matrix",
                           "Write it in coordinate form: a line for each entry.");
        matrix_market = true;
      }
      const bool excel = (line.starts_with("sep=") || line.starts_with("SEP=")) && line.size() >= 5;
      if (excel && separator.empty()) separator = line.substr(4);
      if (comment || excel) {
        format.skip_lines = lines.line_number();
        continue;
      }
      if (std::exchange(matrix_market, false)) {  // rows, columns, entries
        format.skip_lines = lines.line_number();
        continue;
      }
      if (line[0] == '{' && data::trimmed(line).ends_with('}'))
        throw data_error(path.string(), lines.line_number(), "", "this is JSON by line, not a table",
                         "Leave the format out, or give format = jsonl.");
      if (separator.empty()) separator = separator_of(line);
      if (columns.quote.empty() && in_single_quotes(line, separator)) format.quote = '\'';
      first = false;
    }
    if (columns.escape.empty() && !format.escape && escapes(line, separator)) format.escape = '\\';
  }
  format.separator = separator.empty() ? "," : separator;
  format.quotes = columns.quotes && columns.quote != "none" && format.separator != "::";
  if (!columns.quote.empty() && columns.quote != "none") format.quote = one_character("quote", columns.quote);
  if (!columns.escape.empty() && columns.escape != "none")
    format.escape = one_character("escape", columns.escape);
  return format;
}

}  // namespace hyperllm::importers
