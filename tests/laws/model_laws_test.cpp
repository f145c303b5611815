#include "tests/laws/model_laws.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "examples/mean_layers.h"
#include "hyperllm/models/hgcf.h"
#include "tests/laws/planted_backbones.h"
#include "tests/support/folder.h"

namespace hyperllm::test {
namespace {

using models::Backbone;

// Planted faults: HGCF but for one thing.
class Faulty : public Backbone {
 public:
  explicit Faulty(const BackboneOptions& options) : hgcf_(models::make_hgcf(options)), options_(options) {}
  Space space() const override { return hgcf_->space(); }
  double cap() const override { return hgcf_->cap(); }
  Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass& pass) const override {
    return hgcf_->encode(tangents, graph, pass);
  }

 protected:
  std::unique_ptr<Backbone> hgcf_;
  BackboneOptions options_;
};

struct WrongSign : objectives::Objective {
  std::int64_t candidates() const override { return 1; }
  std::string optimizer() const override { return "rsgd"; }
  Tensor loss(const Tensor& points, std::span<const objectives::Task> tasks, double margin,
              const Space& space) const override {
    const objectives::Pairs& pairs = tasks[0].pairs;
    const objectives::Pairs swapped{pairs.anchor, pairs.candidates, pairs.positive};
    const objectives::Task task{swapped, tasks[0].competitors};
    return objectives::make_objective("hinge")->loss(points, {&task, 1}, margin, space);
  }
};

struct IgnoresTheGraph : Faulty {
  using Faulty::Faulty;
  Tensor encode(const Tensor& tangents, const graph::GraphPtr&, const Pass&) const override {
    return manifold::expmap0_rows(tangents, options_.curvature, options_.max_radius);
  }
};

struct AveragesAllNodes : Faulty {
  using Faulty::Faulty;
  Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass& pass) const override {
    return hgcf_->encode(tangents + tangents.mean(0, true), graph, pass);
  }
};

struct NoCap : Faulty {
  using Faulty::Faulty;
  Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass&) const override {
    return torch::sinh(graph::propagate_sum(graph, tangents, options_.layers));
  }
};

struct Forgetful : Faulty {  // ranks by other points each time it is asked
  using Faulty::Faulty;
  Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass& pass) const override {
    static int calls = 0;
    return hgcf_->encode(tangents, graph, pass) * (1 + 0.01 * ++calls);
  }
};

// Drops nodes by a stream of its own.
template <typename StreamOf>
struct Dropping : Faulty {
  using Faulty::Faulty;
  Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass& pass) const override {
    Random random = StreamOf()(pass);
    Tensor mask = torch::empty({tangents.size(0), 1});
    for (float& row : manifold::floats(mask)) row = random.uniform() < 0.5 ? 0.0F : 1.0F;
    return hgcf_->encode(pass.training ? tangents * mask : tangents, graph, pass);
  }
};
struct OfSeedAlone {
  Random operator()(const Pass& pass) const { return Random(pass.seed, "mask"); }
};
struct OfNobody {
  Random operator()(const Pass&) const {
    static std::uint64_t calls = 0;
    return Random(++calls, "mask");
  }
};

struct DropsInEvaluation : Faulty {
  using Faulty::Faulty;
  Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass& pass) const override {
    return hgcf_->encode(tangents * pass.random("scale").uniform(0.5, 1), graph, pass);
  }
};

struct ChangesSpace : Faulty {  // validated in one, saved in another
  using Faulty::Faulty;
  Space space() const override { return {Geometry::kLorentz, manifold::Curvature(++calls_ > 2 ? 0.3 : 1)}; }
  mutable int calls_ = 0;
};

// No fault: a curvature of its own, whatever the option says.
struct OwnCurvature : Faulty {
  explicit OwnCurvature(BackboneOptions options)
      : Faulty((options.curvature = manifold::Curvature(0.4), options)) {}
};

template <typename T>
models::BackboneFactory factory() {
  return [](const BackboneOptions& options) { return std::make_unique<T>(options); };
}

// The built-in backbones, and the example that shows how to add one.
std::vector<std::string> backbones() {
  models::add_backbone("mean_layers", "mean over the layers", examples::make_mean_layers);
  return {"hgcf", "hgch", "hicf", "hrcf", "hypercl", "mean_layers", "lightgcn", "bprmf"};
}

// Of other geometries, with weights, options and losses of their own.
std::vector<std::string> planted() {
  add_planted_backbones();
  return {"ball", "flat", "gated"};
}

class ModelLaws : public FolderTest,
                  public ::testing::WithParamInterface<std::tuple<std::string, std::string>> {
 protected:
  stages::train::TrainOptions options(const LawBench& bench) const {
    auto options = bench.options(std::get<0>(GetParam()), std::get<1>(GetParam()));
    // Without a graph, what other users know reaches a user by training alone, which takes longer.
    if (options.model == "bprmf") options.lr = 0.003;
    return options;
  }
};

