#include "hyperllm/training/trainer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "hyperllm/frameworks/hyperllm.h"
#include "hyperllm/models/model.h"
#include "hyperllm/training/checkpoint.h"
#include "tests/laws/planted_backbones.h"
#include "tests/support/events.h"
#include "tests/support/folder.h"
#include "tests/support/planted_dataset.h"
#include "tests/support/recording_sink.h"

namespace hyperllm::training {
namespace {

using nlohmann::json;

struct Result {
  Outcome outcome;
  std::vector<torch::Tensor> parameters;
};

// A context that keeps what was said.
struct RecordingContext {
  explicit RecordingContext(std::stop_token stop) { context.stop = std::move(stop); }
  test::RecordingSink sink;
  Context context{&sink, {}};
};

class TrainerTest : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    options_.epochs = 12;
    options_.checkpoint_seconds = 0;
    options_.checkpoint = folder_ / "a.safetensors";
    options_.log = folder_ / "a.jsonl";
    options_.task = "phase2";
    options_.identity = "mine";
    optimizer_.lr = 0.01;
  }

  // Other files, for a run to compare with.
  TrainerOptions beside(const std::string& name) const {
    TrainerOptions options = options_;
    options.checkpoint = folder_ / (name + ".safetensors");
    options.log = folder_ / (name + ".jsonl");
    return options;
  }

  Result run(const TrainerOptions& options, const Context& context = {}) const {
    torch::Tensor start = frameworks::uniform_tangents(80, 6, 0.1, Random(1, "start"));
    if (planted_nan_) start[7][2] = std::numeric_limits<float>::quiet_NaN();
    const auto train_items = std::make_shared<const data::Csr>(train_);
    frameworks::HyperLlm framework(
        {models::make_backbone(model_, {2, 1.5, manifold::Curvature(1)}),
         graph::user_item_graph(train_),
         {data_.num_users(), data_.num_items()},
         objectives::make_objective(models::models().make(model_)->objective())},
        train_items,
        frameworks::make_table("ids", start, frameworks::Storage::kPoints, manifold::Curvature(1)),
        std::nullopt);
    const auto optimizer = optim::make_optimizer(framework.parameters(), optimizer_);
    Result result;
    result.outcome = train(framework, *optimizer, Sampler(framework.draws(), {64, 1, Sampling::kFresh}),
                           train_, valid_, options, context);
    for (const optim::Parameter& parameter : framework.parameters())
      result.parameters.push_back(parameter.value.detach().clone());
    return result;
  }

  static std::vector<json> lines(const std::filesystem::path& log) {
    std::vector<json> parsed;
    std::istringstream text(read_file(log));
    for (std::string line; std::getline(text, line);) parsed.push_back(json::parse(line));
    return parsed;
  }
  static double score(const json& line) {
    return line.at("recall@10").get<double>() + line.at("recall@20").get<double>() +
           line.at("ndcg@10").get<double>() + line.at("ndcg@20").get<double>();
  }
  static void expect_same(const Result& a, const Result& b) {
    EXPECT_EQ(a.outcome.best_epoch, b.outcome.best_epoch);
    EXPECT_EQ(a.outcome.epochs, b.outcome.epochs);
    EXPECT_EQ(a.outcome.stopped_early, b.outcome.stopped_early);
    EXPECT_EQ(a.outcome.best, b.outcome.best);
    for (std::size_t i = 0; i < a.parameters.size(); ++i)
      EXPECT_TRUE(torch::equal(a.parameters[i], b.parameters[i]));
  }
  void expect_same_files(const TrainerOptions& a, const TrainerOptions& b) const {
    EXPECT_EQ(read_file(a.log), read_file(b.log));
    EXPECT_EQ(read_file(a.checkpoint), read_file(b.checkpoint));
  }

  const data::Dataset data_ = test::planted_interactions({});
  const data::Csr train_ = data_.train_csr(), valid_ = data_.valid_csr();
  TrainerOptions options_;
  optim::OptimizerOptions optimizer_;
  bool planted_nan_ = false;
  std::string model_ = "hgcf";
};

