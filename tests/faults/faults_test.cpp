// Kills, full disks and two writers at once, tried on every stage that writes files. docs/faults.md says how
// to run it longer.
#include <algorithm>

#include "hyperllm/base/random.h"
#include "tests/faults/campaign.h"
#include "tests/support/folder.h"

namespace hyperllm::faults {
namespace {

struct Case {
  const char* name;
  Words before;  // makes the earlier files
  Words now;     // is hit by the fault
  const char* folder;
};

const Words kPrepare = {"prepare", "--input", "r.csv", "--items", "items.jsonl", "--output", "d"};
const Words kTrain = {"train", "--dataset", "d",        "--output", "run",
                      "--dim", "4",         "--layers", "1",        "--no-resume"};

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

const Words kSmall = {"--epochs", "1", "--phase1-epochs", "1", "--experts", "2"};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"prepare", kPrepare, {"prepare", "--input", "r.csv", "--item-core", "12", "--output", "d"}, "d"},
      {"extract", {"extract", "--dataset", "d"}, {"extract", "--dataset", "d", "--min-items", "9"}, "d"},
      {"tags", {"extract", "--dataset", "d"}, {"tags", "--dataset", "d", "--min-items", "5", "--write"}, "d"},
      {"embed",
       {"embed", "--dataset", "d", "--dimension", "6"},
       {"embed", "--dataset", "d", "--dimension", "5"},
       "d/embeddings"},
      {"ease", with(kTrain, {"--model", "popular"}), with(kTrain, {"--model", "ease"}), "run"},
      {"backbone", with(kTrain, with(kSmall, {"--seed", "1"})), with(kTrain, with(kSmall, {"--seed", "2"})),
       "run"},
      {"evaluate",
       {"evaluate", "--dataset", "d", "--run", "popular"},
       {"evaluate", "--dataset", "d", "--run", "popular", "--ks", "3,4"},
       "popular"},
  };
  return all;
}

class Faults : public test::FolderTest, public testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    std::string ratings = "user_id,item_id\n", items;
    Random random(3, "ratings");
    for (int user = 0; user < 24; ++user)
      for (int item = 0; item < 16; ++item)
        if (random.uniform() < (item < 8 ? 0.8 : 0.3))
          ratings += "u" + std::to_string(user) + ",i" + std::to_string(item) + "\n";
    for (int item = 0; item < 16; ++item)
      items += R"({"id": "i)" + std::to_string(item) + R"(", "title": "Thing )" + std::to_string(item) +
               R"(", "brand": "Brand )" + std::to_string(item % 2) + R"(", "categories": [["Hall )" +
               std::to_string(item % 3) + R"(", "Shelf )" + std::to_string(item % 4) + "\"]]}\n";
    put("old/r.csv", ratings);
    put("old/items.jsonl", items);
    for (const Words& words :
         {kPrepare, Words{"extract", "--dataset", "d"}, Words{"embed", "--dataset", "d", "--dimension", "6"},
          Words{"train", "--dataset", "d", "--output", "popular", "--model", "popular"}})
      ASSERT_EQ(run("old", words), 0) << said();
  }
  int run(const std::string& place, const Words& words, const Fault& fault = {}) const {
    return wait_for(start(folder_ / place, with({"--threads", "1"}, words), fault, folder_ / "said"));
  }
  std::string said() const { return read_file(folder_ / "said"); }
  void copy(const std::string& from, const std::string& to) const {
    fs::remove_all(folder_ / to);
    fs::copy(folder_ / from, folder_ / to, fs::copy_options::recursive);
  }
};

// After the fault: all old or all new. After the same command again: all new, and nothing left over.
class EveryStage : public Faults {};

TEST_P(EveryStage, IsAllOldOrAllNew) {
  const Case& tried = GetParam();
  const std::int64_t seed = setting("HYPERLLM_FAULT_SEED", 1), rounds = setting("HYPERLLM_FAULT_ROUNDS", 2);
  SCOPED_TRACE("HYPERLLM_FAULT_SEED=" + std::to_string(seed) +
               " HYPERLLM_FAULT_ROUNDS=" + std::to_string(rounds));
  ASSERT_EQ(run("old", tried.before), 0) << said();
  copy("old", "new");
  ASSERT_EQ(run("new", tried.now), 0) << said();
  const std::string steps = read_file(folder_ / "said.steps");
  const Content before = content(folder_ / "old" / tried.folder),
                after = content(folder_ / "new" / tried.folder);
  ASSERT_NE(before, after);
  std::int64_t largest = 0;
  for (const auto& [name, text] : after)
    if (!before.contains(name) || before.at(name) != text)
      largest = std::max(largest, static_cast<std::int64_t>(text.size()));

  Random random(static_cast<std::uint64_t>(seed), tried.name);
  // Most steps are writes; most of what can go wrong is not.
  std::vector<std::int64_t> others;
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (steps[i] != 'w') others.push_back(static_cast<std::int64_t>(i));
  for (std::int64_t round = 0; round < 3 * rounds; ++round) {
    Fault fault;
    const std::int64_t step = random.below(4) == 0 ? static_cast<std::int64_t>(random.below(steps.size()))
                                                   : others[random.below(others.size())];
    if (round % 3 == 0) fault.kill_at = step;
    if (round % 3 == 1) fault.fail_at = step;
    if (round % 3 == 2)
      fault.limit = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(largest)));
    SCOPED_TRACE("killed at step " + std::to_string(fault.kill_at) + ", failing from step " +
                 std::to_string(fault.fail_at) + " of " + std::to_string(steps.size()) +
                 ", files of at most " + std::to_string(fault.limit) + " bytes");
    copy("old", "hit");
    const int status = run("hit", tried.now, fault);
    const Content found = content(folder_ / "hit" / tried.folder);
    if (fault.kill_at < 0) {
      EXPECT_EQ(status, 4) << said();
      EXPECT_EQ(leftovers(folder_ / "hit"), "") << said();
    }
    const bool phases = tried.name == std::string("backbone");  // phase1/ and the model are two sets
    EXPECT_TRUE(found == before || found == after || phases) << "a mixture";
    if (phases)
      for (const std::string& part : {std::string("phase1/"), std::string("model/")}) {
        bool all_old = true, all_new = true;
        for (const auto& [name, text] : found)
          if (name.starts_with(part) || (part == "model/" && name == "result.json")) {
            all_old &= before.at(name) == text;
            all_new &= after.at(name) == text;
          }
        EXPECT_TRUE(all_old || all_new) << "a mixture in " << part;
      }
    ASSERT_EQ(run("hit", tried.now), 0) << said();
    EXPECT_TRUE(content(folder_ / "hit" / tried.folder) == after);
    EXPECT_EQ(leftovers(folder_ / "hit"), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Stages, EveryStage, testing::ValuesIn(cases()),
                         [](const auto& tried) { return std::string(tried.param.name); });

