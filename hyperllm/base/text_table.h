// Tables of text cells as text, Markdown, LaTeX, CSV and TSV.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hyperllm {

enum class TableStyle { kText, kMarkdown, kLatex, kCsv, kTsv };

// "text", "markdown", "latex", "csv", "tsv", in the order of the enum.
const std::vector<std::string>& table_style_names();
TableStyle table_style(std::string_view name);  // throws kInvalidArgument with the nearest name
// CSV and TSV are for programs: numbers in full precision, no marks.
inline bool is_exact(TableStyle style) { return style == TableStyle::kCsv || style == TableStyle::kTsv; }

struct TableCell {
  TableCell(std::string cell_text, bool cell_best = false) : text(std::move(cell_text)), best(cell_best) {}
  TableCell(const char* cell_text) : text(cell_text) {}

  std::string text;   // UTF-8
  bool best = false;  // marked: * in text, bold in Markdown and LaTeX, not at all in CSV and TSV
};

struct TextTable {
  std::vector<std::string> header;
  std::vector<std::vector<TableCell>> rows;  // each of header's size
  std::size_t left = 1;                      // so many columns to the left, all others to the right
  bool rule = true;                          // text: a line under the header
};

// LaTeX: a tabular with the rules of the package booktabs; what LaTeX would read as a command is escaped. CSV
// is RFC 4180. TSV is written as it stands: cells hold no tab and no line end.
std::string format_table(const TextTable& table, TableStyle style);

// "10,553" for people, "10553" for programs.
std::string count_text(std::int64_t value, TableStyle style);
// Fixed digits after the point.
std::string fixed(double value, std::int64_t digits);

}  // namespace hyperllm
