#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/bfloat16.h"
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

class TrainTest : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    data_ = test::write_planted_dataset(folder_ / "planted");
  }
  void TearDown() override {
    set_num_threads(0);
    FolderTest::TearDown();
  }

  TrainOptions options(const std::string& variant, const std::string& output = "run") const {
    TrainOptions out = test::small_run(folder_ / "planted", folder_ / output);
    out.set("variant", variant);
    return out;
  }

  fs::path embeddings() const { return folder_ / "planted" / "embeddings" / "planted"; }

  void fails(ErrorCode code, std::initializer_list<std::string_view> parts, const TrainOptions& with) const {
    expect_error(code, parts, [&] { run(with, {}); });
  }

  data::Dataset data_;
};

TEST_F(TrainTest, EveryVariantWritesTheFilesOfTheHeader) {
  for (const char* variant :
       {"base", "structural", "semantic", "hyperllm", "without_meta", "only_semantic", "without_contrast"}) {
    const TrainOptions with = options(variant, variant);
    const TrainResult result = run(with, {});
    std::set<std::string> expected = {"model/model.json", "model/users.npy", "model/items.npy",
                                      "result.json"};
    const std::string name = variant;
    if (name != "base" && name != "structural" && name != "without_meta")
      expected.insert({"phase1/users.npy", "phase1/items.npy", "phase1.safetensors", "phase1.metrics.jsonl"});
    if (name != "only_semantic") expected.insert({"checkpoint.safetensors", "metrics.jsonl"});
    std::set<std::string> found;
    for (const auto& [file, content] : run_files(with.output)) found.insert(file);
    EXPECT_EQ(found, expected) << variant;
    EXPECT_TRUE(fs::exists(with.output / "timing.json"));
    for (const fs::path& output : result.outputs) EXPECT_TRUE(fs::exists(output)) << output;
    for (const fs::path& input : result.inputs) EXPECT_TRUE(fs::exists(input)) << input;

    const json written = json::parse(read_file(with.output / "result.json"));
    EXPECT_EQ(written.at("variant"), variant);
    EXPECT_EQ(written.at("epochs"), 2);
    EXPECT_EQ(written.at("best_epoch"), result.best_epoch);
    EXPECT_EQ(written.at("valid").size(), 4u);
    EXPECT_FALSE(written.contains("seconds"));
    EXPECT_EQ(artifact::read_npy(with.output / "model" / "users.npy").cols, 4);
    EXPECT_EQ(artifact::read_npy(with.output / "model" / "items.npy").rows, data_.num_items());
  }
}

TEST_F(TrainTest, EventFilesForEachPhaseChangeNothingElse) {
  TrainOptions told = options("hyperllm", "told");
  told.tensorboard = true;
  const TrainResult result = run(told, {});
  run(options("hyperllm", "plain"), {});
  for (const char* phase : {"phase1", "phase2"}) {
    const fs::path folder = told.output / "tensorboard" / phase;
    ASSERT_TRUE(fs::is_directory(folder)) << phase;
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1) << phase;
  }
  for (const fs::path& output : result.outputs)
    EXPECT_EQ(output.string().find("tensorboard"), std::string::npos) << "holds times, must not be hashed";
  fs::remove_all(told.output / "tensorboard");
  EXPECT_EQ(run_files(told.output), run_files(folder_ / "plain"));
}

TEST_F(TrainTest, MemoryIsPlannedAndALimitStopsTheRunAtOnce) {
  test::RecordingSink sink;
  TrainOptions with = options("structural");
  run(with, {&sink, {}});
  EXPECT_TRUE(std::any_of(sink.infos.begin(), sink.infos.end(),
                          [](const std::string& info) { return info.starts_with("memory: about "); }));
  const json timing = json::parse(read_file(with.output / "timing.json"));
  EXPECT_GT(timing.at("planned_memory"), 0);
  EXPECT_GT(timing.at("peak_memory"), 0);
  EXPECT_EQ(timing.at("phase2").at("epochs"), 2);
  EXPECT_EQ(timing.at("phase2").at("evaluations"), 3);
  with = options("structural", "small");
  with.memory_limit = 1;
  fails(ErrorCode::kInvalidArgument, {"will not fit", "1 MB", "'dim'", "'contrast_rows'", "'batch_size'"},
        with);
  EXPECT_FALSE(fs::exists(with.output / "metrics.jsonl"));
}

