#include <zip.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <tuple>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/artifact/npy_header.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/memory.h"

namespace hyperllm::artifact {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRemedy = "Write it with scipy.sparse.save_npz(path, matrix.tocsr()).";

// One array of the archive, unpacked piece by piece as its values are asked for.
class Member {
 public:
  Member(zip_t* archive, const std::string& entry, std::uint64_t size, std::string name)
      : name_(std::move(name)), file_(zip_fopen(archive, entry.c_str(), 0), zip_fclose) {
    if (!file_)
      throw data_error(name_, 0, "", std::string("cannot unpack: ") + zip_strerror(archive), kRemedy);
    std::string head(std::min<std::uint64_t>(size, kNpyLongestHeader), '\0');
    read(head.data(), head.size());
    header_ = parse_npy_header(head, name_);
    check_npy_size(header_, static_cast<std::int64_t>(size), name_);
    ahead_ = head.substr(static_cast<std::size_t>(header_.data_offset));
  }

  const std::string& name() const { return name_; }
  const NpyHeader& header() const { return header_; }

  // Calls use(bytes of a value) for each in order, and checks that the member ends with the last. Once only.
  template <typename Use>
  void for_each(const Use& use) {
    const auto bytes = static_cast<std::size_t>(header_.item_bytes);
    constexpr std::size_t kPiece = 1 << 16;
    std::string piece;
    for (std::int64_t done = 0; done < header_.count;) {
      const auto values =
          std::min<std::int64_t>(header_.count - done, std::max<std::size_t>(kPiece / bytes, 1));
      piece.resize(static_cast<std::size_t>(values) * bytes);
      const std::size_t ready = std::min(piece.size(), ahead_.size());
      ahead_.copy(piece.data(), ready);
      ahead_.erase(0, ready);
      read(piece.data() + ready, piece.size() - ready);
      for (std::size_t at = 0; at < piece.size(); at += bytes) use(piece.data() + at);
      done += values;
    }
    if (char more; fetch(&more, 1) != 0) lies();  // the checksum too is looked at only at the end
  }

 private:
  [[noreturn]] void lies() const {
    throw data_error(name_, 0, "", "the archive lies about its size", kRemedy);
  }
  std::size_t fetch(char* target, std::size_t bytes) {
    const zip_int64_t count = zip_fread(file_.get(), target, bytes);
    if (count < 0)
      throw data_error(name_, 0, "", std::string("damaged: ") + zip_file_strerror(file_.get()), kRemedy);
    return static_cast<std::size_t>(count);
  }
  void read(char* target, std::size_t bytes) {
    for (std::size_t count; bytes > 0; target += count, bytes -= count)
      if ((count = fetch(target, bytes)) == 0) lies();
  }

