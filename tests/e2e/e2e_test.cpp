// The whole way through the real binary, on a made-up catalogue of kitchen and garden things.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdlib>
#include <iostream>

#include "hyperllm/base/random.h"
#include "tests/e2e/program.h"
#include "tests/support/folder.h"

namespace hyperllm::e2e {
namespace {

namespace fs = std::filesystem;
using Results = std::map<std::string, std::string>;

constexpr int kUsers = 60, kItems = 48;

// Each user likes one of four shelves and sometimes something else.
std::string ratings() {
  Random random(7, "catalogue");
  std::string text = "user_id,item_id,rating,timestamp\n";
  for (int user = 0; user < kUsers; ++user)
    for (int item = 0; item < kItems; ++item) {
      const bool own_shelf = item % 4 == user % 4;
      if (random.uniform() < (own_shelf ? 0.8 : 0.08))
        text += "u" + std::to_string(user) + ",i" + std::to_string(item) + ",5," +
                std::to_string(1000 + static_cast<int>(random.below(1000))) + "\n";
    }
  return text;
}

std::string items() {
  const char* const kShelves[] = {"Knives", "Pans", "Seeds", "Spades"};
  std::string text;
  for (int item = 0; item < kItems; ++item) {
    const std::string shelf = kShelves[item % 4], hall = item % 4 < 2 ? "Kitchen" : "Garden";
    text += R"({"id": "i)" + std::to_string(item) + R"(", "title": "Fine )" + shelf + " number " +
            std::to_string(item) + R"(", "brand": "Brand )" + std::to_string(item % 6) +
            R"(", "categories": [[")" + hall + R"(", ")" + shelf + R"("]]})" + "\n";
  }
  return text;
}

constexpr const char* kRecipe = R"(
name = "tiny"
output = "out"
[prepare]
input = "ratings.csv"
items = "items.jsonl"
[extract]
[embed]
dimension = 12
[train]
model = "hgcf"
dim = 8
layers = 2
batch_size = 128
epochs = 12
phase1_epochs = 8
experts = 3
lr = 0.01
phase1_lr = 0.01
checkpoint_seconds = 0
[runs.popular]
model = "popular"
[runs.ease]
model = "ease"
[runs.hgcf]
variant = "base"
[runs.hyperllm]
variant = "hyperllm"
[runs.softmax]
variant = "hyperllm"
objective = "softmax"
)";

class EndToEnd : public hyperllm::test::FolderTest {
 protected:
  fs::path workplace(const std::string& name) {
    put(name + "/ratings.csv", ratings());
    put(name + "/items.jsonl", items());
    put(name + "/r.toml", kRecipe);
    return folder_ / name;
  }
  Finished walk(const fs::path& folder, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"run", "r.toml"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(folder, arguments);
  }
  static void expect_same(const Results& a, const Results& b) {
    for (const auto& [name, content] : a) {
      ASSERT_TRUE(b.contains(name)) << name;
      EXPECT_TRUE(b.at(name) == content) << name << " differs";
    }
    for (const auto& [name, content] : b) EXPECT_TRUE(a.contains(name)) << name << " is extra";
  }
};