TEST_P(ModelLaws, Learns) {
  const LawBench bench(folder_);
  EXPECT_EQ(learns(bench, options(bench)), "");
}
TEST_P(ModelLaws, LossFalls) {
  const LawBench bench(folder_);
  EXPECT_EQ(loss_falls(bench, options(bench)), "");
}
TEST_P(ModelLaws, SameBytes) {
  const LawBench bench(folder_);
  EXPECT_EQ(same_bytes(bench, options(bench)), "");
}
TEST_P(ModelLaws, SavedModelRanksTheSame) {
  const LawBench bench(folder_);
  EXPECT_EQ(saved_model_ranks_the_same(bench, options(bench)), "");
}
TEST_P(ModelLaws, SavedInTheValidatedSpace) {
  const LawBench bench(folder_);
  EXPECT_EQ(saved_in_the_validated_space(bench, options(bench)), "");
}

INSTANTIATE_TEST_SUITE_P(Planted, ModelLaws,
                         ::testing::Combine(::testing::ValuesIn(planted()),
                                            ::testing::Values("base", "hyperllm", "without_meta")),
                         [](const auto& the) {
                           return std::get<0>(the.param) + "_" + std::get<1>(the.param);
                         });

INSTANTIATE_TEST_SUITE_P(
    All, ModelLaws,
    ::testing::Combine(::testing::ValuesIn(backbones()),
                       ::testing::Values("base", "structural", "semantic", "hyperllm", "without_meta",
                                         "only_semantic", "without_contrast")),
    [](const auto& the) { return std::get<0>(the.param) + "_" + std::get<1>(the.param); });

// Of those, the ones to which the graph means something: matrix factorisation has none.
std::vector<std::string> graph_backbones() {
  std::vector<std::string> names = backbones();
  std::erase(names, "bprmf");
  return names;
}

// Beside those that the models were published with: any objective serves any of them.
class OtherObjectives : public FolderTest,
                        public ::testing::WithParamInterface<std::pair<const char*, const char*>> {};

TEST_P(OtherObjectives, TrainTheModel) {
  const LawBench bench(folder_);
  for (const char* variant : {"base", "hyperllm"}) {
    auto options = bench.options(GetParam().first, variant);
    options.objective = GetParam().second;
    options.lr = 0.003;
    EXPECT_EQ(loss_falls(bench, options), "") << variant;
    EXPECT_EQ(same_bytes(bench, options), "") << variant;
  }
}

INSTANTIATE_TEST_SUITE_P(All, OtherObjectives,
                         ::testing::Values(std::pair("hgcf", "bpr"), std::pair("lightgcn", "hinge"),
                                           std::pair("lightgcn", "softmax"), std::pair("bprmf", "hinge"),
                                           std::pair("bprmf", "softmax")),
                         [](const auto& the) {
                           return std::string(the.param.first) + "_" + the.param.second;
                         });

// The other frameworks, around backbones of every geometry.
class FrameworkLaws : public FolderTest,
                      public ::testing::WithParamInterface<std::tuple<std::string, std::string>> {
 protected:
  stages::train::TrainOptions options(const LawBench& bench) const {
    return bench.in_framework(std::get<0>(GetParam()), std::get<1>(GetParam()));
  }
};

TEST_P(FrameworkLaws, LearnsAndItsLossFalls) {
  const LawBench bench(folder_);
  EXPECT_EQ(learns(bench, options(bench)), "");
  EXPECT_EQ(loss_falls(bench, options(bench)), "");
}
TEST_P(FrameworkLaws, SameBytes) {
  const LawBench bench(folder_);
  EXPECT_EQ(same_bytes(bench, options(bench)), "");
}
TEST_P(FrameworkLaws, SavedModelRanksTheSameInTheValidatedSpace) {
  const LawBench bench(folder_);
  EXPECT_EQ(saved_in_the_validated_space(bench, options(bench)), "");
}

INSTANTIATE_TEST_SUITE_P(All, FrameworkLaws,
                         ::testing::Combine(::testing::Values("hgcf", "ball", "flat", "gated"),
                                            ::testing::Values("kar", "rlmrec_con", "rlmrec_gen")),
                         [](const auto& the) {
                           return std::get<0>(the.param) + "_" + std::get<1>(the.param);
                         });

class BackboneLaws : public ::testing::TestWithParam<std::string> {};

class GraphLaws : public BackboneLaws {};

// What must be switched off for a model to pass: by intent, it lets all nodes feel one another.
const std::map<std::string, OwnTexts> kSwitchedOff = {{"hrcf", {{"centring", "false"}}}};

