// Nothing of a user's validation or test interactions reaches that user's summary or embedding.
#include <gtest/gtest.h>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/data/texts.h"
#include "hyperllm/stages/embed/run.h"
#include "hyperllm/stages/extract/run.h"
#include "tests/support/folder.h"
#include "tests/support/small_dataset.h"

namespace hyperllm::stages {
namespace {

class LeakageTest : public test::FolderTest {
 protected:
  // Items i3 and i4 occur in validation and test only; i3 carries a word of its own.
  void SetUp() override {
    test::FolderTest::SetUp();
    put("items.jsonl",
        R"({"id": "i0", "title": "Rose cream", "categories": [["Care", "Face"]]}
{"id": "i1", "title": "Rose gel", "categories": [["Care", "Face"]]}
{"id": "i2", "title": "Oak lamp", "categories": [["Home", "Light"]]}
{"id": "i3", "title": "Zanzibarite lamp", "brand": "Zanzibarite", "categories": [["Home", "Zanzibarite"]]}
{"id": "i4", "title": "Oak table", "categories": [["Home", "Wood"]]}
)");
  }

  struct Output {
    std::string user_summaries, users;
  };
  Output walk(const data::Dataset& dataset) const {
    data::save_dataset(dataset, folder_);
    extract::ExtractOptions extract_options;
    extract_options.dataset = folder_;
    extract_options.min_items = 1;
    extract_options.phrase_max_share = 1;
    extract::run(extract_options, {});
    embed::EmbedOptions embed_options;
    embed_options.dataset = folder_;
    embed_options.dimension = 6;
    embed_options.min_df = 1;
    embed::run(embed_options, {});
    return {read_file(folder_ / "user_summaries.jsonl"), read_file(folder_ / "embeddings/lsa/users.npy")};
  }
};

TEST_F(LeakageTest, APlantedWordOfHeldOutItemsReachesNoUser) {
  const Output out = walk(test::small_dataset(folder_));
  EXPECT_NE(read_file(folder_ / "item_summaries.jsonl").find("Zanzibarite"), std::string::npos);
  EXPECT_EQ(out.user_summaries.find("anzibarite"), std::string::npos);
  EXPECT_EQ(out.user_summaries.find("Wood"), std::string::npos);
}

TEST_F(LeakageTest, HeldOutInteractionsChangeNothing) {
  data::Dataset dataset = test::small_dataset(folder_);
  const Output before = walk(dataset);
  const std::string tags = read_file(folder_ / "tags.tsv") + read_file(folder_ / "tag_items.tsv");
  const std::string items = read_file(folder_ / "embeddings/lsa/items.npy");
  dataset.valid = test::interactions({{0, 4}, {1, 0}, {3, 2}});
  dataset.test = test::interactions({{0, 2}, {2, 3}});
  const Output after = walk(dataset);
  EXPECT_EQ(after.user_summaries, before.user_summaries);
  EXPECT_EQ(after.users, before.users);
  EXPECT_EQ(read_file(folder_ / "tags.tsv") + read_file(folder_ / "tag_items.tsv"), tags);
  EXPECT_EQ(read_file(folder_ / "embeddings/lsa/items.npy"), items);

  dataset.train = test::interactions({{0, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 0}, {3, 3}});
  EXPECT_NE(walk(dataset).users, before.users) << "the test would not see a leak";
}

TEST_F(LeakageTest, MeansOfImportedItemEmbeddingsUseTrainingItemsOnly) {
  data::Dataset dataset = test::small_dataset(folder_);
  artifact::write_npy(folder_ / "mine.npy", 5, 2, std::vector<float>{1, 0, 0, 1, 1, 1, 9, -9, -9, 9});
  embed::EmbedOptions options;
  options.dataset = folder_;
  options.encoder = "npy";
  options.items_npy = folder_ / "mine.npy";
  data::save_dataset(dataset, folder_);
  const std::string before = read_file(embed::run(options, {}).folder / "users.npy");
  dataset.valid = test::interactions({{0, 4}, {3, 2}});
  dataset.test = {};
  data::save_dataset(dataset, folder_);
  EXPECT_EQ(read_file(embed::run(options, {}).folder / "users.npy"), before);
}

}  // namespace
}  // namespace hyperllm::stages
