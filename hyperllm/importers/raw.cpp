#include "hyperllm/importers/raw.h"

#include <algorithm>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/data/utf8.h"
#include "hyperllm/importers/sample.h"

namespace hyperllm::importers {

FileReport& RawInteractions::begin_file(const std::filesystem::path& path) {
  files.push_back(path);
  first_row.push_back(rows.size());
  reports.emplace_back().path = path;
  return reports.back();
}

void RawInteractions::add(std::string_view user, std::string_view item, float rating, double timestamp,
                          std::int64_t file_line) {
  rows.user.push_back(users.add(user));
  rows.item.push_back(items.add(item));
  rows.rating.push_back(rating);
  rows.timestamp.push_back(timestamp);
  line.push_back(static_cast<std::uint32_t>(file_line));
}

std::string RawInteractions::place(std::int64_t row) const {
  const auto file = std::upper_bound(first_row.begin(), first_row.end(), row) - first_row.begin() - 1;
  return files.at(file).string() + ":" + std::to_string(line.at(row));
}

ItemCollector::ItemCollector(const std::vector<std::string>& wanted, const BadRowRule& rule)
    : texts_(wanted.size()), known_(wanted.size()), rule_(rule) {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    rows_.add(wanted[i]);
    texts_[i].id = wanted[i];
  }
}

FileReport& ItemCollector::begin_file(const std::filesystem::path& path, const char* format) {
  report_.path = path;
  report_.format = format;
  return report_;
}

std::int32_t ItemCollector::row_of(std::string_view id) const {
  const std::int32_t row = rows_.find(id);
  return row >= 0 ? row : rows_.find(without_fraction(id));
}

void ItemCollector::put(ItemText item) {
  const std::int32_t row = row_of(item.id);
  if (row < 0) return;
  if (known_[row]) {
    ++repeated_;
    return;
  }
  known_[row] = true;
  item.id = texts_[row].id;
  texts_[row] = std::move(item);
}

std::string ItemCollector::text(std::string_view text, std::int64_t line) {
  if (data::is_utf8(text)) return std::string(text);
  if (converted_++ == 0) converted_line_ = line;
  const auto high = [&](std::size_t i) {
    return i < text.size() && static_cast<unsigned char>(text[i]) >= 0x80;
  };
  for (std::size_t i = 0; i < text.size(); ++i)
    if (high(i)) ++(high(i + 1) || (i > 0 && high(i - 1)) ? runs_ : single_);
  return data::to_utf8(text);
}

void ItemCollector::replaced(std::int64_t count, std::int64_t line) {
  if (count > 0 && replaced_ == 0) replaced_line_ = line;
  replaced_ += count;
}

void ItemCollector::finish(const std::filesystem::path& path, const Context& context) const {
  bad_.check();
  if (runs_ > 2 * single_)  // letters beyond ASCII stand alone in Western texts
    throw data_error(
        path.string(), converted_line_, "",
        std::to_string(converted_) + " texts are not UTF-8, and hardly Western either",
        "Give their encoding, for example encoding = gb18030 (Chinese), shift_jis, euc-kr, big5 or "
        "windows-1251 (Russian); windows-1252 reads them as they are.");
  if (converted_ > 0)
    context.warn(
        path.string() + ":" + std::to_string(converted_line_) + ": " + std::to_string(converted_) +
        " texts are not UTF-8, this is the first; they were read as Windows-1252. If that is wrong, give "
        "their encoding, for example encoding = gb18030.");
  if (replaced_ > 0)
    context.warn(path.string() + ":" + std::to_string(replaced_line_) + ": " + std::to_string(replaced_) +
                 " broken characters became U+FFFD; this is the first.");
  if (repeated_ > 0)
    context.warn(path.string() + ": " + std::to_string(repeated_) +
                 " lines repeat an item; the first of each item counts.");
}

std::vector<ItemText> ItemCollector::take() && { return std::move(texts_); }

ReadMeter::ReadMeter(const Context& context, const LineReader& lines)
    : context_(context),
      lines_(lines),
      progress_(context, "read " + lines.path().filename().string() + " (bytes)", lines.bytes_total()) {}

ReadMeter::~ReadMeter() {
  try {
    progress_.advance(lines_.bytes_done() - progress_.done(), std::to_string(rows_) + " rows");
  } catch (...) {  // a sink's failure must not hide the error that is unwinding
  }
}

void ReadMeter::row() {
  constexpr std::int64_t kRows = 1 << 14;
  if (++rows_ % kRows != 0) return;
  context_.check_stop("prepare");
  progress_.advance(lines_.bytes_done() - progress_.done(), std::to_string(rows_) + " rows");
}

}  // namespace hyperllm::importers
