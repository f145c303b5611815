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
  check_fields(options.fields());
  options.kind = "c";
  EXPECT_EQ(message_of([&] { check_fields(options.fields()); }),
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

TEST(Fields, NumbersOutOfTheirRangeAreRefusedWithTheRange) {
  std::int64_t dim = 49;
  double rate = 0.5;
  std::vector<std::int64_t> ks = {10};
  const Field whole("dim", &dim, "", within(1, 4096)), share("rate", &rate, "", above(0, 1)),
      list("ks", &ks, "", within(1, 1e6));
  for (const char* text : {"0", "4097", "9223372036854775807", "-1"})
    EXPECT_EQ(message_of([&] { assign_field(whole, text); }),
              "option 'dim': expected 1 to 4096, got '" + std::string(text) + "'");
  EXPECT_EQ(message_of([&] { assign_field(share, "0"); }),
            "option 'rate': expected above 0, at most 1, got '0'");
  EXPECT_EQ(message_of([&] { assign_field(list, "5,0"); }), "option 'ks': expected 1 to 1000000, got '0'");
  EXPECT_EQ(dim, 49);
  EXPECT_EQ(ks, (std::vector<std::int64_t>{10}));
  assign_field(whole, "4096");
  assign_field(share, "1");
  dim = 5000;
  EXPECT_EQ(message_of([&] { check_fields({whole}); }), "option 'dim': expected 1 to 4096, got '5000'");
  EXPECT_EQ(range_text(at_least(0)), "0 or more");
  EXPECT_EQ(range_text({}), "");
}

// Two models, of which one has an option of its own.
struct Owned {
  std::string model = "plain";
  std::int64_t depth = 3;
  bool quick = false;
  FieldList fields() {
    FieldList all = {{"model", &model, ""}, {"quick", &quick, "", Effect::kHow}, {"deep_layers", &depth, ""}};
    all.back().owner = FieldOwner{"model", "deep", {"model"}, "3"};
    return all;
  }
  std::vector<std::string> counting() {
    std::vector<std::string> names;
    for (const Field& field : result_fields(fields())) names.push_back(field.name);
    return names;
  }
};

TEST(Fields, AnOptionCountsWhereItsOwnerIsChosenAndIsRefusedElsewhere) {
  Owned options;
  check_fields(options.fields());
  EXPECT_EQ(options.counting(), (std::vector<std::string>{"model"}));
  options.depth = 4;
  EXPECT_EQ(
      message_of([&] { check_fields(options.fields()); }),
      "option 'deep_layers' belongs to the model deep, but 'model' is plain; leave it out, or set 'model' to "
      "deep");
  options.model = "deep";
  check_fields(options.fields());
  EXPECT_EQ(options.counting(), (std::vector<std::string>{"model", "deep_layers"}));
}

TEST(Fields, AutoStandsForAnOwnersNameWhereItIsSaidWhich) {
  Owned options;
  options.model = "auto";
  options.depth = 4;
  FieldList fields = options.fields();
  EXPECT_NE(message_of([&] { check_fields(fields); }), "no error");
  std::string meant = "deep";
  fields.back().owner->automatic = [&meant] { return meant; };
  check_fields(fields);
  meant = "plain";
  EXPECT_NE(message_of([&] { check_fields(fields); }), "no error");
}

TEST(Fields, EntriesOfAListMayHoldCommas) {
  std::vector<std::string> users;
  const Field field("users", &users, "");
  assign_field(field, R"(Smith\, John,a\\,b\c,d)");
  EXPECT_EQ(users, (std::vector<std::string>{"Smith, John", "a\\", "b\\c", "d"}));
  const std::vector<std::string> before = users;
  assign_field(field, field_text(field));
  EXPECT_EQ(users, before);
}

}  // namespace
}  // namespace hyperllm
