#include "hyperllm/base/fields.h"

#include <gtest/gtest.h>

#include "hyperllm/base/error.h"

namespace hyperllm {
namespace {

struct Options {
  bool flag = false;
  std::int64_t count = 0;
  double rate = 0;
  std::string kind = "a";
  std::vector<std::int64_t> ks;
  FieldList fields() {
    return {{"flag", &flag, ""},
            {"count", &count, ""},
            {"rate", &rate, ""},
            {"kind", &kind, "", {"a", "b"}},
            {"ks", &ks, ""}};
  }
};

std::string message_of(auto&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Fields, AssignAndReadBackEveryType) {
  Options options;
  const FieldList fields = options.fields();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"flag", "true"}, {"count", "-12"}, {"rate", "0.001"}, {"kind", "b"}, {"ks", "10,20"}};
  for (const auto& [name, text] : cases) {
    const Field& field = find_field(fields, name, "test");
    assign_field(field, text);
    EXPECT_EQ(field_text(field), text) << name;
  }
  EXPECT_EQ(options.ks, (std::vector<std::int64_t>{10, 20}));
}

TEST(Fields, UnknownKeyNamesTheNearest) {
  Options options;
  const FieldList fields = options.fields();
  EXPECT_EQ(message_of([&] { find_field(fields, "cuont", "r.toml: [train]"); }),
            "r.toml: [train]: unknown key 'cuont'; did you mean 'count'?");
  EXPECT_EQ(message_of([&] { find_field(fields, "elephant", "r.toml"); }), "r.toml: unknown key 'elephant'");
}

TEST(Fields, ChoicesHoldForOptionsFilledInByAProgram) {
  Options options;
  check_choices(options.fields());
  options.kind = "c";
  EXPECT_EQ(message_of([&] { check_choices(options.fields()); }),
            "option 'kind': expected one of a, b, got 'c'");
}

TEST(Fields, WrongValuesAreRefused) {
  Options options;
  const FieldList fields = options.fields();
  EXPECT_EQ(message_of([&] { assign_field(fields[1], "3.5"); }),
            "option 'count': expected a whole number, got '3.5'");
  EXPECT_EQ(message_of([&] { assign_field(fields[2], "nan"); }),
            "option 'rate': expected a finite number, got 'nan'");
  EXPECT_EQ(message_of([&] { assign_field(fields[3], "c"); }),
            "option 'kind': expected one of a, b, got 'c'");
  EXPECT_EQ(message_of([&] { assign_field(fields[0], "yes"); }),
            "option 'flag': expected true or false, got 'yes'");
}

}  // namespace
}  // namespace hyperllm