TEST_F(EndToEnd, WholeRecipeThenUpToDateThenRecommendations) {
  const fs::path place = workplace("a");
  const Finished first = walk(place);
  ASSERT_EQ(first.status, 0) << first.err;
  for (const char* run : {"Avg Token", "Tag-Tag", "Avg Summary", "popular", "ease", "hgcf", "hyperllm",
                          "softmax", "recall@10", "ndcg@20"})
    EXPECT_NE(first.out.find(run), std::string::npos) << run << " in\n" << first.out;
  const Results before = results(place / "out");
  const Finished second = walk(place);
  ASSERT_EQ(second.status, 0) << second.err;
  EXPECT_EQ(second.err.find("done in"), std::string::npos) << "something ran again:\n" << second.err;
  for (const char* stage : {"prepare", "extract", "embed", "train softmax", "evaluate popular"})
    EXPECT_NE(second.err.find("== " + std::string(stage) + ": up to date"), std::string::npos) << second.err;
  expect_same(before, results(place / "out"));
  EXPECT_TRUE(first.out.ends_with(second.out)) << "the table is printed again";

  const Finished third = walk(place, {"--set", "runs.ease.ease_lambda=7"});
  ASSERT_EQ(third.status, 0) << third.err;
  EXPECT_NE(third.err.find("== train ease\n"), std::string::npos) << third.err;
  EXPECT_NE(third.err.find("== evaluate ease\n"), std::string::npos) << third.err;
  EXPECT_NE(third.err.find("== train hgcf: up to date"), std::string::npos) << third.err;

  const Finished metrics =
      run(place, {"--quiet", "evaluate", "--dataset", "out/data/tiny", "--run", "out/runs/softmax"});
  EXPECT_EQ(metrics.status, 0) << metrics.err;
  EXPECT_EQ(metrics.err, "");
  EXPECT_TRUE(metrics.out.starts_with("out/runs/softmax, test: recall@10 0.")) << metrics.out;

  const Finished films = run(place, {"recommend", "--dataset", "out/data/tiny", "--run", "out/runs/softmax",
                                     "--users", "u4", "--k", "3"});
  EXPECT_EQ(films.status, 0) << films.err;
  EXPECT_NE(films.out.find("Fine "), std::string::npos) << films.out;
}

TEST_F(EndToEnd, SameBytesWithOneAndTwoThreads) {
  const fs::path one = workplace("one"), two = workplace("two");
  ASSERT_EQ(walk(one, {"--threads", "1"}).status, 0);
  ASSERT_EQ(walk(two, {"--threads", "2"}).status, 0);
  expect_same(results(one / "out"), results(two / "out"));
}

TEST_F(EndToEnd, KilledAtRandomMomentsAndStartedAgainGivesTheSameFiles) {
  using Clock = std::chrono::steady_clock;
  const fs::path calm = workplace("calm"), rough = workplace("rough");
  const auto start = Clock::now();
  ASSERT_EQ(walk(calm).status, 0);
  const auto duration = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
  const char* const chosen = std::getenv("HYPERLLM_FAULT_SEED");
  const std::uint64_t seed = chosen ? std::strtoull(chosen, nullptr, 10) : 1;
  std::cout << "HYPERLLM_FAULT_SEED=" << seed << "\n";
  SCOPED_TRACE("HYPERLLM_FAULT_SEED=" + std::to_string(seed));
  Random random(seed, "kills");
  int killed = 0;
  for (int attempt = 0; attempt < 8; ++attempt) {
    Program program(rough, {"run", "r.toml"});
    const auto wait = random.below(static_cast<std::uint64_t>(std::max<std::int64_t>(duration / 3, 2)));
    std::this_thread::sleep_for(std::chrono::milliseconds(wait));
    if (!program.running()) break;
    program.kill_and_wait();
    ++killed;
  }
  EXPECT_GT(killed, 0);
  const Finished last = walk(rough);
  ASSERT_EQ(last.status, 0) << last.err;
  expect_same(results(calm / "out"), results(rough / "out"));
}

