#include "hyperllm/base/json.h"

#include <gtest/gtest.h>

#include <string>

namespace hyperllm {
namespace {

std::string nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Json, ReadsUpToTheDepthAndNoFurther) {
  EXPECT_TRUE(parse_json(nested(kMaxJsonDepth)).is_array());
  EXPECT_TRUE(parse_json(nested(kMaxJsonDepth + 1)).is_discarded());
  EXPECT_TRUE(parse_json(nested(1000000)).is_discarded());
  EXPECT_TRUE(parse_json(std::string(1000000, '[')).is_discarded());
}

TEST(Json, BracketsInsideStringsDoNotCount) {
  const std::string text = R"({"a": ")" + std::string(1000, '[') + R"( \" [", "b": [1]})";
  EXPECT_FALSE(nests_too_deep(text));
  EXPECT_EQ(parse_json(text)["b"][0], 1);
}

TEST(Json, ClosedArraysMayFollowOneAnother) {
  std::string text = "[[]";
  for (int i = 0; i < 1000; ++i) text += ",[]";
  EXPECT_EQ(parse_json(text + "]").size(), 1001u);
}

TEST(Json, WhatIsNoJsonIsDiscarded) {
  EXPECT_TRUE(parse_json("").is_discarded());
  EXPECT_TRUE(parse_json("{").is_discarded());
  EXPECT_TRUE(parse_json<nlohmann::ordered_json>("nul").is_discarded());
}

}  // namespace
}  // namespace hyperllm
