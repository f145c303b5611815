#include "tests/laws/model_laws.h"

#include <gtest/gtest.h>

#include "examples/mean_layers.h"
#include "hyperllm/models/backbone.h"
#include "hyperllm/models/hgcf.h"
#include "tests/support/folder.h"

namespace hyperllm::test {
namespace {

using models::Backbone;
using models::BackboneOptions;

// Planted faults: HGCF but for one thing.
class Faulty : public Backbone {
 public:
  explicit Faulty(const BackboneOptions& options) : hgcf_(models::make_hgcf(options)), options_(options) {}
  torch::Tensor encode(const torch::Tensor& tangents, const graph::GraphPtr& graph) const override {
    return hgcf_->encode(tangents, graph);
  }
  torch::Tensor ranking_loss(const torch::Tensor& points, const manifold::Triplets& triplets,
                             double margin) const override {
    return hgcf_->ranking_loss(points, triplets, margin);
  }
  double saturation(const torch::Tensor& points) const override { return hgcf_->saturation(points); }
  manifold::Curvature curvature() const override { return hgcf_->curvature(); }

 protected:
  std::unique_ptr<Backbone> hgcf_;
  BackboneOptions options_;
};

struct WrongSign : Faulty {
  using Faulty::Faulty;
  torch::Tensor ranking_loss(const torch::Tensor& points, const manifold::Triplets& triplets,
                             double margin) const override {
    return hgcf_->ranking_loss(points, {triplets.anchor, triplets.negative, triplets.positive}, margin);
  }
};

struct IgnoresTheGraph : Faulty {
  using Faulty::Faulty;
  torch::Tensor encode(const torch::Tensor& tangents, const graph::GraphPtr&) const override {
    return manifold::expmap0_rows(tangents, options_.curvature, options_.max_radius);
  }
};

struct NoCap : Faulty {
  using Faulty::Faulty;
  torch::Tensor encode(const torch::Tensor& tangents, const graph::GraphPtr& graph) const override {
    return torch::sinh(graph::propagate_sum(graph, tangents, options_.layers));
  }
};

struct Forgetful : Faulty {  // ranks by other points each time it is asked
  using Faulty::Faulty;
  torch::Tensor encode(const torch::Tensor& tangents, const graph::GraphPtr& graph) const override {
    static int calls = 0;
    return hgcf_->encode(tangents, graph) * (1 + 0.01 * ++calls);
  }
};

template <typename T>
models::BackboneFactory factory() {
  return [](const BackboneOptions& options) { return std::make_unique<T>(options); };
}

// The built-in backbones, and the example that shows how to add one.
std::vector<std::string> backbones() {
  models::register_backbone("mean_layers", examples::make_mean_layers);
  return models::backbone_names();
}

class ModelLaws : public FolderTest,
                  public ::testing::WithParamInterface<std::tuple<std::string, std::string>> {
 protected:
  stages::train::TrainOptions options(const LawBench& bench) const {
    return bench.options(std::get<0>(GetParam()), std::get<1>(GetParam()));
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

INSTANTIATE_TEST_SUITE_P(
    All, ModelLaws,
    ::testing::Combine(::testing::ValuesIn(backbones()),
                       ::testing::Values("base", "structural", "semantic", "hyperllm", "without_meta",
                                         "only_semantic", "without_contrast")),
    [](const auto& the) { return std::get<0>(the.param) + "_" + std::get<1>(the.param); });

class BackboneLaws : public ::testing::TestWithParam<std::string> {};

TEST_P(BackboneLaws, UsesTheGraph) { EXPECT_EQ(uses_the_graph(GetParam()), ""); }
TEST_P(BackboneLaws, StaysFinite) { EXPECT_EQ(stays_finite(GetParam()), ""); }

INSTANTIATE_TEST_SUITE_P(All, BackboneLaws, ::testing::ValuesIn(backbones()),
                         [](const auto& the) { return the.param; });

class PlantedFault : public FolderTest {
 protected:
  void plant(models::BackboneFactory make) { models::register_backbone("faulty", std::move(make)); }
};

TEST_F(PlantedFault, AWrongSignIsCaught) {
  plant(factory<WrongSign>());
  const LawBench bench(folder_);
  EXPECT_NE(learns(bench, bench.options("faulty", "base")), "");
}

TEST_F(PlantedFault, IgnoringTheGraphIsCaught) {
  plant(factory<IgnoresTheGraph>());
  EXPECT_NE(uses_the_graph("faulty"), "");
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

}  // namespace
}  // namespace hyperllm::test