TEST_F(TrainTest, ValidationOnSomeUsersIsTheSameEachTime) {
  TrainOptions with = options("base", "some");
  with.eval_users = 10;
  run(with, {});
  const auto first = run_files(with.output);
  fs::remove_all(with.output);
  run(with, {});
  EXPECT_EQ(run_files(with.output), first);
  TrainOptions all = options("base", "all");
  run(all, {});
  EXPECT_NE(read_file(all.output / "metrics.jsonl"), first.at("metrics.jsonl"));
}

TEST_F(TrainTest, BaselinesWriteAModelAndAResult) {
  for (const char* model : {"popular", "ease"}) {
    TrainOptions with = options("hyperllm", model);
    with.model = model;
    with.embeddings = "none";  // not asked for
    run(with, {});
    EXPECT_TRUE(fs::exists(with.output / "model" / "model.json"));
    const json written = json::parse(read_file(with.output / "result.json"));
    EXPECT_EQ(written.size(), 1u);
    EXPECT_EQ(written.at("model"), model);
  }
}

TEST_F(TrainTest, ABaselinesOptionIsOfItAlone) {
  const auto weights = [&](const char* lambda) {
    TrainOptions with = options("base", std::string("ease ") + lambda);
    with.model = "ease";
    with.set("ease_lambda", lambda);
    run(with, {});
    return read_file(with.output / "model" / "weights.npy");
  };
  EXPECT_NE(weights("1"), weights("100"));
  TrainOptions with = options("base");
  with.set("ease_lambda", "1");
  fails(ErrorCode::kInvalidArgument, {"'ease_lambda' belongs to the model ease", "'model' is hgcf"}, with);
  with = options("base");
  with.set("softmax_tau", "0.5");
  fails(ErrorCode::kInvalidArgument,
        {"'softmax_tau' belongs to the objective softmax", "'objective' is auto, which is hinge"}, with);
  with.set("phase1_objective", "softmax");
  run(with, {});
}

TEST_F(TrainTest, SoftmaxWithAdamRunsInBothPhases) {
  TrainOptions with = options("hyperllm");
  with.objective = "softmax";
  with.set("phase1_objective", "softmax");
  run(with, {});
  EXPECT_EQ(json::parse(read_file(with.output / "result.json")).at("objective"), "softmax");
}

TEST_F(TrainTest, EqualRunsGiveEqualFilesForAnyNumberOfThreads) {
  for (const char* variant : {"hyperllm", "without_meta"}) {
    set_num_threads(1);
    run(options(variant, "one"), {});
    run(options(variant, "again"), {});
    set_num_threads(2);
    run(options(variant, "two"), {});
    EXPECT_EQ(run_files(folder_ / "one"), run_files(folder_ / "again")) << variant;
    EXPECT_EQ(run_files(folder_ / "one"), run_files(folder_ / "two")) << variant;
    for (const char* name : {"one", "again", "two"}) fs::remove_all(folder_ / name);
  }
}

TEST_F(TrainTest, PhaseOneInBfloat16IsNearFloat32AndTheSameForAnyNumberOfThreads) {
  TrainOptions with = options("only_semantic", "float32");
  const double expected = run(with, {}).valid.front().second;
  std::map<std::string, std::string> first;
  for (const int threads : {1, 2, 4}) {
    with.set("phase1_precision", "bfloat16");
    with.output = folder_ / ("bfloat16-" + std::to_string(threads));
    if (!kernels::has_fast_bfloat16())
      return fails(ErrorCode::kUnavailable, {"phase1_precision", "AVX512-BF16", "float32"}, with);
    set_num_threads(threads);
    EXPECT_NEAR(run(with, {}).valid.front().second, expected, 0.1);
    if (first.empty()) first = run_files(with.output);
    EXPECT_EQ(run_files(with.output), first) << threads << " threads";
  }
  EXPECT_NE(first.at("phase1/users.npy"), run_files(folder_ / "float32").at("phase1/users.npy"));
}

