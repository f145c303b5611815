#include "hyperllm/data/importers/rdata.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/data/importers/r_value.h"

namespace hyperllm::data::importers {
namespace {

using Path = std::filesystem::path;
using Named = std::vector<std::pair<std::string, RValue>>;

constexpr std::int64_t kMostBytes = 4095 * kMiB;  // zlib counts in 32 bits
constexpr std::size_t kMaxInflated = std::size_t{4} << 30;
constexpr std::string_view kDamaged = "The file is damaged: fetch or write it again.";
constexpr std::string_view kRewrite =
    "In R: load(\"FILE\"); save(NAME, file = \"FILE\", compress = \"gzip\").";

// Both zlib and gzip streams, grown as bytes come out, whatever a header claims.
std::string inflate_all(std::string_view bytes, const Path& path) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 32) != Z_OK)
    throw Error(ErrorCode::kIo, path.string() + ": zlib cannot start (out of memory?).");
  std::string output;
  std::string buffer(1 << 18, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int status = Z_OK;
  while (status == Z_OK && output.size() <= kMaxInflated) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    status = inflate(&stream, Z_NO_FLUSH);
    output.append(buffer.data(), buffer.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END)
    throw data_error(path.string(), 0, "", "the compressed data is truncated or damaged", kDamaged);
  return output;
}

std::string unpacked(std::string bytes, const Path& path) {
  if (bytes.starts_with("\x1f\x8b")) return inflate_all(bytes, path);
  if (bytes.starts_with("BZh") || bytes.starts_with("\xfd"
                                                    "7zXZ"))
    throw data_error(path.string(), 0, "", "bzip2 and xz compression are not read", kRewrite);
  return bytes;
}

// index.rdx: list(variables = list(NAME = c(offset, length), ...), references = ..., compressed = 1).
RValue from_database(const Path& path, std::string_view object, std::vector<std::string>& names) {
  Path index_path = path;
  index_path.replace_extension(".rdx");
  const RValue index = parse_r_value(unpacked(read_file(index_path, kMostBytes), index_path), index_path);
  if (index.list.empty() || !index.list[0].attribute("names"))
    throw data_error(index_path.string(), 0, "", "not the index of an R lazy-load database", kDamaged);
  const RValue& variables = index.list[0];
  const auto& labels = variables.attribute("names")->texts;
  for (std::size_t i = 0; i < labels.size() && i < variables.list.size(); ++i) {
    names.push_back(labels[i].value_or(""));
    if (names.back() != object) continue;
    const std::vector<double>& place = variables.list[i].numbers;
    const std::string bytes = read_file(path, kMostBytes);
    const auto size = static_cast<double>(bytes.size());
    // Four bytes of unpacked length, then a zlib stream.
    if (place.size() != 2 || !(place[0] >= 0) || !(place[1] >= 4) || !(place[0] + place[1] <= size))
      throw data_error(path.string(), 0, names.back(), "its place in the index lies outside the file",
                       kDamaged);
    const auto record = std::string_view(bytes).substr(static_cast<std::size_t>(place[0]) + 4,
                                                       static_cast<std::size_t>(place[1]) - 4);
    return parse_r_value(inflate_all(record, path), path);
  }
  return {};
}

Named from_stream(const Path& path) {
  std::string bytes = unpacked(read_file(path, kMostBytes), path);
  if (bytes.starts_with("RDX2\n") || bytes.starts_with("RDX3\n")) {
    RValue value = parse_r_value(std::string_view(bytes).substr(5), path);
    return std::move(value.pairs);
  }
  Named named;
  named.emplace_back("", parse_r_value(bytes, path));
  return named;
}

RValue find_object(const Path& path, std::string_view object) {
  std::vector<std::string> names;
  if (path.extension() == ".rdb") {
    RValue value = from_database(path, object, names);
    if (value.kind != RValue::Kind::kNull) return value;
  } else {
    Named named = from_stream(path);
    for (auto& [name, value] : named) {
      names.push_back(name);
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
std::vector<std::optional<std::string>> factor_texts(const RValue& column, const RValue& levels,
                                                     const std::string& name, const Path& path) {
  std::vector<std::optional<std::string>> texts;
  for (std::size_t row = 0; row < column.numbers.size(); ++row) {
    const double code = column.numbers[row];
    if (std::isnan(code)) {
      texts.emplace_back(std::nullopt);
    } else if (code >= 1 && code <= static_cast<double>(levels.texts.size())) {
      texts.push_back(levels.texts[static_cast<std::size_t>(code) - 1]);
    } else {
      throw data_error(path.string(), 0, name,
                       "row " + std::to_string(row + 1) + " has a factor code without a level", kDamaged);
    }
  }
  return texts;
}

RColumn make_column(std::string name, const RValue& value, const Path& path) {
  RColumn column{std::move(name), {}, {}};
  if (value.kind == RValue::Kind::kTexts) {
    column.texts = value.texts;
  } else if (value.kind == RValue::Kind::kNumbers) {
    const RValue* levels = value.attribute("levels");
    if (levels)
      column.texts = factor_texts(value, *levels, column.name, path);
    else
      column.numbers = value.numbers;
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
  const RValue value = find_object(path, object);
  const RValue* names = value.attribute("names");
  if (value.kind != RValue::Kind::kList || !names || names->texts.size() != value.list.size())
    throw data_error(path.string(), 0, object, "the object is not a data frame",
                     "Name another object, or save as.data.frame(x) in R.");
  RDataFrame frame;
  for (std::size_t i = 0; i < value.list.size(); ++i) {
    frame.columns.push_back(make_column(names->texts[i].value_or(""), value.list[i], path));
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

}  // namespace hyperllm::data::importers
