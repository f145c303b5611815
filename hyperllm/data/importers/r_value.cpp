#include "hyperllm/data/importers/r_value.h"

#include <bit>
#include <cmath>
#include <limits>

#include "hyperllm/base/error.h"

namespace hyperllm::data::importers {
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
  Parser(std::string_view bytes, const std::filesystem::path& path) : bytes_(bytes), path_(path) {}

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
        return symbol(depth);
      case kRefSxp:
        return reference(flags);
      case kListSxp:
      case kAttrListSxp:
        return pair_list(flags, depth);
      case kAltRepSxp:
        return alternative(depth);
      default: {
        RValue value = vector(code, depth);
        if (flags & kHasAttributes) value.attributes = item(depth + 1).pairs;
        return value;
      }
    }
  }

  RValue symbol(int) {
    RValue value;
    value.kind = RValue::Kind::kSymbol;
    value.symbol = text().value_or("");
    references_.push_back(value);
    return value;
  }

  RValue reference(std::uint32_t flags) {
    const std::uint32_t index = flags >> 8 ? flags >> 8 : big_endian<std::uint32_t>();
    if (index == 0 || index > references_.size()) fail("a reference points nowhere", kRemedy);
    return references_[index - 1];
  }

  // A chain of cells, walked in a loop because its length is the data's.
  RValue pair_list(std::uint32_t flags, int depth) {
    RValue value;
    value.kind = RValue::Kind::kPairs;
    while (true) {
      if (flags & kHasAttributes) item(depth + 1);
      const std::string tag = flags & kHasTag ? item(depth + 1).symbol : std::string();
      value.pairs.emplace_back(tag, item(depth + 1));
      flags = big_endian<std::uint32_t>();
      const int code = static_cast<int>(flags & 0xff);
      if (code == kNilValue) return value;
      if (code != kListSxp && code != kAttrListSxp) fail("a pair list does not end", kRemedy);
    }
  }

  std::optional<std::string> text() {
    const std::uint32_t flags = big_endian<std::uint32_t>();
    if ((flags & 0xff) != kCharSxp) fail("a string was expected", kRemedy);
    const std::int32_t length = integer();
    if (length == -1) return std::nullopt;
    if (length < 0) fail("a string has a negative length", kRemedy);
    const std::string_view bytes = take(static_cast<std::size_t>(length));
    return flags & kLatin1 ? latin1_to_utf8(bytes) : std::string(bytes);
  }

  RValue vector(int code, int depth) {
    RValue value;
    switch (code) {
      case kLglSxp:
      case kIntSxp:
        value.kind = RValue::Kind::kNumbers;
        value.numbers.resize(checked_length(integer(), 4));
        for (double& number : value.numbers) {
          const std::int32_t whole = integer();
          number = whole == kNaInteger ? std::nan("") : whole;
        }
        return value;
      case kRealSxp:
        value.kind = RValue::Kind::kNumbers;
        value.numbers.resize(checked_length(integer(), 8));
        for (double& number : value.numbers) number = real();
        return value;
      case kStrSxp:
        value.kind = RValue::Kind::kTexts;
        value.texts.resize(checked_length(integer(), 8));
        for (auto& entry : value.texts) entry = text();
        return value;
      case kVecSxp:
        value.kind = RValue::Kind::kList;
        for (std::size_t left = checked_length(integer(), 4); left > 0; --left)
          value.list.push_back(item(depth + 1));
        return value;
      default:
        fail("an R value of type " + std::to_string(code) + " is not part of a plain data frame",
             "Save the object in R as as.data.frame(x) with plain columns.");
    }
  }

  // R 3.5 and later may store a vector by its recipe: a sequence, or a wrapper around a plain vector.
  RValue alternative(int depth) {
    const RValue info = item(depth + 1);
    RValue state = item(depth + 1);
    const RValue attributes = item(depth + 1);
    const std::string name = info.pairs.empty() ? "" : info.pairs.front().second.symbol;
    RValue value;
    if (name.starts_with("wrap_") && state.kind == RValue::Kind::kList && !state.list.empty()) {
      value = std::move(state.list.front());
    } else if (name.starts_with("wrap_") && state.kind == RValue::Kind::kPairs) {
      value = std::move(state.pairs.front().second);
    } else if ((name == "compact_intseq" || name == "compact_realseq") && state.numbers.size() == 3) {
      value = sequence(state.numbers);
    } else {
      fail("an R vector of class '" + name + "' is not known",
           "Save the object in R with save(x, file = ..., version = 2).");
    }
    value.attributes = attributes.pairs;
    return value;
  }

  RValue sequence(const std::vector<double>& state) {
    constexpr double kLongest = 1 << 28;  // no bytes in the file back a sequence's length
    if (!(state[0] >= 0 && state[0] <= kLongest)) fail("a sequence has an impossible length", kRemedy);
    RValue value;
    value.kind = RValue::Kind::kNumbers;
    for (double i = 0; i < state[0]; ++i) value.numbers.push_back(state[1] + i * state[2]);
    return value;
  }

  std::string_view bytes_;
  const std::filesystem::path& path_;
  std::size_t position_ = 0;
  std::vector<RValue> references_;
};

}  // namespace

const RValue* RValue::attribute(std::string_view name) const {
  for (const auto& [tag, value] : attributes)
    if (tag == name) return &value;
  return nullptr;
}

RValue parse_r_value(std::string_view bytes, const std::filesystem::path& path) {
  return Parser(bytes, path).document();
}

}  // namespace hyperllm::data::importers
