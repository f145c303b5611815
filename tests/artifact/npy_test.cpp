#include "hyperllm/artifact/npy.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/folder.h"
#include "tests/support/memory_bound.h"
#include "tests/support/npy_bytes.h"

namespace hyperllm::artifact {
namespace {

using test::bytes_of;
using test::dict;
using test::expect_error;
using test::npy;
using Entries = test::NpzEntries;

class Npy : public test::FolderTest {};

TEST_F(Npy, WhatIsWrittenReadsBackEqual) {
  const std::vector<float> values = {0, -0.0f, 1.5f, std::numeric_limits<float>::denorm_min(), 3.4e38f, -7};
  write_npy(folder_ / "a.npy", 3, 2, values);
  const Matrix back = read_npy(folder_ / "a.npy");
  EXPECT_EQ(back.rows, 3);
  EXPECT_EQ(back.cols, 2);
  EXPECT_EQ(std::memcmp(back.values.data(), values.data(), values.size() * sizeof(float)), 0);
  EXPECT_EQ(back.row(1)[0], 1.5f);
  const std::string file = read_file(folder_ / "a.npy");
  EXPECT_EQ(file.find('\n') + 1, file.size() - values.size() * sizeof(float));
  EXPECT_EQ((file.find('\n') + 1) % 64, 0u);  // NumPy aligns the data so
  EXPECT_THROW(write_npy(folder_ / "b.npy", 3, 3, values), Error);
}

TEST_F(Npy, ReadsDoublesVectorsAndEveryVersion) {
  const std::string doubles = bytes_of(std::vector<double>{0.1, -2, 1e-60});
  for (const int version : {1, 2, 3}) {
    put("d.npy", npy(dict("<f8", "(3,)"), doubles, version));
    const Matrix matrix = read_npy(folder_ / "d.npy");
    EXPECT_EQ(matrix.rows, 3);
    EXPECT_EQ(matrix.cols, 1);
    EXPECT_EQ(matrix.values, (std::vector<float>{0.1f, -2, 0}));
  }
  put("e.npy", npy(dict("<f4", "(0, 5)"), ""));
  EXPECT_EQ(read_npy(folder_ / "e.npy").rows, 0);
}

TEST_F(Npy, HostileFilesAreErrorsBeforeAnythingIsAllocated) {
  const std::string four = bytes_of(std::vector<float>{1, 2, 3, 4});
  const struct {
    std::string content;
    std::initializer_list<std::string_view> parts;
  } cases[] = {
      {"", {"bad.npy", "truncated"}},
      {"\x93NUM", {"truncated"}},
      {"PK\x03\x04 something else", {"not a .npy file", "numpy.save"}},
      {npy(dict("<f4", "(2, 2)"), four).replace(6, 1, "\x09"), {"version 9"}},
      {npy(dict("<f4", "(2, 2)"), four.substr(0, 15)), {"promises 16 bytes", "has 15", "truncated"}},
      {npy(dict("<f4", "(2, 2)"), four + "x"), {"promises 16 bytes", "has 17"}},
      {npy(dict("<f4", "(1000000000, 1000000000)"), four), {"promises 4000000000000000000"}},
      {npy(dict("<f4", "(9000000000000000000, 9000000000000000000)"), four),
       {"field 'shape'", "beyond any file"}},
      {npy(dict("<f4", "(4611686018427387904, 4)"), four), {"beyond any file"}},
      {npy(dict("<f4", "(99999999999999999999999, 4)"), four), {"malformed", "list of sizes"}},
      {npy(dict("<f4", "(-2, -2)"), four), {"malformed"}},
      {npy(dict("<f4", "(1000000000000, 0)"), ""), {"no columns"}},
      {npy(dict("<f4", "(0, 9000000000000000000)"), ""), {"no row has so many columns"}},
      {npy(dict("<f4", "(2, 2)", "True"), four), {"fortran_order", "ascontiguousarray"}},
      {npy(dict("<f4", "(1, 2, 2)"), four), {"3 dimensions"}},
      {npy(dict("<f4", "()"), four), {"0 dimensions"}},
      {npy(dict("<i4", "(2, 2)"), four), {"field 'descr'", "'<i4'", "astype"}},
      {npy(dict(">f4", "(2, 2)"), four), {"'>f4'"}},
      {npy(dict("|O", "(2, 2)"), four), {"'|O'"}},
      {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,)}", four),
       {"malformed", "structured"}},
      {npy("{'descr': '<f4', 'shape': (4,)}", four), {"missing"}},
      {npy("{'descr': '<f4", four), {"malformed", "not closed"}},
      {npy(dict("<f4", "(2, 2)"), four).replace(8, 2, "\xff\xff"), {"truncated"}},
      {npy(dict("<f4", "(2, 2)"), bytes_of(std::vector<float>{1, 2, NAN, 4})), {"row 1, column 0 is NaN"}},
      {npy(dict("<f4", "(2, 2)"), bytes_of(std::vector<float>{1, INFINITY, 3, 4})),
       {"row 0, column 1 is infinite"}},
      {npy(dict("<f8", "(1, 2)"), bytes_of(std::vector<double>{1, 1e60})), {"row 0, column 1 is infinite"}},
  };
  for (const auto& bad : cases) {
    put("bad.npy", bad.content);
    expect_error(ErrorCode::kInvalidData, bad.parts, [&] { read_npy(folder_ / "bad.npy"); });
  }
  expect_error(ErrorCode::kIo, {"none.npy", "No such file", "Check the path"},
               [&] { read_npy(folder_ / "none.npy"); });
}

