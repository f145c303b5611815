#include "hyperllm/metrics/evaluation_files.h"

#include "tests/support/folder.h"

namespace hyperllm::metrics {
namespace {

using test::expect_error;

class EvaluationFiles : public test::FolderTest {};

TEST_F(EvaluationFiles, RoundTripKeepsEveryBitAndTheOrder) {
  const Evaluation saved = {"toy", "a/seed-1", "test", "train", 3, {{"recall@20", 1.0 / 3}, {"hit@5", 1}}};
  const PerUser values = {{"recall@20", "hit@5"}, {"x", "y y"}, {1.0 / 3, 1, 0.1 + 0.2, 0}};
  FileSet files(folder_);
  add_evaluation(saved, files);
  add_per_user(values, saved.split, files);
  files.commit();
  const Evaluation loaded = load_evaluation(folder_ / "evaluation.test.json");
  EXPECT_EQ(loaded.dataset, saved.dataset);
  EXPECT_EQ(loaded.run, saved.run);
  EXPECT_EQ(loaded.split, saved.split);
  EXPECT_EQ(loaded.mask, saved.mask);
  EXPECT_EQ(loaded.users, saved.users);
  EXPECT_EQ(loaded.metrics, saved.metrics);

  const PerUser back = load_per_user(folder_ / "per_user.test.tsv");
  EXPECT_EQ(back.columns, values.columns);
  EXPECT_EQ(back.users, values.users);
  EXPECT_EQ(back.values, values.values);
  EXPECT_EQ(back.column("hit@5"), (std::vector<double>{1, 0}));
  expect_error(ErrorCode::kInvalidArgument, {"did you mean 'recall@20'"}, [&] { back.column("recal@20"); });
}

TEST_F(EvaluationFiles, RunNames) {
  EXPECT_EQ(run_name("runs/hgcf"), "hgcf");
  EXPECT_EQ(run_name("runs/hgcf/"), "hgcf");
  EXPECT_EQ(run_name("runs/hgcf/seed-3"), "hgcf/seed-3");
}

TEST_F(EvaluationFiles, BadEvaluations) {
  expect_error(ErrorCode::kIo, {"none.json: No such file", "Run `evaluate`"},
               [&] { load_evaluation(folder_ / "none.json"); });
  const std::string head = R"({"dataset": "d", "run": "r", "split": "test", "mask": "train")";
  const std::vector<std::pair<std::string, std::string>> bad = {
      {R"({"dataset": "d")", "is not a JSON object"},
      {"{}", "field 'dataset'"},
      {R"({"dataset": "d", "run": 3})", "field 'run'"},
      {head + "}", "field 'users'"},
      {head + R"(, "users": 2.5})", "field 'users'"},
      {head + R"(, "users": 2})", "field 'metrics'"},
      {head + R"(, "users": 2, "metrics": {}})", "field 'metrics'"},
      {head + R"(, "users": 2, "metrics": {"recall@1": null}})", "field 'recall@1': is not a number"}};
  for (const auto& [text, part] : bad) {
    const auto path = put("bad.json", text);
    expect_error(ErrorCode::kInvalidData, {"bad.json", part, "Run `evaluate` again."},
                 [&] { load_evaluation(path); });
  }
}

TEST_F(EvaluationFiles, DeepAndWideEvaluationsAreRefused) {
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  put("deep.json", "{\"dataset\": " + std::string(300, '[') + std::string(300, ']') + "}");
  expect_error(ErrorCode::kInvalidData,
               {"deep.json", "nests deeper than 256 levels", "Run `evaluate` again."},
               [&] { load_evaluation(folder_ / "deep.json"); });
  std::string metrics;  // an ordered object takes quadratic time for them
  for (int i = 0; i < 400'000; ++i) metrics += ",\"" + std::to_string(i) + "\":1";
  for (const std::string& text : {"{\"dataset\": " + deep + "}", "{\"a\":1" + metrics + "}"}) {
    put("large.json", text);
    expect_error(ErrorCode::kInvalidData,
                 {"large.json", "larger than any evaluation", "Run `evaluate` again."},
                 [&] { load_evaluation(folder_ / "large.json"); });
  }
}

TEST_F(EvaluationFiles, PerItemRoundTripAndBadTables) {
  FileSet files(folder_);
  add_per_item({{5, 20}, {"x", "y y"}, {3, 0}, {1, 2, 0, 0}}, "test", files);
  files.commit();
  const PerItem back = load_per_item(per_item_path(folder_, "test"));
  EXPECT_EQ(back.ks, (std::vector<std::int64_t>{5, 20}));
  EXPECT_EQ(back.items, (std::vector<std::string>{"x", "y y"}));
  EXPECT_EQ(back.held_out, (std::vector<std::int64_t>{3, 0}));
  EXPECT_EQ(back.hits, (std::vector<std::int64_t>{1, 2, 0, 0}));
  for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{
           {"user_id\theld_out\thits@1\n", "bad.tsv:1: the header"},
           {"item_id\theld_out\n", "bad.tsv:1: the header"},
           {"item_id\theld_out\thits@x\n", "bad.tsv:1: the header"},
           {"item_id\thits@1\thits@2\n", "bad.tsv:1: the header"},
           {"item_id\theld_out\thits@1\na\t1\t-1\n", "bad.tsv:2: field 'hits@1': is not a count"},
           {"item_id\theld_out\thits@1\na\t1.5\t1\n", "bad.tsv:2: field 'held_out': is not a count"}}) {
    const auto path = put("bad.tsv", text);
    expect_error(ErrorCode::kInvalidData, {part}, [&] { load_per_item(path); });
  }
}

TEST_F(EvaluationFiles, BadPerUserTables) {
  expect_error(ErrorCode::kIo, {"none.tsv"}, [&] { load_per_user(folder_ / "none.tsv"); });
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"", "bad.tsv:1: the header"},
      {"item_id\trecall@1\n", "bad.tsv:1: the header"},
      {"user_id\n", "bad.tsv:1: the header"},
      {"user_id\trecall@1\na\t1\nb\n", "bad.tsv:3: has 1 fields, the header has 2"},
      {"user_id\trecall@1\na\tone\n", "bad.tsv:2: field 'recall@1': 'one' is not a number"},
      {"user_id\trecall@1\na\tnan\n", "'nan' is not a number"},
      {"user_id\trecall@1\na\t0.5x\n", "'0.5x' is not a number"}};
  for (const auto& [text, part] : bad) {
    const auto path = put("bad.tsv", text);
    expect_error(ErrorCode::kInvalidData, {part}, [&] { load_per_user(path); });
  }
}

}  // namespace
}  // namespace hyperllm::metrics
