#include "hyperllm/importers/rdata.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/memory.h"
#include "hyperllm/importers/r_value.h"

namespace hyperllm::importers {
namespace {

using Path = std::filesystem::path;

constexpr std::int64_t kMostBytes = 4095 * kMiB;  // zlib counts in 32 bits
constexpr std::string_view kDamaged = "The file is damaged: fetch or write it again.";
constexpr std::string_view kRewrite =
    "In R: load(\"FILE\"); save(NAME, file = \"FILE\", compress = \"gzip\").";

// Everything that values are views of.
struct Storage {
  std::deque<std::string> documents;
  RArena arena;
};

// One run over a zlib or gzip stream; take(bytes) gets what comes out, piece by piece.
template <typename Take>
void inflate_each(std::string_view bytes, const Path& path, const Take& take) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 32) != Z_OK)
    throw Error(ErrorCode::kIo, path.string() + ": zlib cannot start (out of memory?).");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  std::string buffer(1 << 18, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int status = Z_OK;
  while (status == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    status = inflate(&stream, Z_NO_FLUSH);
    take(std::string_view(buffer).substr(0, buffer.size() - stream.avail_out));
  }
  if (status != Z_STREAM_END)
    throw data_error(path.string(), 0, "", "the compressed data is truncated or damaged", kDamaged);
}

// Inflates twice, first to measure: nothing is allocated for what is too much, and nothing grows by doubling.
std::string inflate_all(std::string_view bytes, const Path& path, RBudget& budget) {
  std::size_t size = 0;
  inflate_each(bytes, path, [&](std::string_view piece) {
    budget.take(piece.size(), 1);
    size += piece.size();
  });
  std::string output;
  output.reserve(size);
  inflate_each(bytes, path, [&](std::string_view piece) { output.append(piece); });
  return output;
}

std::string unpacked(std::string bytes, const Path& path, RBudget& budget) {
  if (bytes.starts_with("\x1f\x8b")) return inflate_all(bytes, path, budget);
  if (bytes.starts_with("BZh") || bytes.starts_with("\xfd"
                                                    "7zXZ"))
    throw data_error(path.string(), 0, "", "bzip2 and xz compression are not read", kRewrite);
  return bytes;
}

// index.rdx: list(variables = list(NAME = c(offset, length), ...), references = ..., compressed = 1).
RValue from_database(const Path& path, std::string_view object, RBudget& budget, Storage& storage,
                     std::vector<std::string>& names) {
  Path index_path = path;
  index_path.replace_extension(".rdx");
  const std::string packed = read_file(index_path, kMostBytes);
  RBudget index_budget(unpacked_limit(std::ssize(packed)), index_path);
  const std::string& document = storage.documents.emplace_back(unpacked(packed, index_path, index_budget));
  const RValue index = parse_r_value(document, index_path, index_budget, storage.arena);
  if (index->list.empty() || !index->list[0].attribute("names"))
    throw data_error(index_path.string(), 0, "", "not the index of an R lazy-load database", kDamaged);
  const RValue& variables = index->list[0];
  const auto& labels = (*variables.attribute("names"))->texts;
  for (std::size_t i = 0; i < labels.size() && i < variables->list.size(); ++i) {
    names.emplace_back(labels[i].value_or(""));
    if (names.back() != object) continue;
    const std::vector<double>& place = variables->list[i]->numbers;
    const std::string bytes = read_file(path, kMostBytes);
    const auto size = static_cast<double>(bytes.size());
    // Four bytes of unpacked length, then a zlib stream.
    if (place.size() != 2 || !(place[0] >= 0) || !(place[1] >= 4) || !(place[0] + place[1] <= size))
      throw data_error(path.string(), 0, names.back(), "its place in the index lies outside the file",
                       kDamaged);
    const auto record = std::string_view(bytes).substr(static_cast<std::size_t>(place[0]) + 4,
                                                       static_cast<std::size_t>(place[1]) - 4);
    const std::string& value = storage.documents.emplace_back(inflate_all(record, path, budget));
    return parse_r_value(value, path, budget, storage.arena);
  }
  return {};
}

RValue::Pairs from_stream(const Path& path, RBudget& budget, Storage& storage) {
  const std::string_view bytes =
      storage.documents.emplace_back(unpacked(read_file(path, kMostBytes), path, budget));
  if (bytes.starts_with("RDX2\n") || bytes.starts_with("RDX3\n"))
    return std::move(parse_r_value(bytes.substr(5), path, budget, storage.arena).own().pairs);
  RValue::Pairs named;
  named.emplace_back("", parse_r_value(bytes, path, budget, storage.arena));
  return named;
}

