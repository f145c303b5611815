#include "hyperllm/llm/unicode.h"

#include <gtest/gtest.h>

namespace hyperllm::llm {
namespace {

TEST(Unicode, RoundTripsEveryLengthOfSequence) {
  const std::string text = "a\u00e9\u4e2d\U0001f600";
  EXPECT_EQ(to_code_points(text), U"a\u00e9\u4e2d\U0001f600");
  EXPECT_EQ(to_utf8(to_code_points(text)), text);
}

TEST(Unicode, MalformedBytesBecomeTheReplacementCharacter) {
  EXPECT_EQ(valid_utf8("a\xff"
                       "b"),
            "a\ufffdb");
  EXPECT_EQ(valid_utf8("\xc0\xaf"), "\ufffd\ufffd");            // overlong
  EXPECT_EQ(valid_utf8("\xe4\xb8"), "\ufffd\ufffd");            // cut off
  EXPECT_EQ(valid_utf8("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");  // a surrogate
  EXPECT_EQ(valid_utf8(std::string_view("a\0b", 3)), "ab");
}

TEST(Unicode, FoldsCaseWidthMarksAndPunctuation) {
  EXPECT_EQ(folded("  Skin\u00a0CARE! "), "skin care");
  EXPECT_EQ(folded("Cre\u0301me"), folded("CR\u00c9ME"));
  EXPECT_EQ(folded("\uff33\uff4b\uff49\uff4e"), "skin");
  EXPECT_EQ(folded("\u0421\u041a\u0418\u0414\u041a\u0410"), "\u0441\u043a\u0438\u0434\u043a\u0430");
  EXPECT_EQ(folded("Anti\u2011Aging"), "anti-aging");
  EXPECT_EQ(folded("Men\u2019s R&B / C++"), "men's r&b c++");
  EXPECT_EQ(folded("zero\u200bwidth - dash"), "zerowidth dash");
  EXPECT_EQ(folded("..."), "");
}

}  // namespace
}  // namespace hyperllm::llm
