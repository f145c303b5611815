// R's serialized values as a tree; private to the rdata importer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hyperllm::data::importers {

struct RValue {
  enum class Kind { kNull, kSymbol, kNumbers, kTexts, kList, kPairs };
  Kind kind = Kind::kNull;
  std::string symbol;                                 // kSymbol
  std::vector<double> numbers;                        // kNumbers; NA is NaN
  std::vector<std::optional<std::string>> texts;      // kTexts; nullopt is NA
  std::vector<RValue> list;                           // kList
  std::vector<std::pair<std::string, RValue>> pairs;  // kPairs: tag (may be "") and value
  std::vector<std::pair<std::string, RValue>> attributes;

  // The attribute of that name, or nullptr.
  const RValue* attribute(std::string_view name) const;
};

// Parses one serialized value (header "X\n", version 2 or 3) that fills `bytes`. `path` is for messages.
// Throws kInvalidData.
RValue parse_r_value(std::string_view bytes, const std::filesystem::path& path);

}  // namespace hyperllm::data::importers
