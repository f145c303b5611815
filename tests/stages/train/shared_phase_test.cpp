// Runs that have phase 1 in common train it once, and end in the files of runs that each trained their own.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "hyperllm/stages/train/run.h"
#include "tests/stages/train/run_files.h"
#include "tests/support/folder.h"
#include "tests/support/planted_dataset.h"
#include "tests/support/recording_sink.h"

namespace hyperllm::stages::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::run_files;

class SharedPhaseTest : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    data_ = test::write_planted_dataset(folder_ / "planted");
    run(options("first"), {});
  }

  TrainOptions options(const std::string& output, bool shares = true) const {
    TrainOptions out = test::small_run(folder_ / "planted", folder_ / output);
    if (shares) out.phase1_store = folder_ / "store";
    return out;
  }

  // Epochs of phase 1 that the run trained itself.
  static std::int64_t trained(const TrainOptions& with, const Context& context = {}) {
    run(with, context);
    return json::parse(read_file(with.output / "timing.json")).at("phase1").at("epochs");
  }
  // Those of a run named by an option that it has of its own.
  std::int64_t trained_with(const std::string& option, const std::string& value) const {
    TrainOptions with = options(option);
    with.set(option, value);
    return trained(with);
  }

  std::size_t kept() const {
    return std::distance(fs::directory_iterator(folder_ / "store"), fs::directory_iterator());
  }

  data::Dataset data_;
};

TEST_F(SharedPhaseTest, TheFilesAreThoseOfARunOfItsOwn) {
  TrainOptions with = options("second"), own = options("own", false);
  for (TrainOptions* each : {&with, &own}) {
    each->set("variant", "without_contrast");
    each->objective = "softmax";
    each->set("softmax_tau", "0.7");
    each->lr = 0.01;
    each->epochs = 3;
  }
  test::RecordingSink sink;
  EXPECT_EQ(trained(with, {&sink, {}}), 0);
  EXPECT_NE(
      std::find_if(sink.infos.begin(), sink.infos.end(),
                   [](const std::string& info) { return info.starts_with("phase1: the same as another"); }),
      sink.infos.end());
  EXPECT_EQ(trained(own), 2);
  auto alone = run_files(own.output);
  alone.erase("phase1.safetensors");  // goes when the manifest is written
  EXPECT_EQ(run_files(with.output), alone);
  EXPECT_EQ(kept(), 1u);
}

TEST_F(SharedPhaseTest, OnlyWhatPhaseOneDependsOnKeepsRunsApart) {
  for (const auto& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"tag_margin", "0.3"},
                                                        {"tag_tag_weight", "2"},
                                                        {"contrast_tau", "0.9"},
                                                        {"margin", "1"},
                                                        {"patience", "3"},
                                                        {"init_scale", "0.2"},
                                                        {"variant", "semantic"}})
    EXPECT_EQ(trained_with(option, value), 0) << option;
  for (const auto& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"seed", "2"},
                                                        {"dim", "5"},
                                                        {"layers", "2"},
                                                        {"experts", "3"},
                                                        {"phase1_lr", "0.01"},
                                                        {"phase1_margin", "0.2"},
                                                        {"batch_size", "50"},
                                                        {"model", "hrcf"},
                                                        {"phase1_objective", "softmax"},
                                                        {"sampling", "paper"},
                                                        {"momentum", "0.5"},
                                                        {"eval_users", "7"}})
    EXPECT_EQ(trained_with(option, value), 2) << option;
  EXPECT_EQ(kept(), 13u);
}

TEST_F(SharedPhaseTest, OtherDataIsAnotherPhase) {
  data_.train.item[0] = data_.train.item[0] == 0 ? 2 : 0;
  data::save_dataset(data_, folder_ / "planted");
  EXPECT_EQ(trained(options("data")), 2);
  const fs::path users = folder_ / "planted/embeddings/planted/users.npy";
  artifact::Matrix changed = artifact::read_npy(users);
  changed.values[0] += 0.5F;
  test::write_matrix(users, changed);
  EXPECT_EQ(trained(options("embeddings")), 2);
}

TEST_F(SharedPhaseTest, AnOptionOfPhaseOnesObjectiveCountsAndOneOfPhaseTwosDoesNot) {
  TrainOptions with = options("a");
  with.set("phase1_objective", "softmax");
  with.set("softmax_tau", "0.7");
  EXPECT_EQ(trained(with), 2);
  with.output = folder_ / "b";
  with.set("softmax_tau", "0.8");
  EXPECT_EQ(trained(with), 2);
}

TEST_F(SharedPhaseTest, DamagedResultsAreToldAndReplaced) {
  const auto expected = run_files(folder_ / "first");
  const fs::path entry = fs::directory_iterator(folder_ / "store")->path();
  for (const char* file : {"phase1/users.npy", "phase1.metrics.jsonl", "shared.json"}) {
    std::string bytes = read_file(entry / file);
    bytes[bytes.size() / 2] ^= 1;
    write_file(entry / file, bytes);
    test::RecordingSink sink;
    TrainOptions with = options(std::string("after ") + fs::path(file).filename().string());
    EXPECT_EQ(trained(with, {&sink, {}}), 2) << file;
    ASSERT_FALSE(sink.warnings.empty()) << file;
    EXPECT_NE(sink.warnings[0].find("damaged and not used"), std::string::npos) << sink.warnings[0];
    EXPECT_EQ(run_files(with.output), expected) << file;
    with.output += " again";
    EXPECT_EQ(trained(with), 0) << file;
  }
}

// only_semantic ends with phase 1: its model is made of what it trained.
TEST_F(SharedPhaseTest, PhaseOneAloneIsTrainedAndLeftToOthers) {
  fs::remove_all(folder_ / "store");
  EXPECT_EQ(trained_with("variant", "only_semantic"), 2);
  EXPECT_EQ(trained(options("other")), 0);
}

}  // namespace
}  // namespace hyperllm::stages::train
