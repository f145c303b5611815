#include "hyperllm/importers/rdata.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/importers/rdata_import.h"
#include "tests/support/memory_bound.h"
#include "tests/support/r_bytes.h"

namespace hyperllm::importers {
namespace {

using namespace test::r;

class RData : public ::testing::Test {
 protected:
  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      ("rdata_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    make_folder(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  RDataFrame read(const std::string& bytes, const std::string& object = "",
                  const std::string& file = "m.rda") {
    std::ofstream(folder_ / file, std::ios::binary) << bytes;  // without write_file's sync: called often
    return read_r_data_frame(folder_ / file, object);
  }
  std::string error_of(const std::string& bytes, const std::string& object = "") {
    try {
      read(bytes, object);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
      return error.what();
    }
    return "no error";
  }
  void expect_movies(const RDataFrame& frame) {
    const std::filesystem::path file = "m.rda";
    ASSERT_EQ(frame.rows, 3);
    const auto& id = frame.column("id", file).numbers;
    EXPECT_EQ(id[0], 7);
    EXPECT_TRUE(std::isnan(id[1]));
    EXPECT_EQ(id[2], -2);
    const auto& title = frame.column("title", file).texts;
    EXPECT_EQ(title[0], "Heat");
    EXPECT_EQ(title[1], "Am\xc3\xa9lie") << "Latin-1 becomes UTF-8";
    EXPECT_FALSE(title[2].has_value());
    const auto& genre = frame.column("genre", file).texts;
    EXPECT_EQ(genre[0], "Comedy");
    EXPECT_EQ(genre[1], "Drama");
    EXPECT_FALSE(genre[2].has_value());
    EXPECT_EQ(frame.column("score", file).numbers, (std::vector<double>{4.5, -0.25, 1e300}));
  }
};

TEST_F(RData, ReadsPlainAndGzippedRdaAndRds) {
  expect_movies(read(rda(frame())));
  expect_movies(read(deflate_with(rda(frame()), 15 + 16), "movies"));
  expect_movies(read(header() + frame()));
  expect_movies(read(header(3) + u32(5) + "UTF-8" + frame()));
}

TEST_F(RData, ReadsALazyLoadDatabase) {
  const std::string record = u32(1) + deflate_with(header() + frame(), 15);
  const std::string place = u32(13) + u32(2) + u32(3) + u32(static_cast<std::uint32_t>(record.size()));
  const auto index = [&](const std::string& where) {
    return deflate_with(header() + u32(19) + u32(1) + u32(19 | kAttributes) + u32(1) + where +
                            cell(symbol("names"), texts({"movies"})) + kNil,
                        15 + 16);
  };
  write_file(folder_ / "d.rdx", index(place));
  expect_movies(read("pad" + record, "movies", "d.rdb"));
  EXPECT_THROW(read("pad" + record, "films", "d.rdb"), Error);
  write_file(folder_ / "d.rdx", index(u32(13) + u32(2) + u32(3) + u32(1 << 30)));
  EXPECT_THROW(read("pad" + record, "movies", "d.rdb"), Error);
}

TEST_F(RData, SequencesStoredByRecipe) {
  const std::string info = u32(2) + symbol("compact_intseq") + u32(2) + symbol("base") + kNil;
  const std::string sequence = u32(238) + info + u32(14) + u32(3) + f64(3) + f64(10) + f64(1) + kNil;
  const auto data = [&](const std::string& column) {
    return header() + u32(19 | kAttributes) + u32(1) + column + cell(symbol("names"), texts({"x"})) + kNil;
  };
  EXPECT_EQ(read(data(sequence)).columns[0].numbers, (std::vector<double>{10, 11, 12}));
  const std::string endless = u32(238) + info + u32(14) + u32(3) + f64(1e18) + f64(10) + f64(1) + kNil;
  EXPECT_NE(error_of(data(endless)).find("impossible length"), std::string::npos);
}

TEST_F(RData, EveryTruncationIsAnErrorThatNamesTheFile) {
  const std::string whole = rda(frame());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(error_of(whole.substr(0, size)).find("m.rda"), std::string::npos) << size;
  const std::string packed = deflate_with(whole, 15 + 16);
  for (std::size_t size = 3; size + 8 < packed.size(); size += 7)
    EXPECT_NE(error_of(packed.substr(0, size)).find("truncated"), std::string::npos) << size;
}

TEST_F(RData, EveryFlippedByteIsReadOrRefusedButNeverCrashes) {
  const std::string whole = rda(frame());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      try {
        read(bytes);
      } catch (const Error&) {
      }
    }
  }
}

