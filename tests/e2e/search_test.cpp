// `hyperllm search` through the real binary: nothing is lost, nothing is done twice, test is never looked at.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <sstream>

#include "hyperllm/base/random.h"
#include "hyperllm/data/dataset.h"
#include "tests/e2e/program.h"
#include "tests/support/folder.h"
#include "tests/support/planted_dataset.h"

namespace hyperllm::e2e {
namespace {

namespace fs = std::filesystem;
using Results = std::map<std::string, std::string>;

constexpr const char* kRecipe = R"(
output = "out"
dataset = "planted"
[train]
dim = 4
layers = 2
batch_size = 64
epochs = 18
checkpoint_seconds = 0
[runs.hgcf]
variant = "base"
[runs.ease]
model = "ease"
[search]
method = "halving"
trials = 9
min_epochs = 2
eta = 3
metric = "recall@10"
[search.space]
lr = {low = 1e-3, high = 0.3, log = true}
margin = {low = 0.1, high = 2}
[search.spaces.ease]
ease_lambda = {low = 0.1, high = 1000, log = true}
)";

class SearchEndToEnd : public hyperllm::test::FolderTest {
 protected:
  fs::path workplace(const std::string& name) const {
    put(name + "/r.toml", kRecipe);
    hyperllm::test::write_planted_dataset(folder_ / name / "planted");
    return folder_ / name;
  }
  static Finished search(const fs::path& place, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"--threads", "1", "search", "r.toml"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(place, arguments);
  }
  // Every file of the study but its store and what times are in.
  static Results files(const fs::path& place) {
    Results found = results(place / "out");
    std::erase_if(found, [](const auto& file) {
      return file.first.find("study.sqlite") != std::string::npos || file.first.ends_with(".lock");
    });
    return found;
  }
  static void expect_same(const Results& a, const Results& b) {
    for (const auto& [name, content] : a) {
      ASSERT_TRUE(b.contains(name)) << name;
      EXPECT_TRUE(b.at(name) == content) << name << " differs";
    }
    for (const auto& [name, content] : b) EXPECT_TRUE(a.contains(name)) << name << " is extra";
  }
  // Lines of trials.tsv as cells.
  static std::vector<std::vector<std::string>> trials(const fs::path& place) {
    std::vector<std::vector<std::string>> rows;
    std::istringstream text(read_file(place / "out/search/study/trials.tsv"));
    for (std::string line; std::getline(text, line);) {
      rows.emplace_back();
      std::istringstream cells(line);
      for (std::string cell; std::getline(cells, cell, '\t');) rows.back().push_back(cell);
    }
    return rows;
  }
  static std::string best_trial(const fs::path& place, const std::string& run) {
    for (const auto& row : trials(place))
      if (row[0] == run && row[2] == "best") return row[1];
    return "";
  }
};

TEST_F(SearchEndToEnd, PromotedTrialsAreThoseTrainedStraightAndTheWinnerIsARecipe) {
  const fs::path place = workplace("a");
  const Finished first = search(place);
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_NE(first.out.find("hgcf: 9 of 9 trials; "), std::string::npos) << first.out;
  EXPECT_NE(first.out.find("ease: 9 of 9 trials; "), std::string::npos) << first.out;
  EXPECT_NE(first.out.find("hyperllm run out/search/study/best.toml"), std::string::npos) << first.out;
  const auto rows = trials(place);
  ASSERT_EQ(rows.size(), 19u);
  int on_first = 0, on_last = 0;
  for (const auto& row : rows) {
    on_first += row[0] == "hgcf" && row[3] == "1";
    on_last += row[0] == "hgcf" && row[3] == "3";
  }
  EXPECT_GT(on_first, 3);
  EXPECT_GE(on_last, 1);

  const std::string number = best_trial(place, "hgcf");
  ASSERT_NE(number, "");
  const fs::path best = place / "out/search/study/hgcf" / ("trial-00" + number);
  EXPECT_FALSE(fs::exists(best / "paused.json"));
  EXPECT_FALSE(fs::exists(best / "checkpoint.safetensors"));
  ASSERT_EQ(run(place, {"--threads", "1", "run", "out/search/study/best.toml"}).status, 0);
  const fs::path straight = place / "out/search/study/best/runs/hgcf";
  for (const char* file : {"model/users.npy", "model/items.npy", "metrics.jsonl", "result.json"})
    EXPECT_TRUE(read_file(best / file) == read_file(straight / file)) << file;

  fs::remove_all(place / "out/search/study/best");
  const Results before = files(place);
  const Finished again = search(place);
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.out, first.out);
  expect_same(before, files(place));
}

