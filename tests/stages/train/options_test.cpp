#include "hyperllm/stages/train/options.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/support/folder.h"

namespace hyperllm::stages::train {
namespace {

TrainOptions valid_options() {
  TrainOptions options;
  options.dataset = "data";
  options.output = "run";
  return options;
}

struct Rule {
  std::vector<std::string_view> parts;  // of the message
  std::function<void(TrainOptions&)> breaks;
};

const double kNaN = std::numeric_limits<double>::quiet_NaN();

const Rule kRules[] = {
    {{"'dataset' is missing", "the folder that prepare wrote"}, [](TrainOptions& o) { o.dataset.clear(); }},
    {{"'output' is missing", "a folder for the run"}, [](TrainOptions& o) { o.output.clear(); }},
    {{"'dim'", "1 to 4096"}, [](TrainOptions& o) { o.dim = 0; }},
    {{"'dim'", "1 to 4096"}, [](TrainOptions& o) { o.dim = 4097; }},
    {{"'layers'", "1 to 100, got '9223372036854775807'"},
     [](TrainOptions& o) { o.layers = std::numeric_limits<std::int64_t>::max(); }},
    {{"'layers'", "1 to 100"}, [](TrainOptions& o) { o.layers = 0; }},
    {{"'curvature'", "above 0"}, [](TrainOptions& o) { o.curvature = 0; }},
    {{"'curvature'", "finite"}, [](TrainOptions& o) { o.curvature = kNaN; }},
    {{"'max_radius'", "0 to 100"}, [](TrainOptions& o) { o.max_radius = -1; }},
    {{"'softmax_tau'", "above 0"}, [](TrainOptions& o) { o.set("softmax_tau", "0"); }},
    {{"'contrast_tau'", "above 0"}, [](TrainOptions& o) { o.set("contrast_tau", "-1"); }},
    {{"'contrast_weight'", "0 to 1000000"}, [](TrainOptions& o) { o.set("contrast_weight", "-0.1"); }},
    {{"'tag_loss_weight'", "0 to 1000000"}, [](TrainOptions& o) { o.set("tag_loss_weight", "-1"); }},
    {{"'tag_tag_weight'", "above 0"}, [](TrainOptions& o) { o.set("tag_tag_weight", "0"); }},
    {{"'seed'", "0 or more"}, [](TrainOptions& o) { o.seed = -1; }},
    {{"'experts'", "1 to 1024"}, [](TrainOptions& o) { o.set("experts", "0"); }},
    {{"'batch_size'", "1 to 16777216"}, [](TrainOptions& o) { o.batch_size = 0; }},
    {{"'eval_users'", "0 to 2147483647"}, [](TrainOptions& o) { o.eval_users = -1; }},
    {{"'memory_limit'", "0 to 1000000000"}, [](TrainOptions& o) { o.memory_limit = -1; }},
    {{"'checkpoint_seconds'", "0 to 1000000000"}, [](TrainOptions& o) { o.checkpoint_seconds = -1; }},
    {{"'lr'", "above 0"}, [](TrainOptions& o) { o.lr = 0; }},
    {{"'phase1_lr'", "finite"}, [](TrainOptions& o) { o.set("phase1_lr", "nan"); }},
    {{"without_meta has no phase 1", "leave out 'init_embeddings'"},
     [](TrainOptions& o) {
       o.set("variant", "without_meta");
       o.set("init_embeddings", "x");
     }},
    {{"only_semantic is phase 1 alone", "leave out 'init_embeddings'"},
     [](TrainOptions& o) {
       o.set("variant", "only_semantic");
       o.set("init_embeddings", "x");
     }},
    {{"variant", "hyperlm", "structural"}, [](TrainOptions& o) { o.set("variant", "hyperlm"); }},
    {{"objective", "hinges"}, [](TrainOptions& o) { o.objective = "hinges"; }},
    {{"phase1_objective", "soft"}, [](TrainOptions& o) { o.set("phase1_objective", "soft"); }},
    {{"sampling", "new"}, [](TrainOptions& o) { o.sampling = "new"; }},
    {{"optimizer", "sgd"}, [](TrainOptions& o) { o.optimizer = "sgd"; }},
    {{"unknown model 'hgfc'", "did you mean 'hgcf'?"}, [](TrainOptions& o) { o.model = "hgfc"; }},
    {{"framework", "hyperlllm"}, [](TrainOptions& o) { o.framework = "hyperlllm"; }},
};

TEST(TrainOptions, DefaultsAreValid) { valid_options().validate(); }

TEST(TrainOptions, EveryRuleNamesTheOptionAndWhatIsExpected) {
  for (const Rule& rule : kRules) {
    for (const std::string_view part : rule.parts)
      test::expect_error(ErrorCode::kInvalidArgument, {part}, [&] {
        TrainOptions options = valid_options();
        rule.breaks(options);  // refused here already, if it goes by the option's name
        options.validate();
      });
  }
}

TEST(TrainOptions, EmbeddingsAreReadWhereTheVariantHasSome) {
  TrainOptions options = valid_options();
  options.embeddings = "lsa";
  EXPECT_EQ(options.embeddings_folder(), "data/embeddings/lsa");
  options.set("init_embeddings", "runs/a/phase1");
  EXPECT_EQ(options.embeddings_folder(), "runs/a/phase1");
  options.set("variant", "structural");
  EXPECT_EQ(options.embeddings_folder(), "");
  options.set("variant", "hyperllm");
  options.model = "ease";
  EXPECT_EQ(options.embeddings_folder(), "");
}

}  // namespace
}  // namespace hyperllm::stages::train
