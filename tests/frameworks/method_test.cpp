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

}  // namespace
}  // namespace hyperllm::frameworks
