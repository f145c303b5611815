#include <gtest/gtest.h>

#include "hyperllm/frameworks/hyperllm_method.h"
#include "tests/support/folder.h"

namespace hyperllm::frameworks {
namespace {

HyperLlmMethod of(const std::string& variant) {
  HyperLlmMethod method;
  method.chosen = variant;
  return method;
}

TEST(HyperLlmMethod, VariantsUseWhatTheyAreMadeOf) {
  struct Row {
    const char* variant;
    bool tags, contrast, phase1;
    const char* embeddings;
  };
  for (const Row& row :
       {Row{"base", false, false, false, ""}, Row{"structural", true, true, false, ""},
        Row{"semantic", false, false, true, "lsa"}, Row{"hyperllm", true, true, true, "lsa"},
        Row{"without_meta", true, true, false, "lsa"}, Row{"only_semantic", false, false, true, "lsa"},
        Row{"without_contrast", true, false, true, "lsa"}}) {
    HyperLlmMethod method = of(row.variant);
    const Needs needs = method.needs("lsa");
    EXPECT_EQ(needs.tags, row.tags) << row.variant;
    EXPECT_EQ(needs.contrast, row.contrast) << row.variant;
    EXPECT_EQ(needs.embeddings, row.embeddings) << row.variant;
    EXPECT_EQ(method.has_phase1(), row.phase1) << row.variant;
    EXPECT_EQ(method.variant(), row.variant);
    method.init_embeddings = "somewhere";
    EXPECT_FALSE(method.has_phase1()) << row.variant;
  }
}

TEST(HyperLlmMethod, AStartReplacesPhaseOneAndItsEmbeddings) {
  HyperLlmMethod method = of("hyperllm");
  EXPECT_GT(method.needs("lsa").experts, 0);
  method.init_embeddings = "phase1";
  EXPECT_EQ(method.needs("lsa").embeddings, "phase1");
  EXPECT_EQ(method.needs("lsa").experts, 0);
}

TEST(HyperLlmMethod, EveryVariantIsAChoiceOfTheOption) {
  HyperLlmMethod method;
  const FieldList fields = method.fields();
  const Field& variant = find_field(fields, "variant", "test");
  ASSERT_EQ(variant.choices.size(), std::size(kVariants));
  for (const Variant& row : kVariants) assign_field(variant, row.name);
  test::expect_error(ErrorCode::kInvalidArgument, {"'variant'", "structural"},
                     [&] { assign_field(variant, "full"); });
}

// Amazon Beauty: what their runs took there beyond Base's 162 MB is 253 MB, 190 MB and 18 MB (below which an
// evaluation hides the rest).
TEST(StepBytes, AreThoseOfTheLargestTensors) {
  const StepShape beauty{{10553, 6086}, 49, 256, 4096};
  const auto bytes = [](const char* name, const StepShape& shape) {
    return static_cast<double>(methods().make(name)->step_bytes(shape));
  };
  EXPECT_EQ(bytes("hyperllm", beauty), 0);
  EXPECT_NEAR(bytes("kar", beauty), 300e6, 60e6);
  EXPECT_NEAR(bytes("rlmrec_con", beauty), 250e6, 60e6);
  EXPECT_NEAR(bytes("rlmrec_gen", beauty), 60e6, 40e6);
  for (const char* name : {"kar", "rlmrec_con", "rlmrec_gen"}) {
    StepShape wide = beauty, many = beauty;
    wide.semantic_dim *= 2;
    many.nodes.users *= 2;
    EXPECT_GE(bytes(name, wide) - bytes(name, beauty), 4.0 * 16639 * 256) << name << ": the embeddings";
    EXPECT_GE(bytes(name, many) - bytes(name, beauty), 4.0 * 10553 * 256) << name;
  }
}

}  // namespace
}  // namespace hyperllm::frameworks
