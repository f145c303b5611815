#include "hyperllm/base/text_table.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "hyperllm/base/error.h"

namespace hyperllm {
namespace {

using Lines = std::vector<std::vector<std::string>>;

// Code points, which is columns for all that a table is likely to hold.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string joined(const std::vector<std::string>& cells, const char* separator) {
  std::string line;
  for (std::size_t c = 0; c < cells.size(); ++c) line += (c ? separator : "") + cells[c];
  return line;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += by.size())
    text.replace(at, what.size(), by);
}

std::string for_latex(const std::string& text) {
  if (text == "-") return "--";
  std::string result;
  for (const char letter : text) {
    if (letter == '\\')
      result += "\\textbackslash{}";
    else if (letter == '~' || letter == '^')
      result += std::string("\\") + letter + "{}";
    else if (letter == '<' || letter == '>')
      result += std::string("$") + letter + "$";
    else
      result += std::string(std::string_view("&%$#_{}").find(letter) != std::string_view::npos ? "\\" : "") +
                letter;
  }
  replace_all(result, "\u00b1", "$\\pm$");
  return result;
}

std::string for_csv(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string result = text;
  replace_all(result, "\"", "\"\"");
  return "\"" + result + "\"";
}

std::string marked(const TableCell& cell, TableStyle style) {
  switch (style) {
    case TableStyle::kText:
      return cell.text;
    case TableStyle::kMarkdown:
      return cell.best ? "**" + cell.text + "**" : cell.text;
    case TableStyle::kLatex:
      return cell.best ? "\\textbf{" + for_latex(cell.text) + "}" : for_latex(cell.text);
    case TableStyle::kCsv:
      return for_csv(cell.text);
    case TableStyle::kTsv:
      break;
  }
  return cell.text;
}

// The header first.
Lines lines_of(const TextTable& table, TableStyle style) {
  Lines lines = {{}};
  for (const std::string& name : table.header) lines[0].push_back(marked(name, style));
  for (const auto& row : table.rows) {
    lines.emplace_back();
    for (const TableCell& cell : row) lines.back().push_back(marked(cell, style));
  }
  if (style != TableStyle::kText) return lines;
  for (std::size_t c = 0; c < table.header.size(); ++c) {
    const bool any =
        std::any_of(table.rows.begin(), table.rows.end(), [&](const auto& row) { return row[c].best; });
    // Digits stay under one another.
    for (std::size_t r = 0; any && r < table.rows.size(); ++r)
      lines[r + 1][c] += table.rows[r][c].best ? "*" : " ";
  }
  return lines;
}

std::string aligned(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths,
                    const TextTable& table, TableStyle style) {
  std::vector<std::string> padded;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    const std::string space(widths[c] - width_of(cells[c]), ' ');
    padded.push_back(c < table.left ? cells[c] + space : space + cells[c]);
  }
  if (style == TableStyle::kMarkdown) return "| " + joined(padded, " | ") + " |\n";
  std::string line = joined(padded, "  ");
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string rule_of(const std::vector<std::size_t>& widths, const TextTable& table, TableStyle style) {
  std::vector<std::string> cells;
  for (std::size_t c = 0; c < widths.size(); ++c) {
    cells.emplace_back(widths[c], '-');
    if (style == TableStyle::kMarkdown && c >= table.left) cells.back().back() = ':';
  }
  return style == TableStyle::kMarkdown ? "| " + joined(cells, " | ") + " |\n" : joined(cells, "  ") + "\n";
}

std::string for_people(const TextTable& table, const Lines& lines, TableStyle style) {
  std::vector<std::size_t> widths(table.header.size(), table.rule ? 3 : 0);
  for (const auto& line : lines)
    for (std::size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], width_of(line[c]));
  std::string text = aligned(lines[0], widths, table, style);
  if (table.rule || style == TableStyle::kMarkdown) text += rule_of(widths, table, style);
  for (std::size_t i = 1; i < lines.size(); ++i) text += aligned(lines[i], widths, table, style);
  return text;
}

std::string tabular(const TextTable& table, const Lines& lines) {
  std::string columns;
  for (std::size_t c = 0; c < table.header.size(); ++c) columns += c < table.left ? 'l' : 'r';
  std::string text = "\\begin{tabular}{" + columns + "}\n\\toprule\n";
  for (std::size_t i = 0; i < lines.size(); ++i)
    text += joined(lines[i], " & ") + " \\\\\n" + (i == 0 ? "\\midrule\n" : "");
  return text + "\\bottomrule\n\\end{tabular}\n";
}

}  // namespace

const std::vector<std::string>& table_style_names() {
  static const std::vector<std::string> names = {"text", "markdown", "latex", "csv", "tsv"};
  return names;
}

TableStyle table_style(std::string_view name) {
  const auto& names = table_style_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<TableStyle>(found - names.begin());
  const std::string near = nearest_word(name, names);
  throw Error(ErrorCode::kInvalidArgument, "unknown format '" + std::string(name) + "'; " +
                                               (near.empty() ? "give one of text, markdown, latex, csv, tsv"
                                                             : "did you mean '" + near + "'?"));
}

std::string format_table(const TextTable& table, TableStyle style) {
  const Lines lines = lines_of(table, style);
  if (style == TableStyle::kLatex) return tabular(table, lines);
  if (!is_exact(style)) return for_people(table, lines, style);
  std::string text;
  for (const auto& line : lines) text += joined(line, style == TableStyle::kCsv ? "," : "\t") + "\n";
  return text;
}

std::string count_text(std::int64_t value, TableStyle style) {
  std::string digits = std::to_string(value);
  const std::size_t first = digits[0] == '-' ? 1 : 0;
  for (std::size_t i = digits.size(); !is_exact(style) && i > first + 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string fixed(double value, std::int64_t digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", static_cast<int>(digits), value);
  return text;
}

}  // namespace hyperllm