TEST_F(TrainTest, AFinishedRunIsNotTrainedAgain) {
  run(options("hyperllm"), {});
  const auto before = run_files(folder_ / "run");
  run(options("hyperllm"), {});
  EXPECT_EQ(run_files(folder_ / "run"), before);
}

TEST_F(TrainTest, ACheckpointOfOtherOptionsOrDataStepsAside) {
  run(options("base"), {});
  const fs::path folder = folder_ / "run";
  const auto before = run_files(folder);
  TrainOptions other = options("base");
  other.lr = 0.5;
  hyperllm::test::RecordingSink sink;
  run(other, {&sink, {}});
  ASSERT_FALSE(sink.warnings.empty());
  EXPECT_NE(sink.warnings[0].find("other options or data"), std::string::npos) << sink.warnings[0];
  EXPECT_NE(sink.warnings[0].find("checkpoint.safetensors.aside,"), std::string::npos) << sink.warnings[0];
  EXPECT_EQ(read_file(folder / "checkpoint.safetensors.aside"), before.at("checkpoint.safetensors"));
  EXPECT_EQ(read_file(folder / "metrics.jsonl.aside"), before.at("metrics.jsonl"));
  EXPECT_NE(run_files(folder).at("model/users.npy"), before.at("model/users.npy"));

  data_.train.item[0] = data_.train.item[0] == 0 ? 2 : 0;
  data::save_dataset(data_, folder_ / "planted");
  run(other, {});
  EXPECT_TRUE(fs::exists(folder / "checkpoint.safetensors.aside2")) << "nothing that was kept is overwritten";
  EXPECT_EQ(read_file(folder / "checkpoint.safetensors.aside"), before.at("checkpoint.safetensors"));
}

TEST_F(TrainTest, AnUnknownModelSuggestsTheNearest) {
  TrainOptions with = options("base");
  with.model = "hgfc";
  fails(ErrorCode::kInvalidArgument, {"'hgfc'", "did you mean 'hgcf'?"}, with);
}

TEST_F(TrainTest, WithoutTagsTheMessageSaysWhatToRun) {
  fs::remove(folder_ / "planted" / "tags.tsv");
  for (const char* variant : {"structural", "hyperllm", "without_meta", "without_contrast"})
    fails(ErrorCode::kIo, {"planted", "tags.tsv", variant, "hyperllm extract", "base or semantic"},
          options(variant, variant));
  run(options("semantic"), {});
}

TEST_F(TrainTest, WithoutEmbeddingsTheMessageSaysWhatToRun) {
  for (const char* gone : {"items.npy", "users.npy", ""}) {
    fs::remove_all(*gone ? embeddings() / gone : embeddings());
    for (const char* variant : {"semantic", "hyperllm", "without_meta", "only_semantic", "without_contrast"})
      fails(ErrorCode::kIo, {"planted", gone, "no such embeddings", "hyperllm embed", "base"},
            options(variant));
  }
  run(options("structural"), {});
}

TEST_F(TrainTest, EmbeddingsThatDoNotFitNameFileAndRemedy) {
  test::write_matrix(embeddings() / "users.npy", test::planted_rows(39, "users"));
  fails(ErrorCode::kInvalidData,
        {"users.npy", "has 39 rows, the dataset has 40 users", "one row for each line"}, options("semantic"));
  artifact::Matrix narrow{40, 5, std::vector<float>(200, 1)};
  test::write_matrix(embeddings() / "users.npy", narrow);
  fails(ErrorCode::kInvalidData, {"items.npy", "has 6 columns, users.npy has 5", "same encoder"},
        options("semantic"));
  artifact::Matrix users = test::planted_rows(40, "users");
  users.values[6 * 3 + 2] = std::numeric_limits<float>::quiet_NaN();
  test::write_matrix(embeddings() / "users.npy", users);
  fails(ErrorCode::kInvalidData, {"users.npy", "row 3"}, options("semantic"));
  put("planted/embeddings/planted/users.npy", "not numpy");
  fails(ErrorCode::kInvalidData, {"users.npy"}, options("semantic"));
}