TEST_F(SearchEndToEnd, TheTestSplitDecidesNothing) {
  const fs::path a = workplace("a"), b = workplace("b");
  data::Dataset other = hyperllm::test::planted_interactions({});
  other.name = "planted";
  std::swap(other.test.item.front(), other.test.item.back());
  data::save_dataset(other, b / "planted");
  ASSERT_NE(read_file(a / "planted/planted.test.inter"), read_file(b / "planted/planted.test.inter"));
  ASSERT_EQ(search(a).status, 0);
  ASSERT_EQ(search(b).status, 0);
  Results of_a = files(a), of_b = files(b);
  for (const auto& [name, content] : of_a) EXPECT_EQ(name.find(".test."), std::string::npos) << name;
  // The evaluation's manifest names all that it could read.
  for (Results* of : {&of_a, &of_b})
    std::erase_if(*of, [](const auto& file) { return file.first.ends_with("evaluate.valid.manifest.json"); });
  expect_same(of_a, of_b);
}

TEST_F(SearchEndToEnd, KilledAtRandomMomentsItEndsInTheSameFiles) {
  using Clock = std::chrono::steady_clock;
  const fs::path calm = workplace("calm"), rough = workplace("rough");
  const auto start = Clock::now();
  const char* const many = std::getenv("HYPERLLM_SEARCH_TRIALS");
  const std::vector<std::string> trials = {"--set", std::string("search.trials=") + (many ? many : "9")};
  ASSERT_EQ(search(calm, trials).status, 0);
  const auto duration = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
  const char* const chosen = std::getenv("HYPERLLM_FAULT_SEED");
  const char* const wanted = std::getenv("HYPERLLM_SEARCH_KILLS");
  const std::uint64_t seed = chosen ? std::strtoull(chosen, nullptr, 10) : 1;
  const int kills = wanted ? std::atoi(wanted) : 6;
  SCOPED_TRACE("HYPERLLM_FAULT_SEED=" + std::to_string(seed));
  Random random(seed, "search kills");
  int killed = 0;
  for (int attempt = 0; attempt < kills; ++attempt) {
    Program program(rough, {"--threads", "1", "search", "r.toml", trials[0], trials[1]});
    const auto longest = std::max<std::int64_t>(2 * duration / kills, 2);
    const auto wait = random.below(static_cast<std::uint64_t>(longest));
    std::this_thread::sleep_for(std::chrono::milliseconds(wait));
    if (!program.running()) break;
    program.kill_and_wait();
    ++killed;
  }
  std::cout << killed << " kills\n";
  EXPECT_GT(killed, 0);
  const Finished last = search(rough, trials);
  ASSERT_EQ(last.status, 0) << last.err;
  expect_same(files(calm), files(rough));
}

TEST_F(SearchEndToEnd, EightWorkersShareTheTrials) {
  const fs::path place = workplace("a");
  const std::vector<std::string> arguments = {"--threads", "1",
                                              "search",    "../r.toml",
                                              "--set",     "output=../out",
                                              "--set",     "dataset=../planted",
                                              "--set",     "search.method=random",
                                              "--set",     "search.trials=16"};
  std::vector<std::unique_ptr<Program>> workers;
  for (int i = 0; i < 8; ++i) {
    const fs::path own = place / ("worker" + std::to_string(i));  // for its stdout
    fs::create_directories(own);
    workers.push_back(std::make_unique<Program>(own, arguments));
  }
  std::map<std::string, int> ended;
  for (const auto& worker : workers) {
    const Finished finished = worker->wait();
    EXPECT_EQ(finished.status, 0) << finished.err;
    EXPECT_EQ(finished.err.find("database is locked"), std::string::npos) << finished.err;
    std::istringstream lines(finished.err);
    for (std::string line; std::getline(lines, line);)
      if (const auto colon = line.find(": recall@10 "); colon != line.npos) ++ended[line.substr(0, colon)];
    EXPECT_NE(finished.out.find("hgcf: 16 of 16 trials; "), std::string::npos) << finished.out;
  }
  EXPECT_EQ(ended.size(), 32u);
  for (const auto& [trial, times] : ended) EXPECT_EQ(times, 1) << trial;
  const fs::path alone = workplace("b");
  ASSERT_EQ(search(alone, {"--set", "search.method=random", "--set", "search.trials=16"}).status, 0);
  EXPECT_EQ(read_file(place / "out/search/study/trials.tsv"),
            read_file(alone / "out/search/study/trials.tsv"));
}