TEST_P(GraphLaws, UsesTheGraph) {
  const auto off = kSwitchedOff.find(GetParam());
  EXPECT_EQ(uses_the_graph(GetParam(), off == kSwitchedOff.end() ? OwnTexts() : off->second), "");
}
TEST(GraphExceptions, TheNeedTheirOptions) {
  for (const auto& [name, options] : kSwitchedOff)
    EXPECT_EQ(uses_the_graph(name), "node 2 feels the other island") << name;
}
TEST_P(BackboneLaws, StaysFinite) { EXPECT_EQ(stays_finite(GetParam()), ""); }
TEST_P(BackboneLaws, SamePassSameBytes) { EXPECT_EQ(same_pass_same_bytes(GetParam()), ""); }

INSTANTIATE_TEST_SUITE_P(Planted, BackboneLaws, ::testing::ValuesIn(planted()),
                         [](const auto& the) { return the.param; });

INSTANTIATE_TEST_SUITE_P(All, BackboneLaws, ::testing::ValuesIn(backbones()),
                         [](const auto& the) { return the.param; });

INSTANTIATE_TEST_SUITE_P(Planted, GraphLaws, ::testing::ValuesIn(planted()),
                         [](const auto& the) { return the.param; });

INSTANTIATE_TEST_SUITE_P(All, GraphLaws, ::testing::ValuesIn(graph_backbones()),
                         [](const auto& the) { return the.param; });

TEST(MatrixFactorisation, IsTheOneThatDoesNotUseTheGraph) {
  EXPECT_EQ(uses_the_graph("bprmf"), "a user does not feel their item");
}

class PlantedFault : public FolderTest {
 protected:
  void plant(models::BackboneFactory make) { models::add_backbone("faulty", "test", std::move(make)); }
};

TEST_F(PlantedFault, AWrongSignIsCaught) {
  objectives::objectives().add("wrong_sign", "test", WrongSign());
  const LawBench bench(folder_);
  auto options = bench.options("hgcf", "base");
  options.objective = "wrong_sign";
  EXPECT_NE(learns(bench, options), "");
}

TEST_F(PlantedFault, IgnoringTheGraphIsCaught) {
  plant(factory<IgnoresTheGraph>());
  EXPECT_NE(uses_the_graph("faulty"), "");
}

TEST_F(PlantedFault, AveragingAllNodesIsCaught) {
  plant(factory<AveragesAllNodes>());
  EXPECT_EQ(uses_the_graph("faulty"), "node 2 feels the other island");
}

TEST_F(PlantedFault, RandomnessThatIsNotOfThePassIsCaught) {
  plant(factory<Dropping<OfSeedAlone>>());
  EXPECT_EQ(same_pass_same_bytes("faulty"), "all steps draw the same");
  plant(factory<Dropping<OfNobody>>());
  EXPECT_EQ(same_pass_same_bytes("faulty"), "equal passes differ");
  plant(factory<DropsInEvaluation>());
  EXPECT_EQ(same_pass_same_bytes("faulty"), "an evaluation depends on seed, epoch or step");
}

TEST_F(PlantedFault, AnotherSpaceForTheSavedModelIsCaught) {
  const LawBench bench(folder_);
  plant(factory<OwnCurvature>());
  EXPECT_EQ(saved_in_the_validated_space(bench, bench.options("faulty", "base")), "");
  plant(factory<ChangesSpace>());
  EXPECT_NE(saved_in_the_validated_space(bench, bench.options("faulty", "base")), "");
}

TEST(Frameworks, AnAuxiliaryLossCountsUnderEveryObjective) {
  EXPECT_EQ(auxiliary_loss_counts(base_framework), "");
  EXPECT_EQ(auxiliary_loss_counts(structural_framework), "");
  EXPECT_EQ(auxiliary_loss_counts(kar_framework), "");
  EXPECT_EQ(auxiliary_loss_counts(rlmrec_con_framework), "");
  EXPECT_EQ(auxiliary_loss_counts(rlmrec_gen_framework), "");
}

TEST_F(PlantedFault, AnAuxiliaryLossThatOneObjectiveForgetsIsCaught) {
  // As it was once: nothing of the backbone's own under an objective over all items.
  struct Silent final : Faulty {
    explicit Silent(std::shared_ptr<const Backbone> of)
        : Faulty(BackboneOptions{2, 1.5, {}}), of_(std::move(of)) {}
    Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass& pass) const override {
      return of_->encode(tangents, graph, pass);
    }
    std::shared_ptr<const Backbone> of_;
  };
  const auto forgetful = [](std::shared_ptr<const Backbone> backbone,
                            std::shared_ptr<const frameworks::Objective> objective) {
    if (objective->meets_all_competitors()) backbone = std::make_shared<Silent>(std::move(backbone));
    return base_framework(std::move(backbone), std::move(objective));
  };
  EXPECT_EQ(auxiliary_loss_counts(forgetful), "its value does not count under softmax");
}

