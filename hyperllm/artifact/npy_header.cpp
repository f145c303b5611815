#include "hyperllm/artifact/npy_header.h"

#include <charconv>
#include <limits>
#include <optional>

#include "hyperllm/base/error.h"

namespace hyperllm::artifact {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

// Reads {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class DictParser {
 public:
  DictParser(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  NpyHeader parse() {
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        header_.descr = quoted();
      } else if (key == "fortran_order") {
        fortran_ = boolean();
      } else if (key == "shape") {
        shape();
      } else {
        fail("unknown key '" + key.substr(0, 30) + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (header_.descr.empty() || !fortran_ || !has_shape_) fail("descr, fortran_order or shape is missing");
    if (*fortran_ && header_.shape.size() > 1)
      throw data_error(name_, 0, "fortran_order", "the array is in Fortran order",
                       "Save it in C order: np.save(path, np.ascontiguousarray(x)).");
    return header_;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw data_error(name_, 0, "", "the .npy header is malformed: " + problem,
                     "Write the file again with numpy.save.");
  }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char wanted) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) fail(std::string("'") + wanted + "' is missing");
  }
  std::string quoted() {
    skip_spaces();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail("a structured type, or a quote is missing");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == text_.npos) fail("a quote is not closed");
    std::string result(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return result;
  }
  bool boolean() {
    skip_spaces();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    fail("neither True nor False");
  }
  void shape() {
    has_shape_ = true;
    header_.shape.clear();
    expect('(');
    while (!accept(')')) {
      skip_spaces();
      std::int64_t side = 0;
      const auto [end, code] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), side);
      if (code != std::errc() || side < 0 || header_.shape.size() >= 32)
        fail("the shape is not a list of sizes");
      at_ = static_cast<std::size_t>(end - text_.data());
      header_.shape.push_back(side);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
  }

  std::string_view text_;
  std::string_view name_;
  std::size_t at_ = 0;
  NpyHeader header_;
  std::optional<bool> fortran_;
  bool has_shape_ = false;
};

// Bytes of one value of type `descr`, such as 4 of "<f4" and of "|S4", 12 of "<U3".
std::int64_t item_bytes(const std::string& descr, std::string_view name) {
  std::int64_t size = 0;
  const char* const end = descr.data() + descr.size();
  const bool known = descr.size() >= 3 && std::string_view("<|>=").find(descr[0]) != std::string_view::npos &&
                     std::from_chars(descr.data() + 2, end, size).ptr == end && size > 0 && size < (1 << 20);
  if (!known)
    throw data_error(name, 0, "descr", "the type '" + descr.substr(0, 30) + "' is not known",
                     "Save plain numbers.");
  return descr[1] == 'U' ? 4 * size : size;
}

}  // namespace

NpyHeader parse_npy_header(std::string_view head, std::string_view name) {
  const auto truncated = [&] {
    return data_error(
        name, 0, "",
        "the .npy header is truncated or longer than " + std::to_string(kNpyLongestHeader) + " bytes",
        "Write or copy the file again.");
  };
  if (!head.starts_with(kMagic) && !(kMagic.starts_with(head)))
    throw data_error(name, 0, "", "this is not a .npy file", "Write it with numpy.save.");
  if (head.size() < 10) throw truncated();
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(head[i]));
  };
  const std::size_t version = byte(6);
  if (version < 1 || version > 3)
    throw data_error(name, 0, "", "version " + std::to_string(version) + " of .npy is not known",
                     "Save version 1 to 3.");
  const std::size_t start = version == 1 ? 10 : 12;
  if (head.size() < start) throw truncated();
  const std::size_t length =
      version == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  if (length > head.size() - start) throw truncated();

  NpyHeader header = DictParser(head.substr(start, length), name).parse();
  header.data_offset = static_cast<std::int64_t>(start + length);
  header.item_bytes = item_bytes(header.descr, name);
  header.count = 1;
  for (const std::int64_t side : header.shape) {
    if (side > 0 && header.count > kMost / header.item_bytes / side)
      throw data_error(name, 0, "shape", "the sizes are beyond any file", "Write the file again.");
    header.count *= side;
  }
  return header;
}

void check_npy_size(const NpyHeader& header, std::int64_t file_bytes, std::string_view name) {
  const std::int64_t data = header.count * header.item_bytes, have = file_bytes - header.data_offset;
  if (data == have) return;
  throw data_error(name, 0, "shape",
                   "the header promises " + std::to_string(data) + " bytes of data, the file has " +
                       std::to_string(have) + (have < data ? " (truncated?)" : ""),
                   "Write or copy the file again.");
}

std::string npy_float_header(std::int64_t rows, std::int64_t cols) {
  std::string dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                     std::to_string(cols) + "), }";
  constexpr std::size_t kPrefix = 10, kAlign = 64;
  dict.append((kAlign - (kPrefix + dict.size() + 1) % kAlign) % kAlign, ' ');
  dict += '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(dict.size() & 0xff), static_cast<char>(dict.size() >> 8)};
  return header + dict;
}

}  // namespace hyperllm::artifact
