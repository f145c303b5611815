#include "hyperllm/base/registry.h"

#include <gtest/gtest.h>

#include "tests/support/folder.h"

namespace hyperllm {
namespace {

struct Shape : Configurable {
  virtual double area() const = 0;
};
struct Square final : Shape {
  double side = 2;
  FieldList fields() override { return {{"side", &side, "length", above(0, 100)}}; }
  double area() const override { return side * side; }
};
struct Dot final : Shape {
  double area() const override { return 0; }
};

Registry<Shape> shapes() {
  Registry<Shape> registry("shape");
  registry.add("square", "has a side", Square());
  registry.add("dot", "has nothing", Dot());
  return registry;
}

TEST(Registry, MakesByNameAndSuggestsTheNearest) {
  const Registry<Shape> registry = shapes();
  EXPECT_EQ(registry.make("square")->area(), 4);
  EXPECT_EQ(registry.names(), (std::vector<std::string>{"dot", "square"}));
  EXPECT_EQ(registry.help(), "dot (has nothing), square (has a side)");
  test::expect_error(ErrorCode::kInvalidArgument, {"unknown shape 'sqare'", "did you mean 'square'?"},
                     [&] { registry.make("sqare"); });
}

TEST(OwnOptions, AreFieldsUnderTheirOwnersNameAndAValue) {
  OwnOptions options(shapes());
  const FieldList fields = options.fields({"shape"});
  ASSERT_EQ(fields.size(), 1u);
  EXPECT_EQ(fields[0].name, "square_side");
  EXPECT_EQ(fields[0].owner->name, "square");
  EXPECT_EQ(fields[0].owner->untouched, "2");
  assign_field(fields[0], "3");
  const OwnOptions copy = options;
  assign_field(fields[0], "5");
  EXPECT_EQ(options.take<Shape>("square")->area(), 25);
  EXPECT_EQ(copy.take<Shape>("square")->area(), 9);
  EXPECT_EQ(options.fields({"shape"})[0].owner->untouched, "2") << "whatever it is set to";
  test::expect_error(ErrorCode::kInvalidArgument, {"unknown shape 'dott'", "'dot'"},
                     [&] { options.take<Shape>("dott"); });
}

}  // namespace
}  // namespace hyperllm