TEST_F(TrainerTest, LogsEveryEpochAndPutsTheBestBack) {
  const Result result = run(options_);
  const auto log = lines(options_.log);
  ASSERT_EQ(log.size(), 13u);
  EXPECT_FALSE(log[0].contains("loss")) << "epoch 0 is the state before the first step";
  std::size_t best = 0;
  for (std::size_t i = 0; i < log.size(); ++i) {
    EXPECT_EQ(log[i].at("epoch"), i);
    EXPECT_TRUE(log[i].contains("saturated"));
    if (score(log[i]) >= score(log[best])) best = i;
  }
  EXPECT_EQ(result.outcome.best_epoch, best);
  EXPECT_LT(log.back().at("loss").get<double>(), log[1].at("loss").get<double>());

  // The parameters that came back are those of the best epoch: training just that far ends at the same ones.
  if (best == 0) GTEST_FAIL() << "this data set is meant to be learnt";
  TrainerOptions shorter = beside("b");
  shorter.epochs = static_cast<std::int64_t>(best);
  expect_same({result.outcome, result.parameters}, [&] {
    Result again = run(shorter);
    EXPECT_EQ(again.outcome.best_epoch, shorter.epochs);
    again.outcome = result.outcome;
    return again;
  }());
}

// Event files say what the log says, and change no result; a continued run says where it goes on.
TEST_F(TrainerTest, EventFilesHoldTheLogsNumbers) {
  TrainerOptions told = beside("b");
  told.events = folder_ / "events";
  told.epochs = 5;
  run(told);
  told.epochs = options_.epochs;
  run(told);
  run(options_);
  EXPECT_EQ(read_file(told.log), read_file(options_.log));
  const auto log = lines(told.log);
  std::map<std::uint64_t, std::map<std::string, float>> scalars;
  std::vector<std::uint64_t> starts;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(told.events)) files.push_back(entry.path());
  EXPECT_EQ(files.size(), 2u);
  for (const auto& file : files)
    for (const test::Message& event : test::read_events(file)) {
      const std::uint64_t step = event.numbers.at(2);
      if (event.bytes.contains(7)) starts.push_back(step);
      if (!event.bytes.contains(5)) continue;
      for (const auto& [field, value] : test::parse(event.bytes.find(5)->second).bytes) {
        const test::Message scalar = test::parse(value);
        scalars[step][scalar.bytes.find(1)->second] = scalar.floats.at(2);
      }
    }
  std::sort(starts.begin(), starts.end());
  EXPECT_EQ(starts, (std::vector<std::uint64_t>{0, 6}));
  ASSERT_EQ(scalars.size(), log.size());
  for (const json& line : log) {
    const auto& values = scalars.at(line.at("epoch").get<std::uint64_t>());
    EXPECT_EQ(values.at("valid/recall@20"), static_cast<float>(line.at("recall@20").get<double>()));
    EXPECT_EQ(values.at("train/saturated"), static_cast<float>(line.at("saturated").get<double>()));
    EXPECT_EQ(values.contains("train/loss"), line.contains("loss"));
    if (line.contains("loss")) {
      EXPECT_EQ(values.at("train/loss"), static_cast<float>(line.at("loss").get<double>()));
    }
  }
}

TEST_F(TrainerTest, StopsEarlyWhenPatienceRunsOut) {
  options_.epochs = 400;
  options_.patience = 5;
  const Result result = run(options_);
  EXPECT_TRUE(result.outcome.stopped_early);
  EXPECT_LT(result.outcome.epochs, 400);
  EXPECT_EQ(result.outcome.epochs, result.outcome.best_epoch + 5);
  EXPECT_EQ(lines(options_.log).size(), static_cast<std::size_t>(result.outcome.epochs + 1));
  expect_same(result, run(options_));  // finished: nothing is left to do
}

// A step so small that no score changes: all epochs tie.
TEST_F(TrainerTest, TiesGoToTheLaterEpoch) {
  optimizer_.lr = 1e-12;
  options_.patience = 2;
  const Result result = run(options_);
  EXPECT_EQ(result.outcome.best_epoch, 12);
  EXPECT_FALSE(result.outcome.stopped_early);
}

TEST_F(TrainerTest, EvaluatesEveryNthEpochAndTheLast) {
  options_.eval_every = 5;
  run(options_);
  std::vector<int> epochs;
  for (const json& line : lines(options_.log)) epochs.push_back(line.at("epoch"));
  EXPECT_EQ(epochs, (std::vector<int>{0, 5, 10, 12}));
}

