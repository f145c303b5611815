#include <zip.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/artifact/npy_header.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"

namespace hyperllm::artifact {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRemedy = "Write it with scipy.sparse.save_npz(path, matrix.tocsr()).";

struct Array {
  std::string name;  // "train_matrix.npz/indices.npy", for errors
  NpyHeader header;
  std::string bytes;  // of the whole .npy, header included
  const char* data() const { return bytes.data() + header.data_offset; }
};

class Archive {
 public:
  explicit Archive(const fs::path& path) : path_(path) {
    if (!fs::exists(path))
      throw Error(ErrorCode::kIo, path.string() + ": cannot open: no such file. Check the path.");
    require_regular_file(path);
    int code = 0;
    zip_.reset(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
    if (zip_) return;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (code == ZIP_ER_OPEN || code == ZIP_ER_READ)
      throw Error(ErrorCode::kIo, path.string() + ": cannot read: " + reason + ".");
    throw data_error(path.string(), 0, "", "this is not a whole .npz archive (" + reason + ")", kRemedy);
  }

  Array read(const std::string& entry) const {
    Array array{path_.string() + "/" + entry, {}, {}};
    zip_stat_t stat;
    if (zip_stat(zip_.get(), entry.c_str(), 0, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE) ||
        !(stat.valid & ZIP_STAT_COMP_SIZE))
      throw data_error(path_.string(), 0, "", "the archive has no " + entry, kRemedy);
    // Deflate shrinks at most 1032 times: a larger claim is a lie, and would be an allocation.
    constexpr std::uint64_t kRatio = 1032;
    if (stat.size / kRatio > stat.comp_size)
      throw data_error(array.name, 0, "", "the archive lies about its size", kRemedy);
    unpack(entry, stat.size, array);
    array.header = parse_npy_header(std::string_view(array.bytes).substr(0, kNpyLongestHeader), array.name);
    check_npy_size(array.header, static_cast<std::int64_t>(array.bytes.size()), array.name);
    return array;
  }

 private:
  // Reads in pieces, so that memory follows what is really there.
  void unpack(const std::string& entry, std::uint64_t size, Array& array) const {
    constexpr std::size_t kPiece = 1 << 20;
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen(zip_.get(), entry.c_str(), 0),
                                                                 zip_fclose);
    if (!file)
      throw data_error(array.name, 0, "", std::string("cannot unpack: ") + zip_strerror(zip_.get()), kRemedy);
    std::string& bytes = array.bytes;
    while (true) {
      const std::size_t done = bytes.size();
      bytes.resize(done + std::min<std::uint64_t>(kPiece, size + 1 - done));
      const zip_int64_t count = zip_fread(file.get(), bytes.data() + done, bytes.size() - done);
      if (count < 0)
        throw data_error(array.name, 0, "", std::string("damaged: ") + zip_file_strerror(file.get()),
                         kRemedy);
      bytes.resize(done + static_cast<std::size_t>(count));
      if (count == 0 || bytes.size() > size) break;
    }
    if (bytes.size() != size) throw data_error(array.name, 0, "", "the archive lies about its size", kRemedy);
  }