// Every truncation and every flipped byte of the header is an error or still a whole matrix, never a crash.
TEST_F(Npy, DamagedBytesNeverGetThrough) {
  write_npy(folder_ / "good.npy", 2, 2, std::vector<float>{1, 2, 3, 4});
  const std::string good = read_file(folder_ / "good.npy");
  for (std::size_t i = 0; i < good.size(); ++i) {
    put("cut.npy", good.substr(0, i));
    EXPECT_THROW(read_npy(folder_ / "cut.npy"), Error) << "cut at " << i;
    std::string flipped = good;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x55);
    put("flip.npy", flipped);
    try {
      const Matrix matrix = read_npy(folder_ / "flip.npy");
      EXPECT_EQ(matrix.values.size(), 4u);
    } catch (const Error&) {
    }
  }
}

class Npz : public test::FolderTest {
 protected:
  std::filesystem::path pack(const Entries& entries, bool compressed = true) const {
    return test::pack_npz(folder_ / "m.npz", entries, compressed);
  }
  static Entries good() { return test::npz_entries(); }

  data::Csr read(const std::string& entry, const std::string& content) const {
    Entries entries = good();
    entries[entry] = content;
    return read_scipy_csr(pack(entries));
  }
};

TEST_F(Npz, ReadsThePatternOfAMatrixAndDropsExplicitZeros) {
  for (const bool compressed : {true, false}) {
    const data::Csr csr = read_scipy_csr(pack(good(), compressed));
    EXPECT_EQ(csr.rows, 3);
    EXPECT_EQ(csr.cols, 3);
    EXPECT_EQ(csr.indptr, (std::vector<std::int64_t>{0, 2, 2, 3}));
    EXPECT_EQ(csr.indices, (std::vector<std::int32_t>{0, 2, 1}));
  }
}

TEST_F(Npz, ReadsTheTypesThatSciPyWrites) {
  const std::vector<std::int32_t> expected = {0, 2, 1};
  EXPECT_EQ(
      read("indptr.npy", npy(dict("<i8", "(4,)"), bytes_of(std::vector<std::int64_t>{0, 2, 2, 4}))).indices,
      expected);
  EXPECT_EQ(
      read("data.npy", npy(dict("|b1", "(4,)"), bytes_of(std::vector<std::int8_t>{1, 1, 0, 1}))).indices,
      expected);
  EXPECT_EQ(
      read("data.npy", npy(dict("<i8", "(4,)"), bytes_of(std::vector<std::int64_t>{1, 256, 0, -1}))).indices,
      expected);
  EXPECT_EQ(read("data.npy", npy(dict("<f4", "(4,)"), bytes_of(std::vector<float>{1, 1, -0.0f, 1}))).indices,
            expected);
  EXPECT_EQ(read("format.npy", npy(dict("<U3", "()"), std::string("c\0\0\0s\0\0\0r\0\0\0", 12))).indices,
            expected);
}

