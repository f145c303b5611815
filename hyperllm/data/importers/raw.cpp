#include "hyperllm/data/importers/raw.h"

#include <algorithm>
#include <utility>

namespace hyperllm::data::importers {

void RawInteractions::begin_file(const std::filesystem::path& path) {
  files.push_back(path);
  first_row.push_back(rows.size());
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

ItemCollector::ItemCollector(const std::vector<std::string>& wanted)
    : texts_(wanted.size()), known_(wanted.size()) {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    rows_.add(wanted[i]);
    texts_[i].id = wanted[i];
  }
}

void ItemCollector::put(ItemText item) {
  const std::int32_t row = rows_.find(item.id);
  if (row < 0) return;
  if (known_[row]) {
    ++repeated_;
    return;
  }
  known_[row] = true;
  texts_[row] = std::move(item);
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

}  // namespace hyperllm::data::importers
