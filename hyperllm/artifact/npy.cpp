#include "hyperllm/artifact/npy.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "hyperllm/artifact/npy_header.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"

namespace hyperllm::artifact {
namespace {

static_assert(std::endian::native == std::endian::little,
              ".npy data is read and written as it lies in memory");

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 1 << 16;
constexpr std::int64_t kWidestRow = std::numeric_limits<std::int32_t>::max();

void read_exactly(std::FILE* file, void* target, std::size_t bytes, const fs::path& path) {
  if (std::fread(target, 1, bytes, file) == bytes) return;
  if (std::ferror(file)) throw io_error(path, "read");
  throw data_error(path.string(), 0, "", "the file is truncated", "Write or copy it again.");
}

NpyHeader read_header(std::FILE* file, std::int64_t file_bytes, const fs::path& path) {
  std::string head(static_cast<std::size_t>(std::min<std::int64_t>(file_bytes, kNpyLongestHeader)), '\0');
  read_exactly(file, head.data(), head.size(), path);
  return parse_npy_header(head, path.string());
}

void check_finite(std::span<const float> values, std::int64_t start, std::int64_t cols,
                  const fs::path& path) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    const std::int64_t at = start + static_cast<std::int64_t>(i);
    throw data_error(path.string(), 0, "",
                     "row " + std::to_string(at / cols) + ", column " + std::to_string(at % cols) + " is " +
                         (std::isnan(values[i]) ? "NaN" : "infinite") + " (as float32)",
                     "Find out what made it, and write the matrix again with finite values.");
  }
}

void read_doubles(std::FILE* file, std::vector<float>& values, const fs::path& path) {
  std::vector<double> block(std::min(kBlock, values.size()));
  for (std::size_t done = 0; done < values.size();) {
    const std::size_t count = std::min(block.size(), values.size() - done);
    read_exactly(file, block.data(), count * sizeof(double), path);
    for (std::size_t i = 0; i < count; ++i) values[done + i] = static_cast<float>(block[i]);
    done += count;
  }
}

}  // namespace

Matrix read_npy(const fs::path& path) {
  const InputFile file = open_input(path);
  std::error_code code;
  const auto size = fs::file_size(path, code);
  if (code) throw Error(ErrorCode::kIo, path.string() + ": cannot read: " + code.message() + ".");
  const auto file_bytes = static_cast<std::int64_t>(size);
  const NpyHeader header = read_header(file.get(), file_bytes, path);
  if (header.descr != "<f4" && header.descr != "<f8")
    throw data_error(path.string(), 0, "descr", "the values are of type '" + header.descr + "'",
                     "Save little-endian float32, for example np.save(path, x.astype('<f4')).");
  if (header.shape.empty() || header.shape.size() > 2)
    throw data_error(path.string(), 0, "shape",
                     "the array has " + std::to_string(header.shape.size()) + " dimensions",
                     "Save a matrix of one row per user or item.");
  check_npy_size(header, file_bytes, path.string());
  if (header.count == 0 && (header.shape[0] > 0 || header.shape.back() > kWidestRow))
    throw data_error(path.string(), 0, "shape",
                     header.shape[0] > 0 ? "the rows have no columns" : "no row has so many columns",
                     "Write the file again.");

  Matrix matrix;
  matrix.rows = header.shape[0];
  matrix.cols = header.shape.size() == 2 ? header.shape[1] : 1;
  matrix.values.resize(static_cast<std::size_t>(matrix.rows * matrix.cols));
  if (std::fseek(file.get(), static_cast<long>(header.data_offset), SEEK_SET) != 0)
    throw io_error(path, "read");
  if (header.descr == "<f4")
    read_exactly(file.get(), matrix.values.data(), matrix.values.size() * sizeof(float), path);
  else
    read_doubles(file.get(), matrix.values, path);
  check_finite(matrix.values, 0, matrix.cols, path);
  return matrix;
}

void write_npy(const fs::path& path, std::int64_t rows, std::int64_t cols, std::span<const float> values) {
  AtomicFile file(path);
  write_npy(file, rows, cols, values);
  file.commit();
}

void write_npy(AtomicFile& file, std::int64_t rows, std::int64_t cols, std::span<const float> values) {
  HYPERLLM_CHECK(rows >= 0 && cols >= 0 && rows * cols == static_cast<std::int64_t>(values.size()),
                 ErrorCode::kInvalidArgument,
                 std::to_string(values.size()) + " values are no matrix of " + std::to_string(rows) + " x " +
                     std::to_string(cols) + ".");
  file.write(npy_float_header(rows, cols));
  file.write(values.data(), values.size_bytes());
}

}  // namespace hyperllm::artifact
