#include "hyperllm/importers/r_value.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "hyperllm/base/error.h"

namespace hyperllm::importers {
namespace {

// Type codes of R Internals, section 1.8.
enum Code : int {
  kSymSxp = 1,
  kListSxp = 2,
  kCharSxp = 9,
  kLglSxp = 10,
  kIntSxp = 13,
  kRealSxp = 14,
  kStrSxp = 16,
  kVecSxp = 19,
  kAltRepSxp = 238,
  kAttrListSxp = 239,
  kEmptyEnv = 242,
  kBaseEnv = 241,
  kGlobalEnv = 253,
  kNilValue = 254,
  kRefSxp = 255,
};
constexpr std::uint32_t kHasAttributes = 1 << 9;
constexpr std::uint32_t kHasTag = 1 << 10;
constexpr std::uint32_t kLatin1 = 1 << (12 + 2);
constexpr int kMaxDepth = 100;
constexpr std::int32_t kNaInteger = std::numeric_limits<std::int32_t>::min();

std::string latin1_to_utf8(std::string_view bytes) {
  std::string text;
  for (const unsigned char byte : bytes) {
    if (byte < 0x80) {
      text += static_cast<char>(byte);
    } else {
      text += static_cast<char>(0xc0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return text;
}

class Parser {
 public:
  Parser(std::string_view bytes, const std::filesystem::path& path, RBudget& budget, RArena& arena)
      : bytes_(bytes), path_(path), budget_(budget), arena_(arena) {}

  RValue document() {
    if (take(2) != "X\n")
      fail("not R data in XDR form", "Save it in R with saveRDS(x, file) or save(x, file = ...).");
    const std::int32_t version = integer();
    if (version != 2 && version != 3)
      fail("serialization version " + std::to_string(version) + " is not known",
           "Save it in R with save(x, file = ..., version = 3).");
    take(8);  // versions of R that wrote it and that can read it
    if (version == 3) take(checked_length(integer(), 1));
    RValue value = item(0);
    if (position_ != bytes_.size()) fail("bytes are left over after the value", kRemedy);
    return value;
  }

 private:
  static constexpr const char* kRemedy = "The file is damaged: fetch or write it again.";

  [[noreturn]] void fail(const std::string& problem, const std::string& remedy) const {
    throw data_error(path_.string(), 0, "", problem + " (byte " + std::to_string(position_) + ")", remedy);
  }

  std::string_view take(std::size_t count) {
    if (count > bytes_.size() - position_) fail("the R data is truncated", kRemedy);
    const std::string_view part = bytes_.substr(position_, count);
    position_ += count;
    return part;
  }

  template <typename T>
  T big_endian() {
    T value = 0;
    for (const unsigned char byte : take(sizeof(T))) value = static_cast<T>(value << 8 | byte);
    return value;
  }
  std::int32_t integer() { return static_cast<std::int32_t>(big_endian<std::uint32_t>()); }
  double real() { return std::bit_cast<double>(big_endian<std::uint64_t>()); }

  // A count of elements of at least `size` bytes each: it must fit into what is left.
  std::size_t checked_length(std::int64_t length, std::size_t size) {
    if (length == -1) length = static_cast<std::int64_t>(big_endian<std::uint64_t>());  // long vector
    if (length < 0 || static_cast<std::uint64_t>(length) > (bytes_.size() - position_) / size)
      fail("a length of " + std::to_string(length) + " elements does not fit into the file", kRemedy);
    return static_cast<std::size_t>(length);
  }

  RValue item(int depth) {
    if (depth > kMaxDepth) fail("values are nested too deeply", kRemedy);
    const std::uint32_t flags = big_endian<std::uint32_t>();
    const int code = static_cast<int>(flags & 0xff);
    switch (code) {
      case kNilValue:
      case kEmptyEnv:
      case kBaseEnv:
      case kGlobalEnv:
        return {};
      case kSymSxp:
        return symbol();
      case kRefSxp:
        return reference(flags);
      case kListSxp:
      case kAttrListSxp:
        return pair_list(flags, depth);
      case kAltRepSxp:
        return alternative(depth);
      default: {
        RValue value = vector(code, depth);
        if (flags & kHasAttributes) set_attributes(value, item(depth + 1));
        return value;
      }
    }
  }

  RValue made(RValue::Kind kind) {
    budget_.take(1, sizeof(RValue::Content));
    RValue value;
    value.kind = kind;
    value.own();
    return value;
  }

  static RValue symbol_of(std::string_view name) {
    RValue value;
    value.kind = RValue::Kind::kSymbol;
    value.symbol = name;
    return value;
  }

  RValue symbol() {
    budget_.take(1, 2 * sizeof references_[0]);
    references_.push_back(text().value_or(""));
    return symbol_of(references_.back());
  }

  void set_attributes(RValue& value, RValue attributes) {
    if (attributes.kind == RValue::Kind::kPairs)
      value.own().attributes = std::move(attributes.content->pairs);
  }

  RValue reference(std::uint32_t flags) {
    const std::uint32_t index = flags >> 8 ? flags >> 8 : big_endian<std::uint32_t>();
    if (index == 0 || index > references_.size()) fail("a reference points nowhere", kRemedy);
    return symbol_of(references_[index - 1]);
  }

  // A chain of cells, walked in a loop because its length is the data's.
  RValue pair_list(std::uint32_t flags, int depth) {
    RValue value = made(RValue::Kind::kPairs);
    RValue::Pairs& pairs = value.content->pairs;
    while (true) {
      if (flags & kHasAttributes) item(depth + 1);
      const std::string_view tag = flags & kHasTag ? item(depth + 1).symbol : std::string_view();
      RValue entry = item(depth + 1);
      // A vector that grows holds its old half beside the new whole.
      if (pairs.size() == pairs.capacity())
        budget_.take(std::max<std::size_t>(pairs.size(), 1), 2 * sizeof pairs[0]);
      pairs.emplace_back(tag, std::move(entry));
      flags = big_endian<std::uint32_t>();
      const int code = static_cast<int>(flags & 0xff);
      if (code == kNilValue) return value;
      if (code != kListSxp && code != kAttrListSxp) fail("a pair list does not end", kRemedy);
    }
  }

  RText text() {
    const std::uint32_t flags = big_endian<std::uint32_t>();
    if ((flags & 0xff) != kCharSxp) fail("a string was expected", kRemedy);
    const std::int32_t length = integer();
    if (length == -1) return std::nullopt;
    if (length < 0) fail("a string has a negative length", kRemedy);
    const std::string_view bytes = take(static_cast<std::size_t>(length));
    const bool ascii =
        std::all_of(bytes.begin(), bytes.end(), [](unsigned char byte) { return byte < 0x80; });
    if (!(flags & kLatin1) || ascii) return bytes;
    budget_.take(2 * bytes.size() + sizeof(std::string), 1);
    return arena_.emplace_back(latin1_to_utf8(bytes));
  }

  RValue vector(int code, int depth) {
    switch (code) {
      case kLglSxp:
      case kIntSxp: {
        RValue value = made(RValue::Kind::kNumbers);
        fill(value.content->numbers, checked_length(integer(), 4), [&] {
          const std::int32_t whole = integer();
          return whole == kNaInteger ? std::nan("") : whole;
        });
        return value;
      }
      case kRealSxp: {
        RValue value = made(RValue::Kind::kNumbers);
        fill(value.content->numbers, checked_length(integer(), 8), [&] { return real(); });
        return value;
      }
      case kStrSxp: {
        RValue value = made(RValue::Kind::kTexts);
        fill(value.content->texts, checked_length(integer(), 8), [&] { return text(); });
        return value;
      }
      case kVecSxp: {
        RValue value = made(RValue::Kind::kList);
        fill(value.content->list, checked_length(integer(), 4), [&] { return item(depth + 1); });
        return value;
      }
      default:
        fail("an R value of type " + std::to_string(code) + " is not part of a plain data frame",
             "Save the object in R as as.data.frame(x) with plain columns.");
    }
  }

  template <typename T, typename Next>
  void fill(std::vector<T>& values, std::size_t count, const Next& next) {
    budget_.take(count, sizeof(T));
    values.reserve(count);
    for (; count > 0; --count) values.push_back(next());
  }

  // R 3.5 and later may store a vector by its recipe: a sequence, or a wrapper around a plain vector.
  RValue alternative(int depth) {
    const RValue info = item(depth + 1);
    RValue state = item(depth + 1);
    RValue attributes = item(depth + 1);
    const std::string_view name =
        info->pairs.empty() ? std::string_view() : info->pairs.front().second.symbol;
    RValue value;
    if (name.starts_with("wrap_") && state.kind == RValue::Kind::kList && !state->list.empty()) {
      value = std::move(state.content->list.front());
    } else if (name.starts_with("wrap_") && state.kind == RValue::Kind::kPairs) {
      value = std::move(state.content->pairs.front().second);
    } else if ((name == "compact_intseq" || name == "compact_realseq") && state->numbers.size() == 3) {
      value = sequence(state->numbers);
    } else {
      fail("an R vector of class '" + std::string(name.substr(0, 40)) + "' is not known",
           "Save the object in R with save(x, file = ..., version = 2).");
    }
    set_attributes(value, std::move(attributes));
    return value;
  }

  RValue sequence(const std::vector<double>& state) {
    constexpr double kLongest = 1 << 28;
    if (!(state[0] >= 0 && state[0] <= kLongest)) fail("a sequence has an impossible length", kRemedy);
    RValue value = made(RValue::Kind::kNumbers);
    double i = 0;
    fill(value.content->numbers, static_cast<std::size_t>(std::ceil(state[0])),
         [&] { return state[1] + i++ * state[2]; });
    return value;
  }

  std::string_view bytes_;
  const std::filesystem::path& path_;
  std::size_t position_ = 0;
  RBudget& budget_;
  RArena& arena_;
  std::vector<std::string_view> references_;  // symbols, the only values that R shares here
};

}  // namespace

void RBudget::take(std::uint64_t count, std::size_t size) {
  if (count > static_cast<std::uint64_t>(left_) / size)
    throw data_error(path_.string(), 0, "",
                     "its values would take many times the memory that a file of this size should need",
                     "If the file is what it should be, save the data frame alone in R: "
                     "write.csv(x, gzfile(\"FILE.csv.gz\"), row.names = FALSE).");
  left_ -= static_cast<std::int64_t>(count * size);
}

const RValue::Content& RValue::operator*() const {
  static const Content empty;
  return content ? *content : empty;
}

const RValue* RValue::attribute(std::string_view name) const {
  for (const auto& [tag, value] : (*this)->attributes)
    if (tag == name) return &value;
  return nullptr;
}

RValue parse_r_value(std::string_view bytes, const std::filesystem::path& path, RBudget& budget,
                     RArena& arena) {
  return Parser(bytes, path, budget, arena).document();
}

}  // namespace hyperllm::importers
