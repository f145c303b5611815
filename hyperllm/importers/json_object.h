// Objects of JSON and of Python literals: one a line, or those of a list or a document over any lines.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "hyperllm/data/lines.h"

namespace hyperllm::importers {

// The object that a text holds: JSON, JSON with NaN or Infinity (which become null) or half surrogate pairs
// (which become U+FFFD and are counted in `replaced`), or a Python dictionary. Otherwise what is wrong, and
// where.
struct TextObject {
  nlohmann::json value;
  std::string problem;  // empty: value is an object
  std::int64_t replaced = 0;
};
TextObject parse_object(std::string_view text);

// Whether the text of a file begins like an object or a list of objects or lists.
bool begins_like_json(std::string_view start);
bool looks_like_json(const std::filesystem::path& path, const std::string& encoding = "");

// Streams the objects of a file: lines of one object each (a comma behind it is passed over), a list
// [{...}, {...}], or objects that follow one another over many lines.
class ObjectReader {
 public:
  // Throws as LineReader.
  ObjectReader(const std::filesystem::path& path, const std::string& encoding);

  // False at the end. Throws what no next object follows: as LineReader::next and next_value.
  bool next();
  // May hold a problem instead of an object; good until next().
  TextObject& object() { return object_; }
  const TextObject& object() const { return object_; }
  std::string_view text() const { return text_; }
  std::int64_t line() const { return lines_.line_number(); }  // on which the object starts
  const data::LineReader& lines() const { return lines_; }

 private:
  data::LineReader lines_;
  bool by_lines_;
  std::string_view text_;
  TextObject object_;
};

}  // namespace hyperllm::importers
