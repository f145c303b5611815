#include "hyperllm/data/dataset.h"
#include "hyperllm/retrieval/model_files.h"
#include "hyperllm/stages/recommend/run.h"
#include "nlohmann/json.hpp"
#include "tests/support/folder.h"

namespace hyperllm::stages::recommend {
namespace {

using test::expect_error;

class Recommend : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    data::Dataset dataset;
    dataset.name = "toy";
    dataset.users = {"ann", "bob", "newcomer"};
    dataset.items = {"i0", "i1", "i2", "item3"};
    dataset.train = {{0, 1, 1}, {0, 1, 2}, {5, 5, 5}, {0, 0, 0}};
    dataset.valid = {{0}, {1}, {5}, {0}};
    dataset.test = {{0, 2}, {2, 0}, {5, 5}, {0, 0}};
    data::save_dataset(dataset, folder_ / "toy");
    put("toy/items.jsonl",
        "{\"id\": \"i1\", \"title\": \"Caf\u00e9 cr\u00e8me\"}\n{\"id\": \"item3\", \"title\": \"Lip "
        "balm\"}\n");
    options_.dataset = folder_ / "toy";
    options_.run = folder_ / "run";
    options_.users = {"ann"};
    retrieval::save_popularity_model(options_.run / "model", std::vector<float>{4, 3.5, 2.1F, 1});
  }
  std::vector<std::string> ids(const RecommendOptions& options) const {
    std::vector<std::string> result;
    for (const auto& user : run(options, {}).users)
      for (const auto& item : user.items) result.push_back(item.id);
    return result;
  }
  RecommendOptions options_;
};

TEST_F(Recommend, LeavesOutWhatIsExcluded) {
  EXPECT_EQ(ids(options_), (std::vector<std::string>{"item3"}));
  options_.exclude = "train+valid";
  EXPECT_EQ(ids(options_), (std::vector<std::string>{"i2", "item3"}));
  options_.exclude = "train";
  EXPECT_EQ(ids(options_), (std::vector<std::string>{"i1", "i2", "item3"}));
  options_.k = 2;
  EXPECT_EQ(ids(options_), (std::vector<std::string>{"i1", "i2"}));
}

TEST_F(Recommend, TextForPeople) {
  options_.users = {"bob", "newcomer"};
  options_.k = 3;
  EXPECT_EQ(run(options_, {}).text,
            "user bob (2 training items)\n"
            "   1           4  i0\n"
            "   2           1  item3  Lip balm\n"
            "\n"
            "user newcomer (cold: no training items, the model can only guess)\n"
            "   1         3.5  i1     Caf\u00e9 cr\u00e8me\n"
            "   2         2.1  i2\n"
            "   3           1  item3  Lip balm\n");
}

TEST_F(Recommend, JsonForPrograms) {
  options_.users = {"newcomer", "ann"};
  options_.format = "json";
  options_.k = 2;
  const std::string text = run(options_, {}).text;
  EXPECT_EQ(text,
            "{\"user\":\"newcomer\",\"cold\":true,\"items\":[{\"rank\":1,\"id\":\"i1\",\"title\":\"Caf\u00e9 "
            "cr\u00e8me\",\"score\":3.5},{\"rank\":2,\"id\":\"i2\",\"score\":2.1}]}\n"
            "{\"user\":\"ann\",\"cold\":false,\"items\":[{\"rank\":1,\"id\":\"item3\",\"title\":\"Lip "
            "balm\",\"score\":1.0}]}\n");
  EXPECT_TRUE(nlohmann::json::accept(text.substr(0, text.find('\n'))));
}

TEST_F(Recommend, AllUsersIntoAFile) {
  options_.users = {};
  options_.all = true;
  options_.output = folder_ / "out/list.jsonl";
  options_.format = "json";
  const RecommendResult result = run(options_, {});
  EXPECT_EQ(result.users.size(), 3u);
  EXPECT_EQ(read_file(options_.output), result.text);
}

TEST_F(Recommend, ACatalogueWithoutTexts) {
  std::filesystem::remove(folder_ / "toy/items.jsonl");
  EXPECT_EQ(run(options_, {}).text, "user ann (1 training item)\n   1           1  item3\n");
}

TEST_F(Recommend, NothingLeft) {
  data::Dataset dataset = data::load_dataset(options_.dataset);
  dataset.train = {{0, 0, 0, 0}, {0, 1, 2, 3}, {5, 5, 5, 5}, {0, 0, 0, 0}};
  data::save_dataset(dataset, options_.dataset);
  EXPECT_EQ(run(options_, {}).text, "user ann (4 training items)\n  nothing is left to recommend\n");
}

TEST_F(Recommend, BadOptions) {
  const auto expect_bad = [&](std::initializer_list<std::string_view> parts, auto&& change) {
    RecommendOptions bad = options_;
    change(bad);
    expect_error(ErrorCode::kInvalidArgument, parts, [&] { run(bad, {}); });
  };
  expect_bad({"unknown user 'anne'; did you mean 'ann'?"}, [](auto& o) { o.users = {"bob", "anne"}; });
  expect_bad({"unknown user 'A2FRTTOX3K'", "ids such as 'ann'"}, [](auto& o) { o.users = {"A2FRTTOX3K"}; });
  expect_bad({"option 'k'", "got '0'"}, [](auto& o) { o.k = 0; });
  expect_bad({"no user given"}, [](auto& o) { o.users = {}; });
  expect_bad({"exclude each other"}, [](auto& o) { o.all = true; });
  expect_bad({"option 'format'", "text, json"}, [](auto& o) { o.format = "xml"; });
  expect_bad({"option 'exclude'"}, [](auto& o) { o.exclude = "test"; });
}

TEST_F(Recommend, RunWithoutModel) {
  options_.run = folder_ / "empty";
  expect_error(ErrorCode::kIo, {"empty/model/model.json", "train first"}, [&] { run(options_, {}); });
}

}  // namespace
}  // namespace hyperllm::stages::recommend