  fs::path path_;
  std::unique_ptr<zip_t, void (*)(zip_t*)> zip_{nullptr, zip_discard};
};

void expect_vector(const Array& array, std::int64_t size) {
  if (array.header.shape.size() == 1 && (size < 0 || array.header.shape[0] == size)) return;
  throw data_error(array.name, 0, "shape",
                   size < 0 ? "a one-dimensional array is expected"
                            : "a one-dimensional array of " + std::to_string(size) + " values is expected",
                   kRemedy);
}

template <typename T>
T value_at(const Array& array, std::int64_t i) {
  T value;
  std::memcpy(&value, array.data() + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

// Integers of 32 or 64 bits.
std::vector<std::int64_t> integers(const Array& array) {
  const bool wide = array.header.descr == "<i8";
  if (!wide && array.header.descr != "<i4")
    throw data_error(array.name, 0, "descr",
                     "the values are of type '" + array.header.descr + "', not integers", kRemedy);
  std::vector<std::int64_t> values(static_cast<std::size_t>(array.header.count));
  for (std::int64_t i = 0; i < array.header.count; ++i)
    values[i] = wide ? value_at<std::int64_t>(array, i) : value_at<std::int32_t>(array, i);
  return values;
}

template <typename T>
std::vector<bool> nonzero_floats(const Array& array) {
  std::vector<bool> result(static_cast<std::size_t>(array.header.count));
  for (std::int64_t i = 0; i < array.header.count; ++i) {
    const T value = value_at<T>(array, i);
    if (!std::isfinite(value))
      throw data_error(array.name, 0, "", "value " + std::to_string(i) + " is not finite",
                       "Correct the matrix.");
    result[i] = value != 0;
  }
  return result;
}

std::vector<bool> nonzero(const Array& array) {
  const std::string& descr = array.header.descr;
  if (descr == "<f4") return nonzero_floats<float>(array);
  if (descr == "<f8") return nonzero_floats<double>(array);
  constexpr std::string_view kIntegers = "biu";
  if (descr[0] == '>' || kIntegers.find(descr[1]) == kIntegers.npos)
    throw data_error(array.name, 0, "descr", "the values are of type '" + descr + "'",
                     "Save little-endian numbers.");
  std::vector<bool> result(static_cast<std::size_t>(array.header.count));
  const std::int64_t bytes = array.header.item_bytes;
  for (std::int64_t i = 0; i < array.header.count; ++i)
    result[i] =
        std::any_of(array.data() + i * bytes, array.data() + (i + 1) * bytes, [](char c) { return c != 0; });
  return result;
}

void check_format(const Archive& archive) {
  const Array format = archive.read("format.npy");
  std::string word;
  for (const char letter : std::string_view(format.data(), format.bytes.size() - format.header.data_offset))
    if (letter != '\0') word += letter;  // text is bytes ("|S3") or four bytes a letter ("<U3")
  if (word != "csr")
    throw data_error(format.name, 0, "", "the matrix is stored as '" + word.substr(0, 10) + "', not as csr",
                     kRemedy);
}

void check_indptr(const std::vector<std::int64_t>& indptr, std::int64_t entries, const std::string& name) {
  bool good = indptr.front() == 0 && indptr.back() == entries;
  good = good && std::is_sorted(indptr.begin(), indptr.end());
  if (!good)
    throw data_error(name, 0, "",
                     "the row starts do not rise from 0 to the number of entries, " + std::to_string(entries),
                     kRemedy);
}

}  // namespace

data::Csr read_scipy_csr(const fs::path& path) {
  const Archive archive(path);
  check_format(archive);
  const Array shape_array = archive.read("shape.npy");
  expect_vector(shape_array, 2);
  const auto shape = integers(shape_array);
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (shape[0] < 0 || shape[1] < 0 || shape[0] > kMost || shape[1] > kMost)
    throw data_error(shape_array.name, 0, "",
                     "the matrix is " + std::to_string(shape[0]) + " x " + std::to_string(shape[1]),
                     "Each side must lie between 0 and 2147483647.");
  const Array indptr_array = archive.read("indptr.npy");
  expect_vector(indptr_array, shape[0] + 1);
  const auto indptr = integers(indptr_array);
  const Array indices_array = archive.read("indices.npy");
  expect_vector(indices_array, -1);
  const auto columns = integers(indices_array);
  const auto entries = static_cast<std::int64_t>(columns.size());
  check_indptr(indptr, entries, indptr_array.name);
  const Array data_array = archive.read("data.npy");
  expect_vector(data_array, entries);
  const auto keep = nonzero(data_array);

  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  pairs.reserve(columns.size());
  for (std::int64_t r = 0; r < shape[0]; ++r)
    for (std::int64_t i = indptr[r]; i < indptr[r + 1]; ++i) {
      if (columns[i] < 0 || columns[i] >= shape[1])
        throw data_error(indices_array.name, 0, "",
                         "entry " + std::to_string(i) + " (row " + std::to_string(r) + ") is column " +
                             std::to_string(columns[i]) + " of a matrix with " + std::to_string(shape[1]) +
                             " columns",
                         kRemedy);
      if (keep[i]) pairs.emplace_back(static_cast<std::int32_t>(r), static_cast<std::int32_t>(columns[i]));
    }
  return data::make_csr(shape[0], shape[1], pairs);
}

}  // namespace hyperllm::artifact
