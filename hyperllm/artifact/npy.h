// NumPy's .npy files of float32 and float64 matrices, and .npz archives of CSR matrices as SciPy writes them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "hyperllm/base/files.h"
#include "hyperllm/data/csr.h"

namespace hyperllm::artifact {

// Row-major rows x cols; a one-dimensional file reads as rows x 1.
struct Matrix {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<float> values;  // size rows * cols

  std::span<const float> row(std::int64_t r) const {
    return {values.data() + r * cols, static_cast<std::size_t>(cols)};
  }
};

// Reads float32 or float64 (rounded to float32), C order, little endian, version 1 to 3. Sizes in the header
// are checked against the file before anything is allocated. Throws kIo, kInvalidData (truncated, wrong type,
// Fortran order, sizes that lie, a non-finite value with its row and column).
Matrix read_npy(const std::filesystem::path& path);

// Writes float32, atomically, or to a file of a set.
void write_npy(const std::filesystem::path& path, std::int64_t rows, std::int64_t cols,
               std::span<const float> values);
void write_npy(AtomicFile& file, std::int64_t rows, std::int64_t cols, std::span<const float> values);

// Reads a SciPy CSR matrix (scipy.sparse.save_npz, compressed or not) as its non-zero pattern; explicit zeros
// are dropped. Memory is that of the result and a bit an entry: values are unpacked piece by piece. Throws
// kIo, kInvalidData (truncated, not CSR, indices out of range, sizes that lie, arrays that together unpack to
// more than unpacked_limit, more rows or columns than a million and one for eight bytes of the file).
data::Csr read_scipy_csr(const std::filesystem::path& path);

}  // namespace hyperllm::artifact