TEST_F(EndToEnd, CtrlCInTrainingIsStatus130AndTheSameCommandGoesOn) {
  const fs::path place = workplace("a"), calm = workplace("calm");
  const std::vector<std::string> longer = {"--set", "runs.hgcf.epochs=400", "--set",
                                           "runs.hgcf.patience=400"};
  std::vector<std::string> arguments = {"run", "r.toml"};
  arguments.insert(arguments.end(), longer.begin(), longer.end());
  {
    Program program(place, arguments);
    while (program.running() && !fs::exists(place / "out/runs/hgcf/checkpoint.safetensors"))
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    program.signal(SIGINT);
    const Finished stopped = program.wait();
    EXPECT_EQ(stopped.status, 130) << stopped.err;
    EXPECT_NE(stopped.err.find("stopping at the next safe point"), std::string::npos) << stopped.err;
    EXPECT_NE(stopped.err.find("run the same command to go on"), std::string::npos) << stopped.err;
  }
  EXPECT_FALSE(fs::exists(place / "out/runs/hgcf/result.json"));
  for (const std::vector<std::string>& use :
       {std::vector<std::string>{"evaluate"}, {"recommend", "--users", "u4", "--k", "3"}}) {
    std::vector<std::string> words = use;
    words.insert(words.end(), {"--dataset", "out/data/tiny", "--run", "out/runs/hgcf"});
    const Finished used = run(place, words);
    EXPECT_EQ(used.status, 0) << used.err;
    EXPECT_NE(used.err.find("out/runs/hgcf: its training has not ended; the model is that of epoch "),
              std::string::npos)
        << used.err;
  }
  const std::string train = read_file(place / "out/data/tiny/tiny.train.inter");
  put("a/out/data/tiny/tiny.train.inter", train.substr(0, train.size() - 30));
  const Finished refused = run(place, {"evaluate", "--dataset", "out/data/tiny", "--run", "out/runs/hgcf"});
  EXPECT_EQ(refused.status, 3) << refused.err;
  EXPECT_NE(refused.err.find("Run `hyperllm train` again"), std::string::npos) << refused.err;
  put("a/out/data/tiny/tiny.train.inter", train);
  ASSERT_EQ(walk(place, longer).status, 0);
  ASSERT_EQ(walk(calm, longer).status, 0);
  expect_same(results(calm / "out"), results(place / "out"));
}

// A user's summary holds their training items. After another split, some of those are to be found.
TEST_F(EndToEnd, SummariesEmbeddingsAndModelsOfAnotherSplitAreRefused) {
  const fs::path place = workplace("a");
  const auto prepare = [&](const std::string& seed) {
    return run(place, {"prepare", "--input", "ratings.csv", "--items", "items.jsonl", "--output", "d",
                       "--seed", seed});
  };
  const std::vector<std::string> extract = {"extract", "--dataset", "d"},
                                 embed = {"embed", "--dataset", "d", "--dimension", "8"};
  std::vector<std::string> train = {"train", "--dataset",       "d", "--output", "semantic", "--epochs",
                                    "1",     "--phase1-epochs", "1", "--dim",    "4"};
  ASSERT_EQ(prepare("1").status, 0);
  ASSERT_EQ(run(place, extract).status, 0);
  ASSERT_EQ(run(place, embed).status, 0);
  ASSERT_EQ(run(place, train).status, 0);
  ASSERT_EQ(prepare("2").status, 0);
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& words) {
    const Finished finished = run(place, arguments);
    EXPECT_EQ(finished.status, 3) << finished.err;
    EXPECT_NE(finished.err.find(words), std::string::npos) << finished.err;
  };
  refused({"evaluate", "--dataset", "d", "--run", "semantic"}, "Run `hyperllm train` again");
  train[4] = "other";
  refused(embed, "Run `hyperllm extract` again");
  refused(train, "Run `hyperllm embed` again");
  std::vector<std::string> go_on = train;
  go_on.insert(go_on.end(), {"--init-embeddings", "semantic/phase1"});
  refused(go_on, "Run `hyperllm train` again");
  train.insert(train.end(), {"--variant", "base"});
  EXPECT_EQ(run(place, train).status, 0) << "nothing semantic is used";
  EXPECT_EQ(run(place, {"evaluate", "--dataset", "d", "--run", "other"}).status, 0);
}

TEST_F(EndToEnd, RunsThatDoNotCompareAreCalledOutOnce) {
  const fs::path place = workplace("a");
  ASSERT_EQ(run(place, {"prepare", "--input", "ratings.csv", "--output", "d"}).status, 0);
  for (const std::string mask : {"train", "train+valid"}) {
    ASSERT_EQ(run(place, {"train", "--dataset", "d", "--output", mask, "--model", "popular"}).status, 0);
    ASSERT_EQ(run(place, {"evaluate", "--dataset", "d", "--run", mask, "--mask", mask}).status, 0);
  }
  const Finished report = run(place, {"report", "--runs", "train,train+valid"});
  const std::size_t first = report.err.find("do not compare");
  EXPECT_NE(first, std::string::npos) << report.err;
  EXPECT_EQ(report.err.find("do not compare", first + 1), std::string::npos) << report.err;
}