TEST_F(Npz, HostileArchivesAreErrors) {
  const auto shape = [](std::int64_t rows, std::int64_t cols) {
    return npy(dict("<i8", "(2,)"), bytes_of(std::vector<std::int64_t>{rows, cols}));
  };
  const auto ints = [](const std::vector<std::int32_t>& values) {
    return npy(dict("<i4", "(" + std::to_string(values.size()) + ",)"), bytes_of(values));
  };
  const struct {
    std::string entry, content;
    std::initializer_list<std::string_view> parts;
  } cases[] = {
      {"format.npy", npy(dict("|S3", "()"), "coo"), {"format.npy", "stored as 'coo'", "tocsr"}},
      {"shape.npy", shape(3, 2), {"indices.npy", "entry 1 (row 0) is column 2", "2 columns"}},
      {"shape.npy", shape(4, 3), {"indptr.npy", "5 values"}},
      {"shape.npy", shape(std::int64_t{1} << 62, 3), {"shape.npy", "2147483647"}},
      {"shape.npy", shape(-1, 3), {"shape.npy", "-1 x 3"}},
      {"shape.npy", npy(dict("<f8", "(2,)"), std::string(16, '\0')), {"shape.npy", "not integers"}},
      {"indptr.npy", ints({0, 3, 2, 4}), {"indptr.npy", "do not rise"}},
      {"indptr.npy", ints({0, 2, 2, 5}), {"indptr.npy", "do not rise"}},
      {"indptr.npy", ints({0, 2, 2, 3}), {"indptr.npy", "do not rise"}},
      {"indptr.npy", ints({-1, 2, 2, 4}), {"indptr.npy"}},
      {"indptr.npy", npy(dict("<i4", "(1000000000000,)"), ""), {"indptr.npy", "promises"}},
      {"indices.npy", ints({0, -1, 2, 1}), {"indices.npy", "column -1"}},
      {"indices.npy", ints({0, 1, 2}), {"indptr.npy"}},
      {"data.npy", npy(dict("<f4", "(3,)"), std::string(12, '\1')), {"data.npy", "4 values"}},
      {"data.npy",
       npy(dict("<f4", "(4,)"), bytes_of(std::vector<float>{1, NAN, 1, 1})),
       {"data.npy", "value 1 is not finite"}},
      {"data.npy", npy(dict("<c8", "(4,)"), std::string(32, '\1')), {"data.npy", "'<c8'"}},
      {"data.npy", "garbage", {"data.npy", "not a .npy"}},
  };
  for (const auto& bad : cases)
    expect_error(ErrorCode::kInvalidData, bad.parts, [&] { read(bad.entry, bad.content); });
  auto entries = good();
  entries.erase("indptr.npy");
  expect_error(ErrorCode::kInvalidData, {"m.npz", "has no indptr.npy", "save_npz"},
               [&] { read_scipy_csr(pack(entries)); });
  expect_error(ErrorCode::kIo, {"none.npz", "no such file"}, [&] { read_scipy_csr(folder_ / "none.npz"); });
  put("text.npz", "this is text");
  expect_error(ErrorCode::kInvalidData, {"text.npz", "not a whole .npz"},
               [&] { read_scipy_csr(folder_ / "text.npz"); });
}

// Deflate writes a thousand zeros as one byte: each array is within that, and so were 8 GB from 20 MB.
TEST_F(Npz, ArraysThatUnpackOutOfProportionAreRefusedBeforeTheyAreRead) {
  constexpr std::int64_t kZeros = 60'000'000, kMiB = 1 << 20;
  Entries entries = good();
  entries["indptr.npy"] =
      npy(dict("<i8", "(4,)"), bytes_of(std::vector<std::int64_t>{0, kZeros, kZeros, kZeros}));
  entries["indices.npy"] = npy(dict("<i4", "(60000000,)"), std::string(4 * kZeros, '\0'));
  entries["data.npy"] = npy(dict("|b1", "(60000000,)"), std::string(kZeros, '\0'));
  const auto path = pack(entries);
  entries.clear();
  test::expect_error_within(64 * kMiB, ErrorCode::kInvalidData,
                            {"m.npz/indices.npy", "would unpack to many times", "save_npz"},
                            [&] { read_scipy_csr(path); });
}

