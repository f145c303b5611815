// RecBole's atomic interaction file, streamed: tab-separated, header `user_id:token	item_id:token
// rating:float timestamp:float`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "hyperllm/base/files.h"
#include "hyperllm/data/table.h"

namespace hyperllm::data {

struct InterRow {
  std::string_view user;
  std::string_view item;
  float rating = 1;      // 1 where the file has no such column
  double timestamp = 0;  // 0 where the file has no such column
};

class InterReader {
 public:
  // Reads the header. Columns may stand in any order; user_id and item_id must be there, others than the four
  // are skipped. Throws kIo, kInvalidData.
  explicit InterReader(const std::filesystem::path& path);

  // The next row, whose views are good until the next call; false at the end. Throws kInvalidData: wrong
  // number of fields, an empty id, text or a non-finite value where a number belongs.
  bool next(InterRow& row);

  bool has_rating() const { return rating_ >= 0; }
  bool has_timestamp() const { return timestamp_ >= 0; }
  const TableReader& table() const { return table_; }

 private:
  void read_header();
  TableReader table_;
  std::size_t columns_ = 0;
  int user_ = -1, item_ = -1, rating_ = -1, timestamp_ = -1;
};

// Writes such a file.
class InterWriter {
 public:
  explicit InterWriter(AtomicFile& file);
  void write(const InterRow& row);

 private:
  AtomicFile& file_;
  std::string line_;
};

}  // namespace hyperllm::data