TEST_F(Faults, ASecondWriterIsRefusedWhileTheFirstIsAtWork) {
  for (const Case& tried : cases()) {
    SCOPED_TRACE(tried.name);
    copy("old", "two");
    ASSERT_EQ(run("two", tried.before), 0) << said();
    copy("two", "one");
    ASSERT_EQ(run("one", tried.now), 0) << said();
    int hold[2], told[2];
    ASSERT_EQ(::pipe2(hold, O_CLOEXEC) | ::pipe2(told, O_CLOEXEC), 0);
    Fault held;
    held.hold = hold[0];
    held.told = told[1];
    const pid_t first = ::fork();
    if (first == 0) {
      ::close(hold[1]);
      ::_exit(wait_for(start(folder_ / "two", with({"--threads", "1"}, tried.now), held, folder_ / "first")));
    }
    char byte = 0;
    ASSERT_EQ(::read(told[0], &byte, 1), 1);
    ::close(hold[0]);
    EXPECT_EQ(run("two", tried.before), 6) << said();
    EXPECT_NE(said().find("another process is writing to this folder (process "), std::string::npos)
        << said();
    ::close(hold[1]);
    EXPECT_EQ(wait_for(first), 0);
    EXPECT_TRUE(content(folder_ / "two" / tried.folder) == content(folder_ / "one" / tried.folder));
    for (const int descriptor : {told[0], told[1]}) ::close(descriptor);
  }
}

TEST_F(Faults, TwoTrainingsAtOnceLeaveTheFilesOfOne) {
  const Words one = with(kTrain, with(kSmall, {"--variant", "base", "--seed", "1"})),
              two = with(kTrain, with(kSmall, {"--variant", "base", "--seed", "2"}));
  for (const auto& [place, words] : {std::pair{"one", &one}, {"two", &two}}) {
    copy("old", place);
    ASSERT_EQ(run(place, *words), 0) << said();
  }
  const Content first = content(folder_ / "one/run"), second = content(folder_ / "two/run");
  ASSERT_NE(first, second);
  for (std::int64_t round = 0; round < setting("HYPERLLM_FAULT_ROUNDS", 2); ++round) {
    copy("old", "both");
    const pid_t a = start(folder_ / "both", one, {}, folder_ / "a"),
                b = start(folder_ / "both", two, {}, folder_ / "b");
    const int a_status = wait_for(a), b_status = wait_for(b);
    EXPECT_TRUE(a_status == 0 || a_status == 6) << read_file(folder_ / "a");
    EXPECT_TRUE(b_status == 0 || b_status == 6) << read_file(folder_ / "b");
    EXPECT_TRUE(a_status == 0 || b_status == 0);
    const Content found = content(folder_ / "both/run");
    EXPECT_TRUE((a_status == 0 && found == first) || (b_status == 0 && found == second));
  }
}

// Two runs of a recipe, started at once, whose phase 1 is the same.
TEST_F(Faults, TwoTrainingsAtOnceShareAPhaseWithoutSpoilingIt) {
  const auto words = [](const std::string& run, const Words& more) {
    Words all = {"train", "--dataset", "d", "--output", run, "--dim", "4", "--layers", "1"};
    return with(with(all, kSmall), more);
  };
  copy("old", "own");
  for (const std::string seed : {"1", "2"})
    ASSERT_EQ(run("own", words(seed, {"--tag-margin", seed})), 0) << said();
  for (std::int64_t round = 0; round < setting("HYPERLLM_FAULT_ROUNDS", 2); ++round) {
    copy("old", "both");
    std::vector<pid_t> children;
    for (const std::string seed : {"1", "2"})
      children.push_back(start(folder_ / "both",
                               words(seed, {"--tag-margin", seed, "--phase1-store", "store"}), {},
                               folder_ / ("said" + seed)));
    for (const pid_t child : children) EXPECT_EQ(wait_for(child), 0);
    for (const std::string seed : {"1", "2"})
      EXPECT_TRUE(content(folder_ / "both" / seed) == content(folder_ / "own" / seed)) << seed;
    EXPECT_EQ(leftovers(folder_ / "both"), "");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "both/store"), fs::directory_iterator()), 1);
  }
}

}  // namespace
}  // namespace hyperllm::faults
