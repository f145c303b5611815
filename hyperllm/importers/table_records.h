// Rows of a table as Records.
#pragma once

#include <filesystem>

#include "hyperllm/importers/records.h"

namespace hyperllm::importers {

class TableRecords : public Records {
 public:
  // Throws kIo.
  TableRecords(const std::filesystem::path& path, const TableFormat& format) : table_(path, format) {}
  bool next() override { return table_.next(); }
  const std::vector<std::string_view>& fields() const override { return table_.fields(); }
  bool quoted(std::size_t column) const override { return table_.quoted(column); }
  std::int64_t line() const override { return table_.line(); }
  const LineReader& lines() const override { return table_.lines(); }
  const TableReader& table() const { return table_; }

 private:
  TableReader table_;
};

// Calls row() for each of the rows that are left, as rows of an item file.
template <typename Row>
void read_item_rows(TableRecords& records, const Context& context, ItemCollector& items, const Row& row) {
  ReadMeter meter(context, records.lines());
  while (next_row(records, items.bad(), row)) meter.row();
}

}  // namespace hyperllm::importers