TEST_F(RData, SizesThatLieAreRefusedBeforeAllocation) {
  const auto lying = [](std::uint32_t code) { return header() + u32(code) + u32(0x7fffffff); };
  for (const std::uint32_t code : {10u, 13u, 14u, 16u, 19u})
    EXPECT_NE(error_of(lying(code)).find("does not fit into the file"), std::string::npos) << code;
  EXPECT_NE(error_of(header() + u32(14) + u32(0xffffffff) + u32(0x7fffffff) + u32(0)).find("does not fit"),
            std::string::npos);
  EXPECT_NE(error_of(header() + u32(16) + u32(1) + u32(9) + u32(0x7fffff00)).find("truncated"),
            std::string::npos);
}

TEST_F(RData, DeepNestingIsRefused) {
  std::string bytes = header();
  for (int i = 0; i < 100000; ++i) bytes += u32(19) + u32(1);
  EXPECT_NE(error_of(bytes).find("nested too deeply"), std::string::npos);
}

TEST_F(RData, DeepNestingByPairListsTagsAndAttributesIsRefused) {
  for (const std::uint32_t cell : {2u, 2 | kTag, 2 | kAttributes, 239u}) {
    std::string bytes = header();
    for (int i = 0; i < 100000; ++i) bytes += u32(cell);
    EXPECT_NE(error_of(bytes).find("nested too deeply"), std::string::npos) << cell;
  }
}

constexpr std::int64_t kMiB = 1 << 20;
constexpr std::string_view kTooMuch = "would take many times the memory";

// Half a kilobyte that claims 6 GB, each part of it within bounds.
TEST_F(RData, SequencesAreCountedTogether) {
  const std::string info = u32(2) + symbol("compact_intseq") + u32(2) + symbol("base") + kNil;
  std::string columns;
  for (int i = 0; i < 6; ++i)
    columns += u32(238) + info + u32(14) + u32(3) + f64(1 << 27) + f64(1) + f64(1) + kNil;
  std::ofstream(folder_ / "m.rds", std::ios::binary)
      << header() + u32(19 | kAttributes) + u32(6) + columns +
             cell(symbol("names"), texts({"a", "b", "c", "d", "e", "f"})) + kNil;
  test::expect_error_within(128 * kMiB, ErrorCode::kInvalidData, {"m.rds", kTooMuch},
                            [&] { read_r_data_frame(folder_ / "m.rds", ""); });
}

TEST_F(RData, ReferencesToALongSymbolDoNotCopyIt) {
  std::string list = symbol(std::string(kMiB, 's'));
  for (int i = 0; i < 6000; ++i) list += u32(0x1ff);
  std::ofstream(folder_ / "m.rds", std::ios::binary) << header() + u32(19) + u32(6001) + list;
  test::expect_error_within(32 * kMiB, ErrorCode::kInvalidData, {"m.rds", "not a data frame"},
                            [&] { read_r_data_frame(folder_ / "m.rds", ""); });
}

TEST_F(RData, AListOfNullsTakesFewBytesForEach) {
  constexpr std::int64_t kNulls = 5'000'000;
  std::string bytes = header() + u32(19) + u32(kNulls);
  for (std::int64_t i = 0; i < kNulls; ++i) bytes += kNil;
  std::ofstream(folder_ / "m.rds", std::ios::binary) << bytes;
  bytes = {};
  test::expect_error_within(256 * kMiB, ErrorCode::kInvalidData, {"m.rds", "not a data frame"},
                            [&] { read_r_data_frame(folder_ / "m.rds", ""); });
}