TEST_F(TrainerTest, WithoutEpochsTheStartIsMeasuredAndKept) {
  options_.epochs = 0;
  const Result result = run(options_);
  EXPECT_EQ(result.outcome.best_epoch, 0);
  EXPECT_EQ(result.outcome.epochs, 0);
  EXPECT_EQ(lines(options_.log).size(), 1u);
  EXPECT_EQ(result.outcome.best.size(), 4u);
  expect_same(result, run(options_));
}

class InterruptedTrainer : public TrainerTest, public ::testing::WithParamInterface<const char*> {};

// Every call trains one step, the first of an epoch, in its middle, or its last, and no number notices. One
// of the models has weights of its own and draws in every step.
TEST_P(InterruptedTrainer, AgainAndAgainEndsWhereAnUndisturbedRunEnds) {
  test::add_planted_backbones();
  model_ = GetParam();
  const TrainerOptions undisturbed = beside("b");
  const Result expected = run(undisturbed);
  constexpr std::int64_t kSteps = 5, kEpochs = 12;
  const auto where = [](std::int64_t steps) {
    return "epoch " + std::to_string(steps / kSteps) +
           (steps % kSteps > 0 ? " and " + std::to_string(steps % kSteps) + " steps of the next" : "");
  };
  std::int64_t interruptions = 0;
  Result result;
  for (bool done = false; !done;) {
    std::stop_source stop;
    stop.request_stop();
    RecordingContext sink(stop.get_token());
    try {
      result = run(options_, sink.context);
      done = true;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kInterrupted);
      ++interruptions;
      EXPECT_NE(std::string(error.what()).find("everything up to " + where(interruptions) + " is saved"),
                std::string::npos)
          << error.what();
      if (interruptions > 1) {
        ASSERT_EQ(sink.sink.infos.size(), 1u);
        EXPECT_EQ(sink.sink.infos[0], "phase2: goes on after " + where(interruptions - 1));
      }
      ASSERT_LE(interruptions, kSteps * kEpochs);
    }
  }
  EXPECT_EQ(interruptions, kSteps * kEpochs);
  expect_same(result, expected);
  expect_same_files(options_, undisturbed);
}

INSTANTIATE_TEST_SUITE_P(Models, InterruptedTrainer, ::testing::Values("hgcf", "hicf", "hrcf", "gated"));

TEST_F(TrainerTest, KilledAfterLaterEpochsWereLoggedItRepeatsThem) {
  const TrainerOptions undisturbed = beside("b");
  const Result expected = run(undisturbed);
  std::stop_source stop;
  stop.request_stop();
  for (int epoch = 0; epoch < 4; ++epoch)
    test::expect_error(ErrorCode::kInterrupted, {}, [&] {
      run(options_, Context{&silent_sink(), stop.get_token()});
    });
  // As if epochs 5 and 6 had been logged since the checkpoint, the second in part.
  std::ofstream(options_.log, std::ios::app)
      << "{\"epoch\":5,\"loss\":1,\"recall@10\":0.5}\n{\"epoch\":6,\"lo";
  expect_same(run(options_), expected);
  expect_same_files(options_, undisturbed);
}

TEST_F(TrainerTest, ALineThatIsNoObjectEndsTheLogThere) {
  std::stop_source stop;
  stop.request_stop();
  test::expect_error(ErrorCode::kInterrupted, {}, [&] {
    run(options_, Context{&silent_sink(), stop.get_token()});
  });
  std::ofstream(options_.log, std::ios::app) << "17\n";
  run(options_);
  EXPECT_EQ(lines(options_.log).size(), 13u);
}

TEST_F(TrainerTest, ACheckpointOfOtherOptionsIsKeptAside) {
  const Result first = run(options_);
  const std::string before = read_file(options_.checkpoint), log = read_file(options_.log);
  options_.identity = "other";
  expect_same(run(options_), first);
  EXPECT_TRUE(read_file(options_.checkpoint.string() + ".aside") == before);
  EXPECT_EQ(read_file(options_.log.string() + ".aside"), log);
  options_.resume = false;
  EXPECT_EQ(run(options_).outcome.epochs, 12);
  EXPECT_FALSE(std::filesystem::exists(options_.checkpoint.string() + ".aside2"))
      << "no resume, nothing kept";
}

TEST_F(TrainerTest, ADamagedCheckpointIsAnErrorNotAFreshStart) {
  run(options_);
  std::filesystem::resize_file(options_.checkpoint, 1000);
  test::expect_error(ErrorCode::kInvalidData, {"a.safetensors", "Delete the file"}, [&] { run(options_); });
}

