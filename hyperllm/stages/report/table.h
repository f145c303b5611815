// Tables of text cells in three formats.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hyperllm::stages::report {

enum class Format { kText, kMarkdown, kTsv };
Format format_by_name(const std::string& name);  // one of the options' choices

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // each of header's size
};

// Text and markdown: the first column to the left, all others to the right.
std::string format_table(const Table& table, Format format);

// Fixed digits after the point.
std::string fixed(double value, std::int64_t digits);
// The shortest text that reads back to the same value.
std::string exact(double value);
// A p value: two significant digits, "<1e-10" below that.
std::string p_text(double p);

}  // namespace hyperllm::stages::report
