#include "hyperllm/data/dataset.h"

#include <unistd.h>

#include <cmath>
#include <limits>
#include <map>

#include "tests/support/folder.h"

namespace hyperllm::data {
namespace {

constexpr const char* kHeader = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n";

class DatasetFiles : public test::FolderTest {
 protected:
  void put_split(const std::string& train, const std::string& valid = kHeader,
                 const std::string& test = kHeader) {
    put("shop/shop.train.inter", train);
    put("shop/shop.valid.inter", valid);
    put("shop/shop.test.inter", test);
  }
  std::filesystem::path shop() const { return folder_ / "shop"; }
};

TEST_F(DatasetFiles, WhatIsSavedReadsBackEqual) {
  Dataset dataset;
  dataset.users = {"u b", "ü", "3"};
  dataset.items = {"x", "B00\"1", "unused"};
  dataset.train = {
      {0, 1, 2}, {1, 0, 1}, {0.1f, -3.4e38f, 1.17549435e-38f}, {0, 1628643414.042, 1e15 + 0.125}};
  dataset.valid = {{2}, {0}, {std::nextafter(4.0f, 5.0f)}, {std::nextafter(1e9, 2e9)}};
  save_dataset(dataset, shop());
  const Dataset back = load_dataset(shop());
  EXPECT_EQ(back.name, "shop");
  EXPECT_EQ(back.users, dataset.users);
  EXPECT_EQ(back.items, dataset.items);
  for (const auto& [a, b] :
       {std::pair{&back.train, &dataset.train}, {&back.valid, &dataset.valid}, {&back.test, &dataset.test}}) {
    EXPECT_EQ(a->user, b->user);
    EXPECT_EQ(a->item, b->item);
    EXPECT_EQ(a->rating, b->rating);
    EXPECT_EQ(a->timestamp, b->timestamp);
  }
  EXPECT_EQ(read_file(shop() / "shop.train.inter").substr(0, std::string(kHeader).size()), kHeader);
  EXPECT_EQ(read_file(shop() / "users.tsv"), "user_id:token\nu b\nü\n3\n");
  EXPECT_TRUE(back.train_csr().contains(0, 1));
  EXPECT_EQ(back.train_csr().cols, 3);
}

TEST_F(DatasetFiles, SavingTwiceGivesTheSameBytes) {
  Dataset dataset{"shop", {"a", "b"}, {"x"}, {{0, 1}, {0, 0}, {1, 2}, {3, 4}}, {}, {}};
  save_dataset(dataset, shop());
  const std::string first = read_file(shop() / "shop.train.inter");
  save_dataset(load_dataset(shop()), folder_ / "again");
  EXPECT_EQ(read_file(folder_ / "again/shop.train.inter"), first);
  EXPECT_EQ(load_dataset(folder_ / "again").name, "shop");  // the folder's name differs from the files'
}

TEST_F(DatasetFiles, RecBoleFolderNumbersIdsByFirstAppearance) {
  put_split("item_id:token\tage:float\tuser_id:token\nx\t1\tb\ny\t1\ta\n",
            "user_id:token\titem_id:token\nc\tx\n",
            "rating:float\tuser_id:token\titem_id:token\r\n2.5\tb\tz\r\n");
  const Dataset dataset = load_dataset(shop());
  EXPECT_EQ(dataset.users, (std::vector<std::string>{"b", "a", "c"}));
  EXPECT_EQ(dataset.items, (std::vector<std::string>{"x", "y", "z"}));
  EXPECT_EQ(dataset.train.rating, (std::vector<float>{1, 1}));
  EXPECT_EQ(dataset.train.timestamp, (std::vector<double>{0, 0}));
  EXPECT_EQ(dataset.test.rating, (std::vector<float>{2.5f}));
  EXPECT_EQ(dataset.test.item, (std::vector<std::int32_t>{2}));
}

TEST_F(DatasetFiles, MissingFoldersAndFilesAreNamed) {
  test::expect_error(ErrorCode::kIo, {"nowhere", "no such folder"},
                     [&] { load_dataset(folder_ / "nowhere"); });
  test::expect_error(ErrorCode::kIo, {"has no file", ".train.inter", "prepare"},
                     [&] { load_dataset(folder_); });
  put("shop/shop.train.inter", kHeader);
  test::expect_error(ErrorCode::kIo, {"shop.valid.inter", "cannot open"}, [&] { load_dataset(shop()); });
}

TEST_F(DatasetFiles, BadRowsSayFileLineFieldAndRemedy) {
  const struct {
    std::string rows;
    std::initializer_list<std::string_view> parts;
  } cases[] = {
      {"a\tx\t1\t2\na\tx\t1\n", {"shop.train.inter:3", "3 fields where 4", "separator"}},
      {"a\tx\t1\t2\t5\n", {"shop.train.inter:2", "5 fields where 4"}},
      {"a\tx\tgood\t2\n",
       {"shop.train.inter:2", "field 'rating'", "'good' is not a number", "Give a number"}},
      {"a\tx\tnan\t2\n", {"shop.train.inter:2", "field 'rating'", "not finite", "remove the row"}},
      {"a\tx\t1\tinf\n", {"field 'timestamp'", "not finite"}},
      {"a\tx\t1e39\t2\n", {"field 'rating'", "32-bit"}},
      {"a\tx\t1e999\t2\n", {"field 'rating'", "not finite"}},
      {"a\tx\t1\t\n", {"field 'timestamp'", "'' is not a number"}},
      {"\tx\t1\t2\n", {"field 'user_id'", "empty"}},
      {"\n\na\t \t1\t2\n", {"shop.train.inter:4", "field 'item_id'", "empty"}},
      {std::string("a\0\tx\t1\t2\n", 9), {"shop.train.inter:2", "NUL"}},
  };
  for (const auto& bad : cases) {
    put_split(kHeader + bad.rows);
    test::expect_error(ErrorCode::kInvalidData, bad.parts, [&] { load_dataset(shop()); });
  }
}

TEST_F(DatasetFiles, BadHeadersSayWhatIsExpected) {
  const struct {
    std::string header, problem;
  } cases[] = {{"", "empty"},
               {"user_id:token\titem:token\n", "field 'item_id': the header has no such column"},
               {"uid:token\titem_id:token\n", "field 'user_id': the header has no such column"},
               {"user_id\titem_id\n", "no type"},
               {"user_id:token\titem_id:token\tuser_id:token\n", "twice"},
               {"user_id:token,item_id:token\n", "field 'item_id'"}};
  for (const auto& bad : cases) {
    put_split(bad.header);
    test::expect_error(ErrorCode::kInvalidData,
                       {"shop.train.inter", bad.problem, "user_id:token<tab>item_id:token"},
                       [&] { load_dataset(shop()); });
  }
}

TEST_F(DatasetFiles, IdListsAreCheckedAgainstTheInteractions) {
  put_split(std::string(kHeader) + "a\tx\t1\t2\n");
  put("shop/users.tsv", "user_id:token\na\n");
  test::expect_error(ErrorCode::kIo, {"items.tsv"}, [&] { load_dataset(shop()); });
  put("shop/items.tsv", "item_id:token\ny\n");
  test::expect_error(ErrorCode::kInvalidData,
                     {"shop.train.inter:2", "field 'item_id'", "items.tsv has no 'x'"},
                     [&] { load_dataset(shop()); });
  put("shop/items.tsv", "item_id:token\nx\ny\nx\n");
  test::expect_error(ErrorCode::kInvalidData, {"items.tsv:4", "'x' is there twice"},
                     [&] { load_dataset(shop()); });
  put("shop/items.tsv", "x\n");
  test::expect_error(ErrorCode::kInvalidData, {"items.tsv:1", "item_id:token"},
                     [&] { load_dataset(shop()); });
}

TEST_F(DatasetFiles, IdsThatWouldBreakTheFileAreRefused) {
  Dataset dataset;
  dataset.name = "shop";
  for (const char* id : {"", "a\tb", "a\nb"}) {
    dataset.users = {id};
    test::expect_error(ErrorCode::kInvalidArgument, {"users.tsv", "tab"},
                       [&] { save_dataset(dataset, folder_); });
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "users.tsv"));
}

// New validation rows beside old training rows would be a leak.
TEST_F(DatasetFiles, AFullDiskLeavesTheEarlierDatasetWhole) {
  Dataset dataset;
  dataset.name = "shop";
  dataset.users = {"a", "b"};
  dataset.items = {"x", "y"};
  dataset.train = {{0, 1}, {0, 1}, {1, 1}, {0, 0}};
  dataset.valid = dataset.test = {{0}, {1}, {1}, {0}};
  save_dataset(dataset, shop());
  std::map<std::string, std::string> before;
  for (const auto& entry : std::filesystem::directory_iterator(shop()))
    before[entry.path().string()] = read_file(entry.path());
  ASSERT_EQ(before.size(), 5u);
  dataset.users = {"c", "d"};
  dataset.items = {"z", "y"};
  set_file_step_hook([](const char* step, const std::filesystem::path& path) {
    errno = ENOSPC;
    if (step == std::string("sync") && path.filename() == "shop.train.inter") throw io_error(path, "write");
  });
  test::expect_error(ErrorCode::kIo, {"shop.train.inter", "No space left"},
                     [&] { save_dataset(dataset, shop()); });
  set_file_step_hook(nullptr);
  for (const auto& [file, content] : before) EXPECT_EQ(read_file(file), content) << file;
}

}  // namespace
}  // namespace hyperllm::data