TEST_F(TrainerTest, ANaNFromTheStartNamesTensorAndRow) {
  planted_nan_ = true;
  test::expect_error(ErrorCode::kNonFinite, {"phase2", "before the first step", "tensor ids, row 7"},
                     [&] { run(options_); });
  EXPECT_FALSE(std::filesystem::exists(options_.checkpoint));
}

TEST_F(TrainerTest, AnExplosionNamesTensorAndRowAndTheLastGoodCheckpointSurvives) {
  options_.epochs = 3;
  const Result good = run(options_);
  const std::string checkpoint = read_file(options_.checkpoint), log = read_file(options_.log);
  options_.epochs = 6;  // the same identity: goes on, but with an absurd learning rate
  optimizer_.lr = 1e30;
  test::expect_error(ErrorCode::kNonFinite,
                     {"phase2: the loss is not finite at epoch 4", "tensor ids, row ",
                      "Lower the learning rate", "the last good checkpoint is", "a.safetensors"},
                     [&] { run(options_); });
  EXPECT_EQ(read_file(options_.checkpoint), checkpoint);
  EXPECT_EQ(read_file(options_.log), log);
  options_.epochs = 3;
  expect_same(run(options_), good);
}

TEST_F(TrainerTest, AnExplosionInTheFirstEpochPromisesNoCheckpoint) {
  optimizer_.lr = 1e30;
  try {
    run(options_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNonFinite);
    EXPECT_EQ(std::string(error.what()).find("last good checkpoint"), std::string::npos) << error.what();
  }
}

TEST_F(TrainerTest, AFolderThatIsNotThereOrIsAFileIsAnError) {
  put("file", "");
  options_.log = folder_ / "file" / "a.jsonl";
  test::expect_error(ErrorCode::kIo, {"file"}, [&] { run(options_); });
  options_.log = folder_ / "a.jsonl";
  options_.checkpoint = folder_ / "file" / "a.safetensors";
  test::expect_error(ErrorCode::kIo, {"file: cannot make the folder"}, [&] { run(options_); });
}

TEST_F(TrainerTest, AFullDiskIsAnErrorAndTheEarlierCheckpointSurvives) {
  std::stop_source stop;
  stop.request_stop();
  const Context interrupted{&silent_sink(), stop.get_token()};
  test::expect_error(ErrorCode::kInterrupted, {}, [&] { run(options_, interrupted); });
  const std::string before = read_file(options_.checkpoint);
  set_file_step_hook([](const char* step, const std::filesystem::path& path) {
    errno = ENOSPC;
    if (step == std::string("sync") && path.filename() == "a.safetensors") throw io_error(path, "write");
  });
  test::expect_error(ErrorCode::kIo, {"a.safetensors", "No space left"}, [&] { run(options_); });
  set_file_step_hook(nullptr);
  EXPECT_EQ(read_file(options_.checkpoint), before);

  const TrainerOptions undisturbed = beside("b");
  const Result expected = run(undisturbed);
  expect_same(run(options_), expected);
  expect_same_files(options_, undisturbed);
}