TEST_F(TrainTest, InitialEmbeddingsOfOtherWidthAreRefused) {
  TrainOptions with = options("semantic");  // dim 4, the files have 6 columns
  with.set("init_embeddings", embeddings().string());
  fails(ErrorCode::kInvalidData, {"users.npy", "has 6 columns, 'dim' is 4", "Give dim 6", "time coordinate"},
        with);
  with.set("init_embeddings", (folder_ / "nothing").string());
  fails(ErrorCode::kIo, {"nothing", "no such embeddings"}, with);
}

// Nothing is trained, so that the representations show where training starts. User 0 has no item: A = 1 for
// that user, whose point after two layers is expmap0(2 t). User 1 has one item, whose tangent is zero: after
// one layer their point is expmap0(t / 2).
class InitialEmbeddingsTest : public TrainTest {
 protected:
  // The representation of `user` when their row of the file is `row`, and all others are zero.
  std::vector<float> start(std::int64_t user, const std::vector<float>& row, std::int64_t layers) {
    data::Dataset data;
    data.name = "lonely";
    data.users = {"u0", "u1"};
    data.items = {"i0", "i1"};
    data.train = test::interactions({{1, 0}});
    data.valid = test::interactions({{1, 1}});
    data::save_dataset(data, folder_ / "lonely");
    const auto width = static_cast<std::int64_t>(row.size());
    const artifact::Matrix items{2, width, std::vector<float>(2 * width, 0)};
    artifact::Matrix users = items;
    std::copy(row.begin(), row.end(), users.values.begin() + user * width);
    fs::create_directories(folder_ / "start");
    test::write_matrix(folder_ / "start" / "users.npy", users);
    test::write_matrix(folder_ / "start" / "items.npy", items);
    TrainOptions with = options("semantic", "lonely_run");
    with.dataset = folder_ / "lonely";
    with.set("init_embeddings", (folder_ / "start").string());
    with.dim = 2;
    with.layers = layers;
    with.epochs = 0;
    with.max_radius = 5;
    run(with, {});
    const artifact::Matrix points = artifact::read_npy(with.output / "model" / "users.npy");
    return {points.row(user).begin(), points.row(user).end()};
  }
};

TEST_F(InitialEmbeddingsTest, OfDimColumnsAreTangents) {
  const auto x = start(0, {0.3F, -0.4F}, 2);  // length 0.5, doubled 1
  EXPECT_NEAR(x[0], std::sinh(1.0) * 0.6, 1e-5);
  EXPECT_NEAR(x[1], std::sinh(1.0) * -0.8, 1e-5);
}

// Column 0 is a time coordinate t: the Lorentz length is sqrt(|v|^2 - t^2), and expmap0 multiplies v by
// sinh(length) / length.
TEST_F(InitialEmbeddingsTest, OfOneColumnMoreCountTheTimeNegatively) {
  const auto x = start(0, {0.3F, 0.3F, -0.4F}, 2);  // length sqrt(0.25 - 0.09) = 0.4
  const double point = std::sinh(0.4) / 0.4 * 0.5;  // length of the space part
  const double twice = std::sinh(2 * std::asinh(point));
  EXPECT_NEAR(x[0], twice * 0.6, 1e-5);
  EXPECT_NEAR(x[1], twice * -0.8, 1e-5);
}

// A length above the cap of 5 is cut: v = (18, 24) and t = 18 have length 24, and the point is sinh(5) / 24
// v.
TEST_F(InitialEmbeddingsTest, TheLengthOfThatExpmapIsCapped) {
  const auto x = start(1, {18.0F, 18.0F, 24.0F}, 1);
  const double tangent = std::asinh(std::sinh(5.0) / 24 * 30);
  EXPECT_NEAR(x[0], std::sinh(tangent / 2) * 0.6, 1e-4);
  EXPECT_NEAR(x[1], std::sinh(tangent / 2) * 0.8, 1e-4);
}

}  // namespace
}  // namespace hyperllm::stages::train