RValue find_object(const Path& path, std::string_view object, RBudget& budget, Storage& storage) {
  std::vector<std::string> names;
  if (path.extension() == ".rdb") {
    RValue value = from_database(path, object, budget, storage, names);
    if (value.kind != RValue::Kind::kNull) return value;
  } else {
    RValue::Pairs named = from_stream(path, budget, storage);
    for (auto& [name, value] : named) {
      names.emplace_back(name);
      if (name.empty() || name == object || (object.empty() && named.size() == 1)) return std::move(value);
    }
  }
  const std::string near = nearest_word(object, names);
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  throw data_error(path.string(), 0, "object", "no object called '" + std::string(object) + "'",
                   near.empty() ? "The file has: " + list + "." : "Did you mean '" + near + "'?");
}

// Labels of a factor's codes, which count from 1.
std::vector<RText> factor_texts(const std::vector<double>& codes, const std::vector<RText>& levels,
                                const std::string& name, const Path& path, RBudget& budget) {
  std::vector<RText> texts;
  budget.take(codes.size(), sizeof texts[0]);
  texts.reserve(codes.size());
  for (std::size_t row = 0; row < codes.size(); ++row) {
    const double code = codes[row];
    if (std::isnan(code)) {
      texts.emplace_back(std::nullopt);
    } else if (code >= 1 && code <= static_cast<double>(levels.size())) {
      texts.push_back(levels[static_cast<std::size_t>(code) - 1]);
    } else {
      throw data_error(path.string(), 0, name,
                       "row " + std::to_string(row + 1) + " has a factor code without a level", kDamaged);
    }
  }
  return texts;
}

RColumn make_column(std::string name, RValue& value, const Path& path, RBudget& budget) {
  RColumn column{std::move(name), {}, {}};
  if (value.kind == RValue::Kind::kTexts) {
    column.texts = std::move(value.own().texts);
  } else if (value.kind == RValue::Kind::kNumbers) {
    const RValue* levels = value.attribute("levels");
    if (levels)
      column.texts = factor_texts(value->numbers, (*levels)->texts, column.name, path, budget);
    else
      column.numbers = std::move(value.own().numbers);
  } else {
    throw data_error(path.string(), 0, column.name, "the column holds neither numbers nor text",
                     "Drop or flatten it in R before saving.");
  }
  return column;
}

}  // namespace

const RColumn& RDataFrame::column(std::string_view name, const Path& file) const {
  std::vector<std::string> names;
  for (const RColumn& candidate : columns) {
    if (candidate.name == name) return candidate;
    names.push_back(candidate.name);
  }
  const std::string near = nearest_word(name, names);
  std::string list;
  for (const std::string& candidate : names) list += (list.empty() ? "" : ", ") + candidate;
  throw data_error(file.string(), 0, name, "no such column",
                   near.empty() ? "The columns are: " + list + "." : "Did you mean '" + near + "'?");
}

RDataFrame read_r_data_frame(const Path& path, std::string_view object) {
  std::error_code ignored;
  const auto stored = std::filesystem::file_size(path, ignored);
  RBudget budget(unpacked_limit(ignored ? 0 : static_cast<std::int64_t>(stored)), path);
  const auto storage = std::make_shared<Storage>();
  RValue value = find_object(path, object, budget, *storage);
  const RValue* names = value.attribute("names");
  if (value.kind != RValue::Kind::kList || !names || (*names)->texts.size() != value->list.size())
    throw data_error(path.string(), 0, object, "the object is not a data frame",
                     "Name another object, or save as.data.frame(x) in R.");
  RDataFrame frame;
  frame.storage = storage;
  budget.take(2 * value->list.size(), sizeof(RColumn));
  for (std::size_t i = 0; i < value->list.size(); ++i) {
    std::string name((*names)->texts[i].value_or(""));
    frame.columns.push_back(make_column(std::move(name), value.content->list[i], path, budget));
    const RColumn& column = frame.columns.back();
    const auto rows = static_cast<std::int64_t>(std::max(column.numbers.size(), column.texts.size()));
    if (i == 0) frame.rows = rows;
    if (rows != frame.rows)
      throw data_error(
          path.string(), 0, column.name,
          std::to_string(rows) + " values where other columns have " + std::to_string(frame.rows), kDamaged);
  }
  return frame;
}

}  // namespace hyperllm::importers