TEST_F(PlantedFault, AMissingCapIsCaught) {
  plant(factory<NoCap>());
  EXPECT_NE(stays_finite("faulty"), "");
}

TEST_F(PlantedFault, HiddenStateIsCaught) {
  plant(factory<Forgetful>());
  const LawBench bench(folder_);
  EXPECT_NE(same_bytes(bench, bench.options("faulty", "base")), "");
}

TEST_F(PlantedFault, NoTrainingIsCaught) {
  const LawBench bench(folder_);
  auto options = bench.options("hgcf", "base");
  options.lr = 1e-12;
  EXPECT_NE(learns(bench, options), "");
  EXPECT_NE(loss_falls(bench, options), "");
}

// A backbone's own options are options of `train`: by themselves, under its name, and only where it is
// chosen.
class OwnOptionsOf : public FolderTest {
 protected:
  static std::vector<std::string> names(const FieldList& fields) {
    std::vector<std::string> names;
    for (const Field& field : fields) names.push_back(field.name);
    return names;
  }
  static bool has(const std::vector<std::string>& names, const char* name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }
};

TEST_F(OwnOptionsOf, ABackboneCountOnlyForIt) {
  add_planted_backbones();
  const LawBench bench(folder_);
  auto gated = bench.options("gated", "base"), hgcf = bench.options("hgcf", "base");
  EXPECT_TRUE(has(names(hgcf.fields()), "gated_penalty"));
  EXPECT_FALSE(has(names(result_fields(hgcf.fields())), "gated_penalty"));
  EXPECT_TRUE(has(names(result_fields(gated.fields())), "gated_penalty"));
  EXPECT_FALSE(has(names(result_fields(gated.fields())), "ease_lambda"));
  gated.set("gated_penalty", "2");
  gated.validate();
  hgcf.set("gated_penalty", "0.01");  // as if it had not been given
  hgcf.validate();
  hgcf.set("gated_penalty", "2");
  expect_error(ErrorCode::kInvalidArgument,
               {"'gated_penalty' belongs to the model gated", "'model' is hgcf", "leave it out"},
               [&] { hgcf.validate(); });
  const auto copy = hgcf;  // a value: changes do not reach the original
  hgcf.set("gated_penalty", "0.01");
  EXPECT_THROW(copy.validate(), Error);
  hgcf.validate();
  expect_error(ErrorCode::kInvalidArgument, {"gated_penalty", "0 to 100"},
               [&] { gated.set("gated_penalty", "-1"); });
}

// HICF's options are its objective's, which "auto" stands for where the model is HICF.
TEST_F(OwnOptionsOf, AnObjectiveCountWhereAutoStandsForIt) {
  const LawBench bench(folder_);
  auto hicf = bench.options("hicf", "base"), hgcf = bench.options("hgcf", "base");
  EXPECT_EQ(hicf.objective_name(), "hicf");
  const auto all = names(hicf.fields());
  EXPECT_EQ(std::count(all.begin(), all.end(), "hicf_negatives"), 1);
  EXPECT_TRUE(has(names(result_fields(hicf.fields())), "hicf_negatives"));
  EXPECT_FALSE(has(names(result_fields(hgcf.fields())), "hicf_negatives"));
  for (auto* options : {&hicf, &hgcf}) options->set("hicf_negatives", "5");
  hicf.validate();
  expect_error(ErrorCode::kInvalidArgument,
               {"'hicf_negatives' belongs to the objective hicf", "leave it out"}, [&] { hgcf.validate(); });
  hgcf.objective = "hicf";  // any backbone takes it
  hgcf.validate();
  hicf.objective = "hinge";
  hicf.set("phase1_objective", "hinge");
  EXPECT_THROW(hicf.validate(), Error);
}

TEST_F(OwnOptionsOf, ABackboneReachIt) {
  add_planted_backbones();
  const LawBench bench(folder_);
  const auto trained = [&](const char* penalty) {
    auto options = bench.options("gated", "base");
    options.epochs = 3;
    options.output = bench.folder / (std::string("penalty ") + penalty);
    options.set("gated_penalty", penalty);
    stages::train::run(options, {});
    return read_file(options.output / "model" / "users.npy") +
           read_file(options.output / "checkpoint.safetensors").substr(0, 2000);
  };
  EXPECT_NE(trained("0"), trained("5"));
  EXPECT_NE(trained("5").find("parameter/gated.gate"), std::string::npos) << "its weights are kept";
}

}  // namespace
}  // namespace hyperllm::test