TEST_F(RData, WhatInflatesOutOfProportionIsRefusedBeforeItIsHeld) {
  test::put_gzip(folder_ / "nulls.rds", header() + u32(19) + u32(30'000'000), kNil, 30'000'000);
  test::put_gzip(folder_ / "zeros.rda", "RDX2\n", std::string(1024, '\0'), 300 * 1024);
  for (const char* name : {"nulls.rds", "zeros.rda"})
    test::expect_error_within(128 * kMiB, ErrorCode::kInvalidData, {name, kTooMuch, "write.csv"},
                              [&] { read_r_data_frame(folder_ / name, ""); });
}

// Each code of a factor becomes a text, four times its bytes.
TEST_F(RData, FactorsAreCountedAsTexts) {
  constexpr std::int64_t kRows = 1'500'000;
  const std::string levels = cell(symbol("levels"), texts({"a"})) + kNil;
  std::string column = u32(13 | kAttributes) + u32(kRows);
  for (std::int64_t i = 0; i < kRows; ++i) column += u32(1);
  column += levels;
  std::string names, columns;
  for (int i = 0; i < 2; ++i) columns += column;
  std::ofstream(folder_ / "m.rds", std::ios::binary) << deflate_with(
      header() + u32(19 | kAttributes) + u32(2) + columns + cell(symbol("names"), texts({"a", "b"})) + kNil,
      15 + 16);
  test::expect_error_within(128 * kMiB, ErrorCode::kInvalidData, {"m.rds", kTooMuch},
                            [&] { read_r_data_frame(folder_ / "m.rds", ""); });
}

TEST_F(RData, WrongFilesSayWhatTheyAreAndWhatToDo) {
  EXPECT_NE(error_of("userId,movieId\n").find("not R data in XDR form"), std::string::npos);
  EXPECT_NE(error_of("\xfd"
                     "7zXZ")
                .find("compress = \"gzip\""),
            std::string::npos);
  EXPECT_NE(error_of("BZh9").find("bzip2"), std::string::npos);
  EXPECT_NE(error_of(header(9)).find("serialization version 9"), std::string::npos);
  EXPECT_NE(error_of(header() + u32(3)).find("type 3 is not part of a plain data frame"), std::string::npos);
  EXPECT_NE(error_of(header() + texts({"a"})).find("is not a data frame"), std::string::npos);
  EXPECT_NE(error_of(rda(frame()), "movie").find("Did you mean 'movies'?"), std::string::npos);
  EXPECT_NE(error_of(rda(frame()), "elephants").find("The file has: movies."), std::string::npos);
  EXPECT_THROW(read_r_data_frame(folder_ / "absent.rda", ""), Error);
  try {
    read(rda(frame())).column("titel", "m.rda");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "m.rda: field 'titel': no such column. Did you mean 'title'?");
  }
}

TEST_F(RData, ColumnsOfUnequalLengthAndBadFactorCodesAreRefused) {
  const std::string two = u32(19 | kAttributes) + u32(2) + u32(14) + u32(1) + f64(1) + u32(14) + u32(2) +
                          f64(1) + f64(2) + cell(symbol("names"), texts({"a", "b"})) + kNil;
  EXPECT_NE(error_of(header() + two).find("field 'b': 2 values where other columns have 1"),
            std::string::npos);
  const std::string factor = u32(19 | kAttributes) + u32(1) + u32(13 | kAttributes) + u32(1) + u32(5) +
                             cell(symbol("levels"), texts({"x"})) + kNil +
                             cell(symbol("names"), texts({"f"})) + kNil;
  EXPECT_NE(error_of(header() + factor).find("field 'f': row 1 has a factor code without a level"),
            std::string::npos);
}

TEST_F(RData, ReferencesStandForEarlierSymbols) {
  const std::string shared =
      u32(19 | kAttributes) + u32(1) +
      (u32(14 | kAttributes) + u32(1) + f64(1) + cell(symbol("names"), texts({"r"})) + kNil) +
      cell(u32(0x1ff), texts({"x"})) + kNil;
  EXPECT_EQ(read(header() + shared).columns[0].name, "x");
  const std::string dangling = u32(19 | kAttributes) + u32(0) + cell(u32(0x9ff), texts({"x"})) + kNil;
  EXPECT_NE(error_of(header() + dangling).find("reference points nowhere"), std::string::npos);
}

