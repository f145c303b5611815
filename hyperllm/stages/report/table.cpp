#include "hyperllm/stages/report/table.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace hyperllm::stages::report {
namespace {

// Code points, which is columns for all that a run's name is likely to hold.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string padded(const std::string& cell, std::size_t width, bool left) {
  const std::string space(width - width_of(cell), ' ');
  return left ? cell + space : space + cell;
}

std::string joined(const std::vector<std::string>& cells, const char* separator) {
  std::string line;
  for (std::size_t c = 0; c < cells.size(); ++c) line += (c ? separator : "") + cells[c];
  return line;
}

std::string line_of(const std::vector<std::string>& row, const std::vector<std::size_t>& widths,
                    Format format) {
  std::vector<std::string> cells;
  for (std::size_t c = 0; c < row.size(); ++c) cells.push_back(padded(row[c], widths[c], c == 0));
  if (format == Format::kMarkdown) return "| " + joined(cells, " | ") + " |\n";
  std::string line = joined(cells, "  ");
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string rule_of(const std::vector<std::size_t>& widths, Format format) {
  std::vector<std::string> cells;
  for (std::size_t c = 0; c < widths.size(); ++c) {
    cells.emplace_back(widths[c], '-');
    if (format == Format::kMarkdown && c > 0) cells.back().back() = ':';
  }
  return format == Format::kMarkdown ? "| " + joined(cells, " | ") + " |\n" : joined(cells, "  ") + "\n";
}

}  // namespace

Format format_by_name(const std::string& name) {
  return name == "markdown" ? Format::kMarkdown : name == "tsv" ? Format::kTsv : Format::kText;
}

std::string format_table(const Table& table, Format format) {
  std::string text;
  if (format == Format::kTsv) {
    text = joined(table.header, "\t") + "\n";
    for (const auto& row : table.rows) text += joined(row, "\t") + "\n";
    return text;
  }
  std::vector<std::size_t> widths;
  for (const std::string& name : table.header) widths.push_back(std::max<std::size_t>(width_of(name), 3));
  for (const auto& row : table.rows)
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width_of(row[c]));
  text = line_of(table.header, widths, format) + rule_of(widths, format);
  for (const auto& row : table.rows) text += line_of(row, widths, format);
  return text;
}

std::string fixed(double value, std::int64_t digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", static_cast<int>(digits), value);
  return text;
}

std::string exact(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

std::string p_text(double p) {
  if (p < 1e-10) return "<1e-10";
  char text[32];
  std::snprintf(text, sizeof text, "%.2g", p);
  return text;
}

}  // namespace hyperllm::stages::report
