// What a run says at its end, and what it leaves if it is stopped before.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stop_token>

#include "hyperllm/artifact/manifest.h"
#include "hyperllm/stages/train/advice.h"
#include "hyperllm/stages/train/run.h"
#include "tests/stages/train/run_files.h"
#include "tests/support/folder.h"
#include "tests/support/planted_dataset.h"
#include "tests/support/recording_sink.h"

namespace hyperllm::stages::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::expect_error;
using test::run_files;

class EndsTest : public test::FolderTest {
 protected:
  TrainOptions options(const std::string& shop, const std::string& output) const {
    TrainOptions out = test::small_run(folder_ / shop, folder_ / output);
    out.set("variant", "base");
    out.epochs = 4;
    return out;
  }

  // The notes of the run, which must be what it warned of.
  std::vector<std::string> notes(const TrainOptions& with) const {
    test::RecordingSink sink;
    run(with, {&sink, {}});
    const json result = json::parse(read_file(with.output / "result.json"));
    const auto notes = result.value("notes", std::vector<std::string>());
    EXPECT_EQ(notes, sink.warnings);
    return notes;
  }

  static void expect_one(const std::vector<std::string>& notes, std::initializer_list<const char*> parts) {
    ASSERT_EQ(notes.size(), 1u);
    for (const char* part : parts) EXPECT_NE(notes[0].find(part), std::string::npos) << notes[0];
  }

  // Ends after the step that is under way, with kInterrupted.
  void interrupt(const TrainOptions& with) const {
    std::stop_source stop;
    stop.request_stop();
    expect_error(ErrorCode::kInterrupted, {"run the same command"}, [&] {
      run(with, {&silent_sink(), stop.get_token()});
    });
  }
};

// The start knows the held-out item of each user, which is near to him alone; what he trains on says
// nothing of it.
TEST_F(EndsTest, ARunThatNeverBecameBetterSaysSo) {
  constexpr std::int32_t kUsers = 40;
  data::Dataset data;
  data.name = "shop";
  test::Pairs train, valid;
  artifact::Matrix codes{kUsers, 8, {}};
  Random random(1, "codes");
  for (std::int32_t user = 0; user < kUsers; ++user) {
    data.users.push_back("u" + std::to_string(user));
    data.items.push_back("i" + std::to_string(user));
    valid.emplace_back(user, user);
    for (const std::int32_t other : {3, 7, 12}) train.emplace_back(user, (user + other) % kUsers);
    for (std::int64_t d = 0; d < codes.cols; ++d)
      codes.values.push_back(random.uniform() < 0.5 ? -1.0F : 1.0F);
  }
  data.train = test::interactions(train);
  data.valid = data.test = test::interactions(valid);
  data::save_dataset(data, folder_ / "shop");
  fs::create_directories(folder_ / "codes");
  for (const char* name : {"users.npy", "items.npy"}) test::write_matrix(folder_ / "codes" / name, codes);
  TrainOptions with = options("shop", "run");
  with.model = "bprmf";
  with.set("variant", "semantic");
  with.set("init_embeddings", (folder_ / "codes").string());
  with.dim = 8;
  with.objective = "softmax";
  with.lr = 2;
  expect_one(notes(with), {"phase2: none of the 4 epochs", "the result is that start", "'lr' (now 2)",
                           "'objective' (now softmax)"});
}

TEST_F(EndsTest, ARunThatWasCutOffSaysSo) {
  test::write_planted_dataset(folder_ / "shop");
  TrainOptions with = options("shop", "run");
  with.model = "bprmf";
  with.objective = "softmax";
  with.lr = 0.05;
  with.epochs = 3;
  expect_one(notes(with), {"phase2: the best epoch is the last one, 3", "more 'epochs'"});
  with.epochs = 0;
  with.output = folder_ / "asked";
  for (const std::string& note : notes(with)) EXPECT_EQ(note.find("phase2:"), std::string::npos) << note;
}

