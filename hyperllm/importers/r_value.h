// R's serialized values as a tree; private to the rdata importer.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hyperllm::importers {

// What reading one file may still take, whatever the sizes in it claim.
class RBudget {
 public:
  RBudget(std::int64_t bytes, std::filesystem::path path) : left_(bytes), path_(std::move(path)) {}
  // `count` elements of `size` bytes are about to be made. Throws kInvalidData if they are too many.
  void take(std::uint64_t count, std::size_t size);
  std::int64_t left() const { return left_; }

 private:
  std::int64_t left_;
  std::filesystem::path path_;
};

using RText = std::optional<std::string_view>;  // nullopt is NA

// Texts are views of the serialized bytes or, where they had to be converted, of the arena: both must live as
// long as the value.
struct RValue {
  enum class Kind : std::uint8_t { kNull, kSymbol, kNumbers, kTexts, kList, kPairs };
  using Pairs = std::vector<std::pair<std::string_view, RValue>>;
  struct Content {
    std::vector<double> numbers;  // kNumbers; NA is NaN
    std::vector<RText> texts;     // kTexts
    std::vector<RValue> list;     // kList
    Pairs pairs;                  // kPairs: tag (may be "") and value
    Pairs attributes;
  };

  Kind kind = Kind::kNull;
  std::string_view symbol;           // kSymbol
  std::unique_ptr<Content> content;  // none: all of it is empty (a list of NULL has millions of these)

  Content& own() {
    if (!content) content = std::make_unique<Content>();
    return *content;
  }
  const Content& operator*() const;
  const Content* operator->() const { return &**this; }
  // The attribute of that name, or nullptr.
  const RValue* attribute(std::string_view name) const;
};

using RArena = std::deque<std::string>;

// Parses one serialized value (header "X\n", version 2 or 3) that fills `bytes`. `path` is for messages.
// Throws kInvalidData.
RValue parse_r_value(std::string_view bytes, const std::filesystem::path& path, RBudget& budget,
                     RArena& arena);

}  // namespace hyperllm::importers