TEST_F(SearchEndToEnd, ATrialThatEndsInNanIsRecordedAndTheSearchGoesOn) {
  const fs::path place = workplace("a");
  const std::vector<std::string> more = {
      "--set", "search.method=grid",       "--set", "search.runs=hgcf",   "--set", "search.space.margin=1",
      "--set", "search.space.lr=0.01,900", "--set", "train.max_radius=0", "--set", "train.optimizer=adam",
      "--set", "train.weight_decay=50"};
  put("a/r.toml", std::string(kRecipe).substr(0, std::string(kRecipe).find("[search.spaces.ease]")));
  const Finished finished = search(place, more);
  ASSERT_EQ(finished.status, 0) << finished.err;
  const auto rows = trials(place);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1][2], "best");
  EXPECT_EQ(rows[2][2], "failed");
  EXPECT_NE(rows[2].back().find("not finite at epoch"), std::string::npos) << rows[2].back();
  EXPECT_NE(finished.err.find("warning: hgcf/trial-002 failed: "), std::string::npos) << finished.err;
  EXPECT_NE(finished.out.find("hgcf: 2 of 2 trials, 1 failed"), std::string::npos) << finished.out;
  const std::string err = search(place, more).err;
  EXPECT_EQ(err.find("failed"), std::string::npos) << "it is not tried again: " << err;
}

TEST_F(SearchEndToEnd, CtrlCStopsWithStatus130AndWithoutAWinnerThereIsNoRecipe) {
  const fs::path place = workplace("a");
  Program program(place, {"--threads", "1", "search", "r.toml"});
  while (program.running() && !fs::exists(place / "out/search/study/hgcf/trial-003/metrics.jsonl"))
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  program.signal(SIGINT);
  const Finished stopped = program.wait();
  EXPECT_EQ(stopped.status, 130) << stopped.err;
  EXPECT_NE(stopped.err.find("search interrupted; run the same command to go on"), std::string::npos)
      << stopped.err;
  const std::vector<std::string> hopeless = {
      "--set", "search.name=hopeless",  "--set", "search.method=grid",  "--set", "search.runs=hgcf",
      "--set", "search.space.margin=1", "--set", "search.space.lr=900", "--set", "train.max_radius=0",
      "--set", "train.weight_decay=50", "--set", "train.optimizer=adam"};
  const Finished none = search(place, hopeless);
  EXPECT_EQ(none.status, 5) << none.err;
  EXPECT_NE(none.err.find("no trial ended well"), std::string::npos) << none.err;
  EXPECT_FALSE(fs::exists(place / "out/search/hopeless/best.toml"));
}

TEST_F(SearchEndToEnd, AnotherStudyIsRefused) {
  const fs::path place = workplace("a");
  ASSERT_EQ(search(place, {"--set", "search.trials=2"}).status, 0);
  const auto refused = [&](const std::string& words, const std::vector<std::string>& more) {
    const Finished finished = search(place, more);
    EXPECT_EQ(finished.status, 3) << finished.err;
    EXPECT_NE(finished.err.find(words), std::string::npos) << finished.err;
    EXPECT_NE(finished.err.find("Give [search] another 'name'"), std::string::npos) << finished.err;
  };
  refused("metric was recall@10, and is ndcg@10 now", {"--set", "search.metric=ndcg@10"});
  refused("hgcf: batch_size was 64, and is 65 now", {"--set", "train.batch_size=65"});
  EXPECT_EQ(search(place, {"--set", "search.metric=ndcg@10", "--set", "search.name=second", "--set",
                           "search.trials=2"})
                .status,
            0);
  EXPECT_EQ(search(place, {"--set", "search.trials=3"}).status, 0) << "a larger budget goes on";
  EXPECT_EQ(trials(place).size(), 7u);
  data::Dataset other = hyperllm::test::planted_interactions({});
  other.name = "planted";
  std::swap(other.valid.item.front(), other.valid.item.back());
  data::save_dataset(other, place / "planted");
  refused("content of planted/planted.valid.inter was ", {"--set", "search.trials=3"});
}

}  // namespace
}  // namespace hyperllm::e2e
