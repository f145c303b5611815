// What importers hand over: interactions as they stand in the source, and texts of the items that are wanted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/ids.h"
#include "hyperllm/data/lines.h"
#include "hyperllm/data/splits.h"
#include "hyperllm/data/table.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/data/texts.h"
#include "hyperllm/importers/report.h"

namespace hyperllm::importers {

using data::IdTable;
using data::Interactions;
using data::ItemText;
using data::LineReader;
using data::Part;
using data::Parts;
using data::TableFormat;
using data::TableReader;

// Numbers only, about 30 bytes a row: the text of the source is never held.
struct RawInteractions {
  IdTable users, items;  // numbered by first appearance
  Interactions rows;
  std::vector<std::uint32_t> line;  // of each row in its file
  Parts parts;                      // the source's own split; empty if it has none
  bool has_rating = false;
  bool has_timestamp = false;
  std::vector<std::filesystem::path> files;  // read, in order
  std::vector<std::int64_t> first_row;       // of each file
  std::vector<FileReport> reports;           // of each file

  // The report of the file that follows; good until the next call.
  FileReport& begin_file(const std::filesystem::path& path);
  void add(std::string_view user, std::string_view item, float rating, double timestamp,
           std::int64_t file_line);
  // "ratings.csv:17" of a row.
  std::string place(std::int64_t row) const;
};

// Texts of the wanted items; what the catalogue says of others is dropped while reading.
class ItemCollector {
 public:
  explicit ItemCollector(const std::vector<std::string>& wanted, const BadRowRule& rule = {});
  ItemCollector(const ItemCollector&) = delete;
  ItemCollector& operator=(const ItemCollector&) = delete;

  // The report of the file that follows.
  FileReport& begin_file(const std::filesystem::path& path, const char* format);
  // One row of the file, read by `read`; see BadRows::row.
  template <typename Read>
  void row(const Read& read) {
    bad_.row(read);
  }
  BadRows& bad() { return bad_; }
  // Whether interactions name the item; 17.0 is wanted where 17 is.
  bool wants(std::string_view id) const { return row_of(id) >= 0; }
  // The first text of an id counts; later ones are only counted.
  void put(ItemText item);
  std::int64_t repeated() const { return repeated_; }
  // A text of the source as UTF-8; what is not is read as Windows-1252 and counted.
  std::string text(std::string_view text, std::int64_t line);
  // Broken characters that were replaced while reading: half of a surrogate pair, for example.
  void replaced(std::int64_t count, std::int64_t line);
  // Throws kInvalidData if texts that are not UTF-8 do not look like Windows-1252 either, or too many rows were
  // bad; warns of what was counted.
  void finish(const std::filesystem::path& path, const Context& context) const;
  const FileReport& report() const { return report_; }
  // One entry per wanted item, in that order; an item that the source did not name has only its id.
  std::vector<ItemText> take() &&;

 private:
  std::int32_t row_of(std::string_view id) const;
  IdTable rows_;
  std::vector<ItemText> texts_;
  std::vector<bool> known_;
  BadRowRule rule_;
  FileReport report_;
  BadRows bad_{rule_, report_};
  std::int64_t repeated_ = 0;
  std::int64_t converted_ = 0, converted_line_ = 0, replaced_ = 0, replaced_line_ = 0;
  std::int64_t single_ = 0, runs_ = 0;  // bytes above ASCII that stand alone, and those that do not
};

// Progress of one file by bytes, with the number of rows as its note; looks for Ctrl-C now and then.
class ReadMeter {
 public:
  ReadMeter(const Context& context, const LineReader& lines);
  ~ReadMeter();
  ReadMeter(const ReadMeter&) = delete;
  ReadMeter& operator=(const ReadMeter&) = delete;
  void row();

 private:
  const Context& context_;
  const LineReader& lines_;
  Progress progress_;
  std::int64_t rows_ = 0;
};

}  // namespace hyperllm::importers