// data.frame(movieId, title, year, genres (factor), userId, rating, timestamp), as dslabs has it.
std::string ratings(double second_rating) {
  const auto whole = [](std::vector<std::uint32_t> values) {
    std::string bytes = u32(13) + u32(static_cast<std::uint32_t>(values.size()));
    for (const std::uint32_t value : values) bytes += u32(value);
    return bytes;
  };
  const std::string genres = u32(13 | kAttributes) + u32(3) + u32(1) + u32(2) + u32(1) +
                             cell(symbol("levels"), texts({"Crime|Drama", "Comedy"})) + kNil;
  return header() + u32(19 | kAttributes) + u32(7) + whole({31, 6, 31}) +
         texts({"Heat", "Amelie", "Heat (again)"}) + whole({1995, 0x80000000, 1995}) + genres +
         whole({1, 1, 2}) + (u32(14) + u32(3) + f64(2.5) + f64(second_rating) + f64(5)) +
         whole({100, 200, 300}) +
         cell(symbol("names"),
              texts({"movieId", "title", "year", "genres", "userId", "rating", "timestamp"})) +
         kNil;
}

TEST_F(RData, RatingsAndItemTextsOfADataFrame) {
  std::ofstream(folder_ / "m.rds", std::ios::binary) << ratings(4);
  RawInteractions raw;
  read_r_ratings(folder_ / "m.rds", "", {}, {}, raw);
  ASSERT_EQ(raw.rows.size(), 3);
  EXPECT_TRUE(raw.has_rating && raw.has_timestamp);
  EXPECT_EQ(raw.items[raw.rows.item[2]], "31");
  EXPECT_EQ(raw.users[raw.rows.user[2]], "2");
  EXPECT_EQ(raw.rows.rating, (std::vector<float>{2.5, 4, 5}));
  EXPECT_EQ(raw.rows.timestamp, (std::vector<double>{100, 200, 300}));
  EXPECT_TRUE(raw.place(1).ends_with("m.rds:2"));

  ItemCollector collector({"6", "31"});
  read_r_items(folder_ / "m.rds", "", {}, {}, collector);
  EXPECT_EQ(collector.repeated(), 0) << "a film has a row for each of its ratings: that is no repetition";
  const std::vector<ItemText> items = std::move(collector).take();
  EXPECT_EQ(items[0].title, "Amelie");
  EXPECT_TRUE(items[0].other.empty()) << "a missing year is no field";
  EXPECT_EQ(items[1].title, "Heat");
  EXPECT_EQ(items[1].categories, (std::vector<std::vector<std::string>>{{"Crime"}, {"Drama"}}));
  EXPECT_EQ(items[1].other, (std::vector<std::pair<std::string, std::string>>{{"year", "1995"}}));
}

TEST_F(RData, BadRowsAndUnknownColumnsOfADataFrame) {
  std::ofstream(folder_ / "m.rds", std::ios::binary) << ratings(std::nan(""));
  const auto message = [&](const CsvColumns& columns) -> std::string {
    RawInteractions raw;
    try {
      read_r_ratings(folder_ / "m.rds", "", columns, {}, raw);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(message({}).find("m.rds:2: field 'rating': '' is not a finite number"), std::string::npos)
      << message({});
  CsvColumns columns;
  columns.rating = "title";
  EXPECT_NE(message(columns).find("m.rds:1: field 'title': 'Heat' is not a finite number"),
            std::string::npos);
  columns.rating = "raiting";
  EXPECT_NE(message(columns).find("Did you mean 'rating'?"), std::string::npos);
  std::ofstream(folder_ / "m.rds", std::ios::binary) << header() + frame();
  EXPECT_NE(message({}).find("cannot tell which column user_column is"), std::string::npos);
}

}  // namespace
}  // namespace hyperllm::importers
