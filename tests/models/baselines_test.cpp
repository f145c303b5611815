// Baselines as `train` runs them: options, files, and the scores that the files give.
#include <gtest/gtest.h>

#include "hyperllm/models/model.h"
#include "hyperllm/retrieval/model_files.h"
#include "tests/support/folder.h"

namespace hyperllm::models {
namespace {

using Options = std::vector<std::pair<std::string, std::string>>;

// Users 0: items 0, 1; 1: items 0, 1, 2; 2: items 2, 3; 3: item 3.
const data::Csr kTrain = {4, 4, {0, 2, 5, 7, 8}, {0, 1, 0, 1, 2, 2, 3, 3}};

class Baselines : public test::FolderTest {
 protected:
  void set(Model& model, const Options& options) const {
    for (const auto& [name, text] : options) assign_field(find_field(model.fields(), name, "test"), text);
  }
  // Scores of all users for all items, from the files.
  std::vector<float> scores(const std::string& name, const Options& options, std::uint64_t seed = 1) const {
    const auto model = models().make(name);
    set(*model, options);
    FileSet files(folder_);
    TrainingData data{train_, seed};
    if (model->reads().tags) data.tags = &tags_;
    if (model->reads().embeddings) data.item_embeddings = &embeddings_;
    for (const std::string& file : model->fit(data, files, "", {})) named_.push_back(file);
    files.commit();
    for (const std::string& file : named_) EXPECT_TRUE(std::filesystem::exists(folder_ / file)) << file;
    const std::vector<std::int32_t> users = {0, 1, 2, 3};
    std::vector<float> out(16);
    retrieval::load_model(folder_, train_)->score(users, out);
    return out;
  }
  void refuses(const std::string& name, const Options& options) const {
    const auto model = models().make(name);
    for (const auto& option : options)
      test::expect_error(ErrorCode::kInvalidArgument, {option.first}, [&] { set(*model, {option}); });
  }
  data::Csr train_ = kTrain;
  data::TagGraph tags_ = {{{"a"}, {"b"}}, {}, {{0, 0}, {0, 3}, {1, 2}}};
  artifact::Matrix embeddings_ = {4, 2, {1, 0, 0, 1, 1, 1, 0.5F, -1}};
  mutable std::vector<std::string> named_;
};

TEST_F(Baselines, ItemKnnSumsSimilaritiesToTheHistory) {
  const Options all = {{"neighbours", "4"}, {"shrink", "0"}, {"similarity", "jaccard"}};
  const std::vector<float> got = scores("item_knn", all);
  const float third = 1.0F / 3;
  const std::vector<float> expected = {1,         1,         2 * third, 0,      //
                                       1 + third, 1 + third, 2 * third, third,  //
                                       third,     third,     third,     third,  //
                                       0,         0,         third,     0};
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 2e-6) << i;
}

TEST_F(Baselines, EveryOptionOfItemKnnCounts) {
  train_ = {4, 4, {0, 2, 5, 7, 9}, {0, 1, 0, 1, 2, 2, 3, 0, 3}};  // items with unlike numbers of users
  const std::vector<float> plain = scores("item_knn", {});
  for (const auto& [name, text] : Options{{"neighbours", "1"},
                                          {"shrink", "0"},
                                          {"similarity", "jaccard"},
                                          {"similarity", "dice"},
                                          {"weighting", "tfidf"},
                                          {"weighting", "bm25"}})
    EXPECT_NE(scores("item_knn", {{name, text}}), plain) << name << " " << text;
  EXPECT_NE(scores("item_knn", {{"weighting", "bm25"}}), scores("item_knn", {{"weighting", "tfidf"}}));
  refuses("item_knn", {{"neighbours", "0"}, {"shrink", "-1"}, {"similarity", "x"}, {"weighting", "x"}});
}

TEST_F(Baselines, IalsRanksWhatWasObservedFirst) {
  const std::vector<float> got = scores("ials", {{"dim", "4"}, {"reg", "0.0005"}, {"alpha0", "0.02"}});
  for (std::int64_t user = 0; user < 4; ++user)
    for (std::int32_t seen = 0; seen < 4; ++seen)
      for (std::int32_t other = 0; other < 4; ++other)
        if (kTrain.contains(user, seen) && !kTrain.contains(user, other)) {
          EXPECT_GT(got[user * 4 + seen], got[user * 4 + other]) << user;
        }
}

TEST_F(Baselines, EveryOptionOfIalsCountsAndTheSeed) {
  const std::vector<float> plain = scores("ials", {});
  EXPECT_EQ(scores("ials", {}), plain);
  for (const auto& [name, text] :
       Options{{"dim", "1"}, {"alpha0", "0.5"}, {"reg", "0.1"}, {"nu", "0"}, {"iterations", "1"}})
    EXPECT_NE(scores("ials", {{name, text}}), plain) << name;
  EXPECT_NE(scores("ials", {{"iterations", "1"}}, 1), scores("ials", {{"iterations", "1"}}, 2));
  refuses("ials", {{"dim", "0"}, {"alpha0", "0"}, {"reg", "0"}, {"nu", "-1"}, {"iterations", "0"}});
}

TEST_F(Baselines, EveryOptionOfEaseCounts) {
  const std::vector<float> plain = scores("ease", {});
  EXPECT_EQ(scores("ease", {{"tag_weight", "0"}, {"embedding_weight", "0"}, {"dropout", "0"}}), plain);
  for (const auto& [name, text] : Options{{"lambda", "1"},
                                          {"dropout", "0.9"},
                                          {"tag_weight", "1"},
                                          {"embedding_weight", "1"},
                                          {"neighbours", "1"}})
    EXPECT_NE(scores("ease", {{name, text}}), plain) << name;
  const std::vector<float> whole = scores("ease", {{"embedding_weight", "1"}});
  const std::vector<float> near = scores("ease", {{"embedding_weight", "1"}, {"neighbours", "3"}});
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(near[i], whole[i], 1e-6);
  refuses("ease", {{"lambda", "0"},
                   {"dropout", "1"},
                   {"tag_weight", "-1"},
                   {"embedding_weight", "-1"},
                   {"neighbours", "-1"}});
}

TEST_F(Baselines, AreBaselines) {
  for (const char* name : {"ease", "fusion", "item_knn", "ials"})
    EXPECT_TRUE(models().make(name)->is_baseline()) << name;
}

}  // namespace
}  // namespace hyperllm::models