  std::string name_;  // "train_matrix.npz/indices.npy", for errors
  std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file_;
  NpyHeader header_;
  std::string ahead_;  // values that came with the header
};

class Archive {
 public:
  explicit Archive(const fs::path& path) : path_(path) {
    if (!fs::exists(path))
      throw Error(ErrorCode::kIo, path.string() + ": cannot open: no such file. Check the path.");
    require_regular_file(path);
    int code = 0;
    zip_.reset(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
    if (zip_) {
      stored_ = static_cast<std::int64_t>(fs::file_size(path));
      left_ = static_cast<std::uint64_t>(unpacked_limit(stored_));
      return;
    }
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (code == ZIP_ER_OPEN || code == ZIP_ER_READ)
      throw Error(ErrorCode::kIo, path.string() + ": cannot read: " + reason + ".");
    throw data_error(path.string(), 0, "", "this is not a whole .npz archive (" + reason + ")", kRemedy);
  }

  Member open(const std::string& entry) {
    const std::string name = path_.string() + "/" + entry;
    zip_stat_t stat;
    if (zip_stat(zip_.get(), entry.c_str(), 0, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE) ||
        !(stat.valid & ZIP_STAT_COMP_SIZE))
      throw data_error(path_.string(), 0, "", "the archive has no " + entry, kRemedy);
    // Deflate shrinks at most 1032 times.
    constexpr std::uint64_t kRatio = 1032;
    if (stat.size / kRatio > stat.comp_size)
      throw data_error(name, 0, "", "the archive lies about its size", kRemedy);
    if (stat.size > left_)
      throw data_error(name, 0, "",
                       "the archive's arrays would unpack to many times what a file of " +
                           std::to_string(stored_) + " bytes should hold",
                       kRemedy);
    left_ -= stat.size;
    return Member(zip_.get(), entry, stat.size, name);
  }

  // Rows or columns that a file of this size may have: one that occurs takes part of a byte at least, and all
  // of them are numbered later.
  std::int64_t most_rows() const {
    constexpr std::int64_t kFree = 1 << 20, kSide = std::numeric_limits<std::int32_t>::max();
    return std::min(kSide, kFree + stored_ / 8);
  }

 private:
  fs::path path_;
  std::int64_t stored_ = 0;
  std::uint64_t left_ = 0;
  std::unique_ptr<zip_t, void (*)(zip_t*)> zip_{nullptr, zip_discard};
};

void expect_vector(const Member& array, std::int64_t size) {
  const NpyHeader& header = array.header();
  if (header.shape.size() == 1 && (size < 0 || header.shape[0] == size)) return;
  throw data_error(array.name(), 0, "shape",
                   size < 0 ? "a one-dimensional array is expected"
                            : "a one-dimensional array of " + std::to_string(size) + " values is expected",
                   kRemedy);
}

template <typename T>
T value_of(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

// Calls use(value) for each of an array of integers of 32 or 64 bits.
template <typename Use>
void for_each_integer(Member& array, const Use& use) {
  const std::string& descr = array.header().descr;
  if (descr == "<i8")
    array.for_each([&](const char* bytes) { use(value_of<std::int64_t>(bytes)); });
  else if (descr == "<i4")
    array.for_each([&](const char* bytes) { use(value_of<std::int32_t>(bytes)); });
  else
    throw data_error(array.name(), 0, "descr", "the values are of type '" + descr + "', not integers",
                     kRemedy);
}

std::vector<std::int64_t> integers(Member& array) {
  std::vector<std::int64_t> values;
  values.reserve(static_cast<std::size_t>(array.header().count));
  for_each_integer(array, [&](std::int64_t value) { values.push_back(value); });
  return values;
}

template <typename T>
std::vector<bool> nonzero_floats(Member& array) {
  std::vector<bool> result;
  result.reserve(static_cast<std::size_t>(array.header().count));
  array.for_each([&](const char* bytes) {
    const T value = value_of<T>(bytes);
    if (!std::isfinite(value))
      throw data_error(array.name(), 0, "", "value " + std::to_string(result.size()) + " is not finite",
                       "Correct the matrix.");
    result.push_back(value != 0);
  });
  return result;
}

std::vector<bool> nonzero(Member& array) {
  const std::string& descr = array.header().descr;
  if (descr == "<f4") return nonzero_floats<float>(array);
  if (descr == "<f8") return nonzero_floats<double>(array);
  constexpr std::string_view kIntegers = "biu";
  const std::int64_t size = array.header().item_bytes;
  if (descr[0] == '>' || kIntegers.find(descr[1]) == kIntegers.npos || size > 8)
    throw data_error(array.name(), 0, "descr", "the values are of type '" + descr + "'",
                     "Save little-endian numbers.");
  std::vector<bool> result;
  result.reserve(static_cast<std::size_t>(array.header().count));
  array.for_each([&](const char* bytes) {
    result.push_back(std::any_of(bytes, bytes + size, [](char c) { return c != 0; }));
  });
  return result;
}

void check_format(Archive& archive) {
  Member format = archive.open("format.npy");
  constexpr std::int64_t kLongest = 64;  // text is bytes ("|S3") or four bytes a letter ("<U3")
  std::string word;
  if (format.header().count * format.header().item_bytes <= kLongest)
    format.for_each([&](const char* bytes) {
      for (const char letter : std::string_view(bytes, static_cast<std::size_t>(format.header().item_bytes)))
        if (letter != '\0') word += letter;
    });
  if (word != "csr")
    throw data_error(format.name(), 0, "", "the matrix is stored as '" + word.substr(0, 10) + "', not as csr",
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

std::pair<std::int64_t, std::int64_t> read_shape(Archive& archive) {
  Member array = archive.open("shape.npy");
  expect_vector(array, 2);
  const auto shape = integers(array);
  const std::string size = "the matrix is " + std::to_string(shape[0]) + " x " + std::to_string(shape[1]);
  constexpr std::int64_t kMostIds = std::numeric_limits<std::int32_t>::max();
  if (shape[0] < 0 || shape[1] < 0 || shape[0] > kMostIds || shape[1] > kMostIds)
    throw data_error(array.name(), 0, "", size, "Each side must lie between 0 and 2147483647.");
  if (const std::int64_t most = archive.most_rows(); shape[0] > most || shape[1] > most)
    throw data_error(array.name(), 0, "",
                     size + ", and a file of its size can fill " + std::to_string(most) + " rows or columns",
                     "Leave out the users and items without entries.");
  return {shape[0], shape[1]};
}

void read_columns(Member& array, data::Csr& csr) {
  csr.indices.reserve(static_cast<std::size_t>(array.header().count));
  for_each_integer(array, [&](std::int64_t column) {
    if (column < 0 || column >= csr.cols) {
      const std::int64_t entry = csr.nnz();
      const auto row = std::upper_bound(csr.indptr.begin(), csr.indptr.end(), entry) - csr.indptr.begin() - 1;
      throw data_error(array.name(), 0, "",
                       "entry " + std::to_string(entry) + " (row " + std::to_string(row) + ") is column " +
                           std::to_string(column) + " of a matrix with " + std::to_string(csr.cols) +
                           " columns",
                       kRemedy);
    }
    csr.indices.push_back(static_cast<std::int32_t>(column));
  });
}

// Leaves of each row the columns to keep, ascending and each once.
void tidy_rows(data::Csr& csr, const std::vector<bool>& keep) {
  std::int64_t kept = 0, from = 0;
  for (std::int64_t r = 0; r < csr.rows; ++r) {
    const auto begin = csr.indices.begin() + kept;
    for (; from < csr.indptr[r + 1]; ++from)
      if (keep[from]) csr.indices[kept++] = csr.indices[from];
    std::sort(begin, csr.indices.begin() + kept);
    kept = std::unique(begin, csr.indices.begin() + kept) - csr.indices.begin();
    csr.indptr[r + 1] = kept;
  }
  csr.indices.resize(static_cast<std::size_t>(kept));
}

}  // namespace

data::Csr read_scipy_csr(const fs::path& path) {
  Archive archive(path);
  check_format(archive);
  data::Csr csr;
  std::tie(csr.rows, csr.cols) = read_shape(archive);
  Member indptr = archive.open("indptr.npy");
  expect_vector(indptr, csr.rows + 1);
  csr.indptr = integers(indptr);
  Member indices = archive.open("indices.npy");
  expect_vector(indices, -1);
  const std::int64_t entries = indices.header().count;
  check_indptr(csr.indptr, entries, indptr.name());
  Member data = archive.open("data.npy");
  expect_vector(data, entries);
  read_columns(indices, csr);
  tidy_rows(csr, nonzero(data));
  return csr;
}

}  // namespace hyperllm::artifact