// All rows and columns are numbered later, whether or not an entry is in them.
TEST_F(Npz, MoreRowsOrColumnsThanTheFileCanFillAreRefused) {
  for (const auto& sides : {std::vector<std::int64_t>{3, 2147483647}, {2147483646, 3}}) {
    Entries entries = good();
    entries["shape.npy"] = npy(dict("<i8", "(2,)"), bytes_of(sides));
    expect_error(ErrorCode::kInvalidData, {"m.npz/shape.npy", "can fill 1048", "Leave out"},
                 [&] { read_scipy_csr(pack(entries)); });
  }
}

TEST_F(Npz, RowsNeedNotBeSortedNorEntriesSingle) {
  Entries entries = good();
  entries["indptr.npy"] = npy(dict("<i4", "(4,)"), bytes_of(std::vector<std::int32_t>{0, 4, 4, 6}));
  entries["indices.npy"] = npy(dict("<i4", "(6,)"), bytes_of(std::vector<std::int32_t>{2, 0, 2, 1, 1, 0}));
  entries["data.npy"] = npy(dict("<i8", "(6,)"), bytes_of(std::vector<std::int64_t>{1, 1, 1, 0, 3, 4}));
  const data::Csr csr = read_scipy_csr(pack(entries));
  EXPECT_EQ(csr.indptr, (std::vector<std::int64_t>{0, 2, 2, 4}));
  EXPECT_EQ(csr.indices, (std::vector<std::int32_t>{0, 2, 0, 1}));
}

TEST_F(Npz, DamagedBytesNeverGetThrough) {
  const std::string archive = read_file(pack(good()));
  const auto whole = read_scipy_csr(folder_ / "m.npz");
  for (std::size_t i = 0; i < archive.size(); i += 3) {  // every byte takes too long on a busy machine
    put("cut.npz", archive.substr(0, i));
    EXPECT_THROW(read_scipy_csr(folder_ / "cut.npz"), Error) << "cut at " << i;
    std::string flipped = archive;
    flipped[i] = static_cast<char>(flipped[i] ^ 0xff);
    put("flip.npz", flipped);
    try {  // bytes that mean nothing (dates, attributes) may change
      EXPECT_EQ(read_scipy_csr(folder_ / "flip.npz").indices, whole.indices) << "flipped " << i;
    } catch (const Error&) {
    }
  }
}

// The sizes in the central directory (offset 24) and the local header (offset 22) claim 4 GiB.
TEST_F(Npz, AnArchiveThatLiesAboutSizesAllocatesNothing) {
  std::string archive = read_file(pack(good()));
  for (std::size_t at = 0; (at = archive.find("PK\x01\x02", at)) != archive.npos; at += 4)
    archive.replace(at + 24, 4, "\xf0\xff\xff\xff");
  for (std::size_t at = 0; (at = archive.find("PK\x03\x04", at)) != archive.npos; at += 4)
    archive.replace(at + 22, 4, "\xf0\xff\xff\xff");
  put("lie.npz", archive);
  expect_error(ErrorCode::kInvalidData, {"lie.npz", "lies about its size"},
               [&] { read_scipy_csr(folder_ / "lie.npz"); });
}

TEST_F(Npz, ReadsTheReleasedBeautyMatrices) {
  const auto beauty = test::beauty_folder();
  if (beauty.empty()) GTEST_SKIP() << "set HYPERLLM_DATA to the folder that holds amazon-beauty";
  const auto train = read_scipy_csr(beauty / "train_matrix.npz");
  EXPECT_EQ(train.rows, 10553);
  EXPECT_EQ(train.cols, 6086);
  EXPECT_EQ(train.nnz(), 70614);
  EXPECT_EQ(read_scipy_csr(beauty / "val_matrix.npz").nnz(), 11767);
  const Matrix items = read_npy(beauty / "phase1_item_embeddings.npy");
  EXPECT_EQ(items.rows, 6086);
  EXPECT_EQ(items.cols, 50);
}

}  // namespace
}  // namespace hyperllm::artifact
