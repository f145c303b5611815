#include "hyperllm/data/inter.h"

#include <cmath>
#include <limits>

#include "hyperllm/base/error.h"
#include "hyperllm/data/numbers.h"

namespace hyperllm::data {

InterReader::InterReader(const std::filesystem::path& path) : table_(path, TableFormat{}) { read_header(); }

void InterReader::read_header() {
  constexpr const char* kRemedy =
      "The first line must be like user_id:token<tab>item_id:token<tab>rating:float<tab>timestamp:float.";
  if (!table_.next()) throw data_error(table_.lines().path().string(), 0, "", "the file is empty", kRemedy);
  columns_ = table_.fields().size();
  for (std::size_t i = 0; i < columns_; ++i) {
    const std::string_view field = table_.fields()[i];
    const std::string_view name = field.substr(0, field.find(':'));
    int* const column = name == "user_id"     ? &user_
                        : name == "item_id"   ? &item_
                        : name == "rating"    ? &rating_
                        : name == "timestamp" ? &timestamp_
                                              : nullptr;
    if (!column) continue;
    if (field.find(':') == field.npos) throw table_.error(name, "the header gives no type", kRemedy);
    if (*column >= 0) throw table_.error(name, "the header names this column twice", kRemedy);
    *column = static_cast<int>(i);
  }
  if (user_ < 0) throw table_.error("user_id", "the header has no such column", kRemedy);
  if (item_ < 0) throw table_.error("item_id", "the header has no such column", kRemedy);
}

bool InterReader::next(InterRow& row) {
  if (!table_.next()) return false;
  table_.expect_fields(columns_);
  row.user = table_.exact_id(user_, "user_id");
  row.item = table_.exact_id(item_, "item_id");
  if (rating_ >= 0) {
    row.rating = static_cast<float>(table_.number(rating_, "rating"));
    if (!std::isfinite(row.rating))
      throw table_.error("rating", "the value does not fit a 32-bit float", "Correct or remove the row.");
  }
  if (timestamp_ >= 0) row.timestamp = table_.number(timestamp_, "timestamp");
  return true;
}

InterWriter::InterWriter(AtomicFile& file) : file_(file) {
  file_.write("user_id:token\titem_id:token\trating:float\ttimestamp:float\n");
}

void InterWriter::write(const InterRow& row) {
  line_.assign(row.user).append("\t").append(row.item).append("\t");
  append_number(line_, row.rating);
  line_ += '\t';
  append_number(line_, row.timestamp);
  line_ += '\n';
  file_.write(line_);
}

}  // namespace hyperllm::data
