// Every test starts from the same state of torch's generator, which is seeded at random otherwise; from another
// with --gtest_shuffle --gtest_random_seed=N.
#include <gtest/gtest.h>
#include <torch/utils.h>

namespace hyperllm::test {
namespace {

class Seed : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo&) override {
    torch::manual_seed(1 + ::testing::UnitTest::GetInstance()->random_seed());
  }
};

[[maybe_unused]] const bool listening = [] {
  ::testing::UnitTest::GetInstance()->listeners().Append(new Seed);  // gtest owns it
  return true;
}();

}  // namespace
}  // namespace hyperllm::test