// A limit on the size of files is what a full disk looks like to an append.
TEST_F(TrainerTest, ALogThatCannotGrowIsAnError) {
  options_.checkpoint_seconds = 1e9;
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit{300, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &limit);
  test::expect_error(ErrorCode::kIo, {"a.jsonl", "cannot write", "ulimit -f"}, [&] { run(options_); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
}

// A whole checkpoint with the right hash, of which somebody changed an entry.
TEST_F(TrainerTest, AForgedCheckpointIsInvalidDataWithFileAndRemedy) {
  options_.epochs = 2;
  run(options_);
  const Checkpoint good = load_checkpoint(options_.checkpoint);
  options_.epochs = 4;
  for (const char* key : {"steps", "epoch", "best_epoch", "step_of_epoch", "loss_of_epoch", "loss", "best"})
    for (const char* text : {"", "many", "null", "99999999999999999999999", "{\"a\": []}"}) {
      if (std::string_view(key).starts_with("loss") && text[0] == '9') continue;  // a number like any other
      Checkpoint forged = good;
      forged.texts[key] = text;
      save_checkpoint(forged, options_.checkpoint);
      const std::string problem = "entry '" + std::string(key) + "' is not";
      test::expect_error(ErrorCode::kInvalidData, {"a.safetensors", problem, "Delete the file"},
                         [&] { run(options_); });
    }
  for (const char* kind : {"parameter/", "best/", "optimizer/"}) {
    Checkpoint forged = good;
    for (auto& [name, tensor] : forged.tensors)
      if (name.starts_with(kind)) tensor = torch::zeros({3, 2});
    save_checkpoint(forged, options_.checkpoint);
    test::expect_error(ErrorCode::kInvalidData,
                       {"a.safetensors", kind, "another shape than this run needs", "Delete the file"},
                       [&] { run(options_); });
  }
}

TEST_F(TrainerTest, AForgedLogIsInvalidDataAndAHalfLineAtItsEndIsNot) {
  options_.epochs = 2;
  run(options_);
  const std::string log = read_file(options_.log);
  options_.epochs = 3;
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  for (const std::string& line :
       {std::string("{\"epoch\": \"1\"}"), std::string("[]"), std::string("{"), deep}) {
    put("a.jsonl", line + "\n" + log);
    test::expect_error(ErrorCode::kInvalidData,
                       {"a.jsonl:1", "field 'epoch'", "not a line of a training log", "Delete the file"},
                       [&] { run(options_); });
  }
  put("a.jsonl", log + log.substr(0, 20));
  run(options_);
  EXPECT_EQ(lines(options_.log).size(), 4u);
}

TEST_F(TrainerTest, OptionsOutOfRangeAreErrors) {
  for (std::int64_t TrainerOptions::*field :
       {&TrainerOptions::epochs, &TrainerOptions::patience, &TrainerOptions::eval_every}) {
    TrainerOptions options = options_;
    options.*field = field == &TrainerOptions::epochs ? -1 : 0;
    test::expect_error(ErrorCode::kInvalidArgument, {"epochs >= 0", "patience >= 1", "eval_every >= 1"},
                       [&] { run(options); });
  }
}

// Two users, three items on a line: the nearest item first, the training item left out.
TEST(RankAndMeasure, GivesTheNumbersOfHandComputation) {
  frameworks::Representations points{
      torch::tensor({0.0F, 1.0F}).view({2, 1}), torch::tensor({0.1F, 0.4F, 1.5F}).view({3, 1}), {}};
  using Pairs = std::vector<std::pair<std::int32_t, std::int32_t>>;
  // User 0: item 0 is masked, item 1 comes first: a hit at rank 1. User 1: items by distance 2, 1, 0 (0.32,
  // 0.49, 0.78 apart); items 2 and 0 are relevant: ranks 1 and 3.
  const data::Csr mask = data::make_csr(2, 3, Pairs{{0, 0}});
  const data::Csr relevant = data::make_csr(2, 3, Pairs{{0, 1}, {1, 0}, {1, 2}});
  const std::vector<std::int32_t> users = evaluation_users(relevant, 0, 1);
  const Metrics metrics = rank_and_measure(points, mask, relevant, users);
  ASSERT_EQ(metrics.size(), 4u);
  EXPECT_EQ(metrics[0].first, "recall@10");
  EXPECT_EQ(metrics[3].first, "ndcg@20");
  EXPECT_DOUBLE_EQ(metrics[0].second, 1);
  const double second = (1 + 0.5) / (1 + 1 / std::log2(3.0));
  EXPECT_NEAR(metrics[2].second, (1 + second) / 2, 1e-12);
}

TEST(EvaluationUsers, AreAllOrAFixedSampleOfThoseWithItems) {
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  for (std::int32_t user = 0; user < 100; user += 2) pairs.emplace_back(user, 0);
  const data::Csr relevant = data::make_csr(100, 1, pairs);
  EXPECT_EQ(evaluation_users(relevant, 0, 1).size(), 50u);
  EXPECT_EQ(evaluation_users(relevant, 50, 1), evaluation_users(relevant, 0, 2));
  const std::vector<std::int32_t> some = evaluation_users(relevant, 20, 1);
  EXPECT_EQ(some, evaluation_users(relevant, 20, 1));
  EXPECT_NE(some, evaluation_users(relevant, 20, 2));
  EXPECT_EQ(some.size(), 20u);
  for (std::size_t i = 0; i < some.size(); ++i) {
    EXPECT_EQ(some[i] % 2, 0);
    if (i > 0) {
      EXPECT_LT(some[i - 1], some[i]);
    }
  }
}

}  // namespace
}  // namespace hyperllm::training