TEST_F(EndToEnd, ALimitOnTheSizeOfFilesIsAnErrorThatNamesIt) {
  const fs::path place = workplace("a");
  const std::vector<std::string> prepare = {"prepare", "--input", "ratings.csv", "--output", "d"};
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{2000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Finished finished = run(place, prepare);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(finished.status, 4) << finished.err;
  EXPECT_NE(finished.err.find("ulimit -f"), std::string::npos) << finished.err;
  EXPECT_FALSE(fs::exists(place / "d")) << "nothing is left";
  EXPECT_EQ(run(place, prepare).status, 0);
}

TEST_F(EndToEnd, OutputsGoWhereTheyAreSentAndInputsNeverBlock) {
  const fs::path place = workplace("a");
  ASSERT_EQ(
      run(place, {"prepare", "--input", "ratings.csv", "--items", "items.jsonl", "--output", "d"}).status, 0);
  ASSERT_EQ(run(place, {"extract", "--dataset", "d"}).status, 0);
  ASSERT_EQ(run(place, {"train", "--dataset", "d", "--output", "r", "--model", "popular"}).status, 0);
  const std::vector<std::string> recommend = {"recommend", "--dataset", "d", "--run", "r", "--users", "u1"};
  const auto to = [&](const std::string& output) {
    std::vector<std::string> words = recommend;
    words.insert(words.end(), {"--output", output});
    return run(place, words);
  };
  const std::string text = run(place, recommend).out;
  EXPECT_EQ(to("/dev/stdout").out, text);
  EXPECT_EQ(to("/dev/null").status, 0);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_EQ(to("/dev/full").status, 4);
  fs::create_symlink("target", place / "link");
  EXPECT_EQ(to("link").status, 0);
  EXPECT_TRUE(fs::is_symlink(place / "link"));
  EXPECT_EQ(read_file(place / "target"), text);
  fs::create_symlink("made/folder", place / "dangling");
  EXPECT_EQ(run(place, {"train", "--dataset", "d", "--output", "dangling", "--model", "popular"}).status, 0);
  EXPECT_TRUE(fs::exists(place / "made/folder/model/model.json"));

  ASSERT_EQ(::mkfifo((place / "pipe").c_str(), 0600), 0);
  const auto refused = [&](const std::string& input, const std::vector<std::string>& words) {
    const Finished finished = run(place, words);
    EXPECT_EQ(finished.status, 4) << words[0] << ": " << finished.err;
    EXPECT_NE(finished.err.find(input + ": is a pipe or a device"), std::string::npos)
        << words[0] << ": " << finished.err;
  };
  refused("/dev/zero", {"run", "/dev/zero"});
  refused("pipe", {"run", "pipe"});
  refused("pipe", {"prepare", "--input", "ratings.csv", "--items", "pipe", "--output", "x"});
  refused("/dev/zero", {"embed", "--dataset", "d", "--encoder", "npy", "--items-npy", "/dev/zero"});
  refused("pipe", {"tags", "--dataset", "d", "--rules", "pipe"});
  refused("pipe", {"extract", "--dataset", "d", "--extractor", "llm", "--base-url", "http://127.0.0.1:9/v1",
                   "--model", "m", "--dialect", "openai", "--item-prompt", "pipe"});
  refused("/dev/zero",
          {"extract", "--dataset", "d", "--extractor", "llm", "--base-url", "http://127.0.0.1:9/v1",
           "--model", "m", "--dialect", "openai", "--store", "/dev/zero"});
}

TEST_F(EndToEnd, ExitStatuses) {
  const fs::path place = workplace("a");
  const auto expect = [&](int status, const std::string& words, const std::vector<std::string>& arguments) {
    const Finished finished = run(place, arguments);
    EXPECT_EQ(finished.status, status) << finished.err;
    EXPECT_NE(finished.err.find("hyperllm: error: "), std::string::npos) << finished.err;
    EXPECT_NE(finished.err.find(words), std::string::npos) << finished.err;
  };
  expect(4, "absent.toml: cannot open", {"run", "absent.toml"});
  expect(2, "did you mean 'train'", {"run", "r.toml", "--set", "trian.epochs=3"});
  expect(2, "unknown option '--epohcs'; did you mean '--epochs'?", {"train", "--epohcs=3"});
  expect(4, "absent.csv", {"prepare", "--input", "absent.csv", "--output", "d"});
  put("a/bad.csv", "user_id,item_id,rating\nu,i,5\nu,j,many\n");
  expect(3, "bad.csv:3", {"prepare", "--input", "bad.csv", "--output", "d"});
  EXPECT_FALSE(fs::exists(place / "d")) << "nothing is written of bad input";
  put("a/bad.toml", "[train]\nepochs = 3\nepohcs = 4\n");
  expect(2, "bad.toml:3: [train]: unknown key 'epohcs'; did you mean 'epochs'?", {"run", "bad.toml"});
  put("a/two.toml", "[extract]\n[[embed]]\ndimension = 3\n[[embed]]\nencoder = 'lsa'\n");
  expect(2, "'embed' twice, with results in runs/two/data/two/embeddings/lsa", {"run", "two.toml"});
  EXPECT_EQ(run(place, {"--version"}).status, 0);
}

TEST_F(EndToEnd, WithoutLibTorchAllButTrainWorks) {
  const fs::path place = workplace("a"), bin = place / "bin",
                 built = fs::path(HYPERLLM_PROGRAM).parent_path();
  ASSERT_EQ(
      run(place, {"prepare", "--input", "ratings.csv", "--items", "items.jsonl", "--output", "d"}).status, 0);
  const std::vector<std::string> train = {"train", "--dataset", "d", "--output", "run", "--model", "popular"};
  ASSERT_EQ(run(place, train).status, 0);

  fs::create_directories(bin);
  fs::copy_file(HYPERLLM_PROGRAM, bin / "hyperllm");
  const auto alone = [&](const std::vector<std::string>& words) {
    return Program(place, words, (bin / "hyperllm").string()).wait();
  };
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"extract", "--dataset", "d"},
                                             {"tags", "--dataset", "d"},
                                             {"embed", "--dataset", "d", "--dimension", "8"},
                                             {"evaluate", "--dataset", "d", "--run", "run"},
                                             {"recommend", "--dataset", "d", "--run", "run", "--users", "u1"},
                                             {"report", "--runs", "run"}}) {
    const Finished finished = alone(words);
    EXPECT_EQ(finished.status, 0) << words[0] << ": " << finished.err;
  }
  Finished refused = alone(train);
  EXPECT_EQ(refused.status, 6) << refused.err;
  EXPECT_NE(refused.err.find("`train` needs the program hyperllm-train"), std::string::npos) << refused.err;

  const std::string library = "libtorch_cpu.so";
  std::string program = read_file(built / "hyperllm-train");
  for (std::size_t at = program.find(library); at != program.npos; at = program.find(library, at))
    program.replace(at, library.size(), "libabsentxxx.so");
  write_file(bin / "hyperllm-train", program);
  fs::permissions(bin / "hyperllm-train", fs::perms::owner_all);
  refused = alone(train);
  EXPECT_EQ(refused.status, 6) << refused.err;
  EXPECT_NE(refused.err.find("libraries that " + (bin / "hyperllm-train").string() +
                             " does not find: libabsentxxx"),
            std::string::npos)
      << refused.err;
  EXPECT_NE(refused.err.find("apt-get install libtorch-dev"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace hyperllm::e2e
