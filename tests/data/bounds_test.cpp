// Files that are out of all proportion are refused, or read in proportion: memory and time stay those of an
// honest file of their size.
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/item_json.h"
#include "hyperllm/data/lines.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/data/table.h"
#include "hyperllm/importers/csv.h"
#include "hyperllm/importers/jsonl.h"
#include "hyperllm/importers/python_literal.h"
#include "tests/support/folder.h"
#include "tests/support/memory_bound.h"

namespace hyperllm::data {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

class Bounds : public test::FolderTest {
 protected:
  std::int64_t read_ratings(const std::string& name) const {
    importers::RawInteractions raw;
    importers::CsvColumns columns;
    columns.header = importers::Header::kNo;
    importers::read_ratings_csv(folder_ / name, columns, {}, raw);
    return raw.rows.size();
  }
  void read_items(const std::string& name) const {
    importers::ItemCollector items({"x"});
    importers::read_items_csv(folder_ / name, {}, {}, items);
  }
};

// 40 KB that were 10 million interactions.
TEST_F(Bounds, AGzipOfTooManyLinesIsRefused) {
  test::put_gzip(folder_ / "r.csv.gz", "", "a,b\n", 10'000'000);
  test::expect_error_within(400 * kMiB, ErrorCode::kInvalidData,
                            {"r.csv.gz:4", "unpacks to more than any honest text", "gunzip"},
                            [&] { read_ratings("r.csv.gz"); });
}

TEST_F(Bounds, AGzipThatUnpacksOutOfProportionIsRefused) {
  test::put_gzip(folder_ / "i.csv.gz", "id,title\n", std::string(1 << 16, 'y') + ",t\n", 4000);
  test::expect_error_within(64 * kMiB, ErrorCode::kInvalidData,
                            {"i.csv.gz:", "unpacks to more than any honest text"},
                            [&] { read_items("i.csv.gz"); });
}

TEST_F(Bounds, AnHonestGzipIsReadWhole) {
  test::put_gzip(folder_ / "r.csv.gz", "", "a,b\n", 1'000'000);
  EXPECT_EQ(read_ratings("r.csv.gz"), 1'000'000);
}

TEST_F(Bounds, ALineOfManyMegabytesIsRefused) {
  test::put_gzip(folder_ / "i.jsonl.gz", "{\"id\": \"x\", \"a\": [", "{},", 10'000'000, "{}]}\n");
  test::expect_error_within(256 * kMiB, ErrorCode::kInvalidData, {"i.jsonl.gz:1", "longer than 16 MiB"}, [&] {
    importers::ItemCollector items({"x"});
    importers::read_items_jsonl(folder_ / "i.jsonl.gz", {}, {}, items);
  });
}

TEST_F(Bounds, ARowOfAMillionFieldsIsRefused) {
  const std::string fields(1'000'000, ',');
  put("plain.csv", "id" + fields + "\nx" + fields + "\n");
  put("quoted.csv", "\"id\"" + fields + "\nx" + fields + "\n");
  for (const char* name : {"plain.csv", "quoted.csv"})
    test::expect_error_within(64 * kMiB, ErrorCode::kInvalidData, {name, ":1: ", "more than 100000 fields"},
                              [&] { read_items(name); });
}

TEST_F(Bounds, IdsAndNumbersOfMegabytesAreErrorsOfALine) {
  const std::string digits(4 * kMiB, '7');
  put("d/users.tsv", "user_id:token\n" + digits + "\n" + digits + "\n");
  put("d/items.tsv", "item_id:token\ni\n");
  put("d/d.train.inter", "user_id:token\titem_id:token\n");
  test::expect_error_within(128 * kMiB, ErrorCode::kInvalidData, {"users.tsv:3", "is there twice", "77..."},
                            [&] { load_dataset(folder_ / "d"); });
  put("r.csv", "u,i," + digits + "\n");
  test::expect_error_within(128 * kMiB, ErrorCode::kInvalidData, {"r.csv:1", "not finite"},
                            [&] { read_ratings("r.csv"); });
  EXPECT_FALSE(to_integer(digits));
  EXPECT_TRUE(importers::parse_python_literal("{'a': " + digits + "}"));
  EXPECT_FALSE(importers::parse_python_literal("{'a': " + std::string(500'000, '(')));
}

// Both would take hours in quadratic time.
TEST(BoundsOfTime, LongNamesAndManyFields) {
  const std::string name(3 * kMiB, 'a');
  EXPECT_EQ(nearest_word(name, {name + "b"}), "");
  EXPECT_EQ(nearest_word("titel", {name, "title", name}), "title");
  EXPECT_LT(std::string(data_error("f", 1, name, name, name).what()).size(), 3000u);
  const std::string umlauts = [] {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "\xc3\xa4";
    return text;
  }();
  EXPECT_NE(std::string(data_error("f", 1, "x" + umlauts + "y", "", "").what()).find("\xc3\xa4...\xc3\xa4"),
            std::string::npos);

  ItemText item;
  item.id = "x";
  item.title = "t";
  for (int i = 0; i < 300'000; ++i) item.other.emplace_back("field " + std::to_string(i), "v");
  item.other.emplace_back("field 299999", "last");
  item.other.emplace_back("title", "other");
  const auto object = item_to_json(item);
  EXPECT_EQ(object.size(), 300'002u);
  EXPECT_EQ(object.back(), "last");
  EXPECT_EQ(object["title"], "other");
}

}  // namespace
}  // namespace hyperllm::data
