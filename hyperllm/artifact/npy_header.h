// The header of a .npy file (NumPy enhancement proposal 1): magic, version, a Python dictionary literal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hyperllm::artifact {

constexpr std::int64_t kNpyLongestHeader = 1 << 16;  // far more than any array of two dimensions needs

struct NpyHeader {
  std::string descr;                // such as "<f4", "<i8", "|b1", "|S3"
  std::vector<std::int64_t> shape;  // empty: a scalar; each >= 0
  std::int64_t data_offset = 0;     // bytes before the data
  std::int64_t item_bytes = 0;      // bytes of one value, from descr
  std::int64_t count = 0;           // product of shape; count * item_bytes is known not to overflow
};

// Parses the header at the start of `head` (the first kNpyLongestHeader bytes of the file, or all of a
// shorter one). `name` is the file's name in errors. Throws kInvalidData: not .npy, unknown version,
// truncated, a malformed dictionary, Fortran order, sizes that overflow.
NpyHeader parse_npy_header(std::string_view head, std::string_view name);

// Throws kInvalidData unless header and data together have exactly `file_bytes` bytes.
void check_npy_size(const NpyHeader& header, std::int64_t file_bytes, std::string_view name);

// The header of a C-order float32 matrix, version 1, padded as NumPy pads.
std::string npy_float_header(std::int64_t rows, std::int64_t cols);

}  // namespace hyperllm::artifact
