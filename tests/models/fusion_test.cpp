// The model "fusion": weights given, weights chosen on validation, and what is refused.
#include "hyperllm/retrieval/fusion.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "hyperllm/base/parallel.h"
#include "hyperllm/metrics/evaluate_ranking.h"
#include "hyperllm/models/model.h"
#include "hyperllm/retrieval/model_files.h"
#include "tests/support/folder.h"
#include "tests/support/planted_dataset.h"
#include "tests/support/recording_sink.h"

namespace hyperllm::models {
namespace {

using Options = std::vector<std::pair<std::string, std::string>>;
using Weights = std::vector<std::int64_t>;

class FusionModel : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    const data::Dataset planted = test::planted_interactions({150, 60, 4, true, true});
    train_ = planted.train_csr();
    valid_ = planted.valid_csr();
    fit("ease", {{"lambda", "5"}}, "ease");
    fit("popular", {}, "popular");
    fit("item_knn", {{"neighbours", "2"}}, "knn");
  }
  void TearDown() override {
    set_num_threads(0);
    FolderTest::TearDown();
  }

  std::string folder(const std::string& run) const { return (folder_ / run).string(); }
  void fit(const std::string& name, const Options& options, const std::string& run,
           const Context& context = {}) const {
    const auto model = models().make(name);
    for (const auto& [option, text] : options)
      assign_field(find_field(model->fields(), option, "test"), text);
    FileSet files(folder_ / run);
    TrainingData data{train_};
    if (model->reads().valid) data.valid = &valid_;
    model->fit(data, files, "model/", context);
    files.commit();
  }
  // `runs`: their names, a blank between.
  Options of(const std::string& runs, Options more = {}) const {
    std::istringstream names(runs);
    std::ostringstream list;
    for (std::string name; names >> name;) list << (list.tellp() > 0 ? "," : "") << folder(name);
    more.emplace_back("members", list.str());
    return more;
  }
  Weights weights_of(const std::string& run) const {
    Weights weights;
    const auto model = nlohmann::json::parse(read_file(folder_ / run / "model/model.json"));
    for (const auto& member : model["members"]) weights.push_back(member["weight"]);
    return weights;
  }
  // Sum of the validation metrics of the runs mixed so, by the path that evaluation takes.
  double value_of(const std::vector<std::string>& runs, const Weights& weights) const {
    std::vector<retrieval::Member> members;
    for (std::size_t m = 0; m < runs.size(); ++m)
      members.push_back(
          {retrieval::load_model(folder_ / runs[m] / "model", train_), static_cast<double>(weights[m])});
    const auto scorer = retrieval::make_fusion_scorer(members);
    std::vector<std::int32_t> users;
    for (std::int32_t user = 0; user < train_.rows; ++user) users.push_back(user);
    const std::vector<const data::Csr*> masks = {&train_};
    const auto top = retrieval::top_k(*scorer, users, masks, 20);
    double sum = 0;
    for (const double mean :
         metrics::evaluate_ranking(users, top.items, 20, valid_, {"recall", "ndcg"}, {10, 20}).means)
      sum += mean;
    return sum;
  }
  void refuses(const Options& options, std::initializer_list<std::string_view> parts,
               ErrorCode code = ErrorCode::kInvalidArgument) const {
    test::expect_error(code, parts, [&] { fit("fusion", options, "refused"); });
  }

  data::Csr train_, valid_;
};

TEST_F(FusionModel, GivenWeightsAreTaken) {
  fit("fusion", of("ease popular", {{"weights", "7,2"}}), "fused");
  EXPECT_EQ(weights_of("fused"), (Weights{7, 2}));
}

TEST_F(FusionModel, ChoosesTheBestPointOfTheGrid) {
  test::RecordingSink sink;
  fit("fusion", of("popular ease knn", {{"parts", "4"}}), "fused", {&sink, {}});
  const Weights chosen = weights_of("fused");
  const double reached = value_of({"popular", "ease", "knn"}, chosen);
  bool before = true;
  int points = 0, worse = 0;
  for (std::int64_t popular = 0; popular <= 4; ++popular)
    for (std::int64_t ease = 0; ease + popular <= 4; ++ease, ++points) {
      const Weights weights = {popular, ease, 4 - popular - ease};
      before = before && weights != chosen;
      const double value = value_of({"popular", "ease", "knn"}, weights);
      worse += value < reached - 1e-9;
      EXPECT_TRUE(!before || value < reached) << popular << " " << ease;
      EXPECT_LE(value, reached + 1e-9) << popular << " " << ease;
    }
  EXPECT_EQ(points, 15);
  EXPECT_GT(worse, 5) << "else this says little";
  ASSERT_FALSE(sink.infos.empty());
  EXPECT_NE(sink.infos.back().find("the best of 15: validation R@10 0."), std::string::npos);
}

TEST_F(FusionModel, ChoosesTheSameWithAnyNumberOfThreads) {
  set_num_threads(1);
  fit("fusion", of("ease knn"), "one");
  set_num_threads(3);
  fit("fusion", of("ease knn"), "three");
  EXPECT_EQ(read_file(folder_ / "one/model/model.json"), read_file(folder_ / "three/model/model.json"));
}

TEST_F(FusionModel, SearchStopsWhenAsked) {
  std::stop_source source;
  source.request_stop();
  Context context;
  context.stop = source.get_token();
  test::expect_error(ErrorCode::kInterrupted, {}, [&] { fit("fusion", of("ease knn"), "fused", context); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "fused/model/model.json"));
}

TEST_F(FusionModel, WhatDoesNotFitIsRefused) {
  refuses({}, {"'fusion_members': expected two runs or more, got 0"});
  refuses(of("ease"), {"two runs or more, got 1"});
  refuses(of("ease ease"), {"is given twice"});
  refuses(of("ease popular", {{"weights", "1"}}), {"'fusion_weights'", "each of the 2 members, got 1"});
  refuses(of("ease popular", {{"weights", "0,0"}}), {"one above 0"});
  refuses(of("ease popular knn", {{"parts", "1000"}}),
          {"'fusion_parts': more than 10000 mixtures", "fewer parts"});
  refuses(of("ease refused", {{"weights", "1,1"}}), {"the folder of the fusion itself"});
  refuses(of("ease nowhere"), {"nowhere/model/model.json", "train first"}, ErrorCode::kIo);
  data::Csr more = train_;
  ++more.cols;
  std::swap(train_, more);
  refuses(of("ease popular"), {"ease/model/weights.npy", "belongs to another dataset"},
          ErrorCode::kInvalidData);
  std::swap(train_, more);
  valid_ = {
      train_.rows, train_.cols, std::vector<std::int64_t>(static_cast<std::size_t>(train_.rows) + 1), {}};
  refuses(of("ease popular"), {"no validation interactions", "fusion_weights"}, ErrorCode::kInvalidData);
  fit("fusion", of("ease popular", {{"weights", "1,1"}}), "fused");
}

}  // namespace
}  // namespace hyperllm::models
