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
    {{"'softmax_tau'", "above 0"}, [](TrainOptions& o) { o.softmax_tau = 0; }},
    {{"'contrast_tau'", "above 0"}, [](TrainOptions& o) { o.contrast_tau = -1; }},
    {{"'contrast_weight'", "0 to 1000000"}, [](TrainOptions& o) { o.contrast_weight = -0.1; }},
    {{"'tag_loss_weight'", "0 to 1000000"}, [](TrainOptions& o) { o.tag_loss_weight = -1; }},
    {{"'tag_tag_weight'", "above 0"}, [](TrainOptions& o) { o.tag_tag_weight = 0; }},
    {{"'seed'", "0 or more"}, [](TrainOptions& o) { o.seed = -1; }},
    {{"'experts'", "1 to 1024"}, [](TrainOptions& o) { o.experts = 0; }},
    {{"'batch_size'", "1 to 16777216"}, [](TrainOptions& o) { o.batch_size = 0; }},
    {{"'eval_users'", "0 to 2147483647"}, [](TrainOptions& o) { o.eval_users = -1; }},
    {{"'memory_limit'", "0 to 1000000000"}, [](TrainOptions& o) { o.memory_limit = -1; }},
    {{"'checkpoint_seconds'", "0 to 1000000000"}, [](TrainOptions& o) { o.checkpoint_seconds = -1; }},
    {{"'lr'", "above 0"}, [](TrainOptions& o) { o.lr = 0; }},
    {{"'phase1_lr'", "finite"}, [](TrainOptions& o) { o.phase1_lr = kNaN; }},
    {{"without_meta has no phase 1", "leave out 'init_embeddings'"},
     [](TrainOptions& o) {
       o.variant = "without_meta";
       o.init_embeddings = "x";
     }},
    {{"only_semantic is phase 1 alone", "leave out 'init_embeddings'"},
     [](TrainOptions& o) {
       o.variant = "only_semantic";
       o.init_embeddings = "x";
     }},
    {{"variant", "hyperlm", "structural"}, [](TrainOptions& o) { o.variant = "hyperlm"; }},
    {{"objective", "hinges"}, [](TrainOptions& o) { o.objective = "hinges"; }},
    {{"phase1_objective", "soft"}, [](TrainOptions& o) { o.phase1_objective = "soft"; }},
    {{"sampling", "new"}, [](TrainOptions& o) { o.sampling = "new"; }},
    {{"optimizer", "sgd"}, [](TrainOptions& o) { o.optimizer = "sgd"; }},
};

TEST(TrainOptions, DefaultsAreValid) { valid_options().validate(); }

TEST(TrainOptions, EveryRuleNamesTheOptionAndWhatIsExpected) {
  for (const Rule& rule : kRules) {
    TrainOptions options = valid_options();
    rule.breaks(options);
    for (const std::string_view part : rule.parts)
      test::expect_error(ErrorCode::kInvalidArgument, {part}, [&] { options.validate(); });
  }
}

// The table of hyperllm/frameworks/hyperllm.h.
TEST(TrainOptions, VariantsUseWhatTheyAreMadeOf) {
  struct Row {
    const char* variant;
    bool tags, phase1;
  };
  for (const Row& row :
       {Row{"base", false, false}, Row{"structural", true, false}, Row{"semantic", false, true},
        Row{"hyperllm", true, true}, Row{"without_meta", true, false}, Row{"only_semantic", false, true},
        Row{"without_contrast", true, true}}) {
    TrainOptions options = valid_options();
    options.variant = row.variant;
    EXPECT_EQ(options.uses_tags(), row.tags) << row.variant;
    EXPECT_EQ(options.has_phase1(), row.phase1) << row.variant;
    options.init_embeddings = "somewhere";
    EXPECT_FALSE(options.has_phase1()) << row.variant;
    options.init_embeddings.clear();
    options.model = "ease";
    EXPECT_FALSE(options.has_phase1()) << row.variant;
  }
}

}  // namespace
}  // namespace hyperllm::stages::train