// Everybody's held-out item is among the ten that nearly all others have; the other hundred have one user
// each.
TEST_F(EndsTest, ARunBelowPopularitySaysSo) {
  data::Dataset data;
  data.name = "shop";
  test::Pairs train, valid;
  for (std::int32_t item = 0; item < 110; ++item) data.items.push_back("i" + std::to_string(item));
  for (std::int32_t user = 0; user < 50; ++user) {
    data.users.push_back("u" + std::to_string(user));
    for (std::int32_t item = 0; item < 10; ++item)
      (item == user % 10 ? valid : train).emplace_back(user, item);
    for (const std::int32_t one : {0, 1}) train.emplace_back(user, 10 + 2 * user + one);
  }
  data.train = test::interactions(train);
  data.valid = test::interactions(valid);
  data.test = test::interactions(valid);
  data::save_dataset(data, folder_ / "shop");
  TrainOptions with = options("shop", "run");
  with.model = "bprmf";
  with.epochs = 0;
  expect_one(notes(with), {"worse than the items' popularity", "recall@20 0.", "against 1.0000"});
}

TEST_F(EndsTest, NothingIsSaidOfWhatEndedWell) {
  Ended well{"phase2", "", 30, 80, 1.5, 500, 1e-3, "hinge"};
  EXPECT_FALSE(advice(well));
  well.best_epoch = 80;
  EXPECT_FALSE(advice(well)) << "stopped, not cut off";
  well.score = 0;
  EXPECT_NE(advice(well)->find("'valid_ratio'"), std::string::npos);
  const training::Metrics good = {{"recall@10", 0.2}, {"recall@20", 0.3}, {"ndcg@10", 0.1}, {"ndcg@20", 0.1}};
  EXPECT_FALSE(advice_on_popularity(good, good));
}

TEST_F(EndsTest, AStoppedRunLeavesItsBestModelAndEndsInTheFilesOfAnUndisturbedOne) {
  test::write_planted_dataset(folder_ / "shop");
  TrainOptions with = options("shop", "run");
  interrupt(with);
  EXPECT_EQ(artifact::unfinished_epoch(with.output), 0);
  EXPECT_EQ(artifact::read_npy(with.output / "model/users.npy").rows, 40);
  const json unfinished = json::parse(read_file(with.output / "unfinished.json"));
  EXPECT_EQ(unfinished.at("inputs").size(), 4u);
  for (const char* file : {"evaluation.test.json", "per_user.test.tsv", "evaluate.test.manifest.json"})
    put(std::string("run/") + file, "of the unfinished model");
  run(with, {});
  EXPECT_FALSE(artifact::unfinished_epoch(with.output));
  TrainOptions calm = options("shop", "calm");
  calm.checkpoint_seconds = 1e9;  // nothing is written before the end
  run(calm, {});
  EXPECT_EQ(run_files(with.output), run_files(calm.output));
}

// The best epoch's parameters take the place of the present ones while its model is written.
TEST_F(EndsTest, WritingTheBestModelOnTheWayChangesNothing) {
  test::write_planted_dataset(folder_ / "shop");
  for (const char* model : {"hgcf", "hgch", "hypercl", "lightgcn"}) {
    TrainOptions often = options("shop", std::string(model) + "-often"),
                 never = options("shop", std::string(model) + "-never");
    for (TrainOptions* with : {&often, &never}) {
      with->model = model;
      with->set("variant", "hyperllm");
      with->lr = 0.3;  // some epochs are worse than those before
      with->epochs = 8;
    }
    often.checkpoint_seconds = 0;
    never.checkpoint_seconds = 1e9;
    run(often, {});
    run(never, {});
    EXPECT_EQ(run_files(often.output), run_files(never.output)) << model;
  }
}

TEST_F(EndsTest, AFinishedRunsModelStaysUntilTheNextIsWhole) {
  test::write_planted_dataset(folder_ / "shop");
  TrainOptions with = options("shop", "run");
  run(with, {});
  const auto before = run_files(with.output);
  with.lr = 0.5;
  interrupt(with);
  const auto after = run_files(with.output);
  for (const char* file : {"model/model.json", "model/users.npy", "model/items.npy", "result.json"})
    EXPECT_EQ(after.at(file), before.at(file));
  EXPECT_FALSE(artifact::unfinished_epoch(with.output));
  run(with, {});
  EXPECT_NE(run_files(with.output).at("model/users.npy"), before.at("model/users.npy"));
}

}  // namespace
}  // namespace hyperllm::stages::train
