// Whole training runs, as users start them: time of a step, an epoch, an evaluation, the whole, and the peak
// memory beside what was planned. On Amazon-Beauty where it is there, and on synthetic data of growing size.
//
// The synthetic sizes keep the number of steps in an epoch (batch = interactions / steps), because a step
// costs a propagation over the whole graph: with a fixed batch, an epoch would cost interactions x graph. At
// fixed steps, what an epoch costs should grow as the data do; the column ns/interaction shows it.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/data/synthetic.h"

namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;
using namespace hyperllm;

struct Settings {
  fs::path program = HYPERLLM_PROGRAM;
  fs::path data = "../shared/data";
  fs::path work = "/tmp/hyperllm-run-bench";
  fs::path output;  // JSON
  std::int64_t epochs = 129;
  std::int64_t synthetic_epochs = 2;
  std::int64_t steps = 18;
  std::int64_t eval_users = 10'000;
  std::int64_t threads = 0;
  std::vector<std::int64_t> parts = {8, 4, 2, 1};
  std::vector<std::string> train;  // more options of `hyperllm train`, as key=value
  std::vector<std::string> synthetic = {"contrast_rows=4096"};
};

using Words = std::vector<std::string>;

// Runs the command with its messages in work/log; returns wall seconds and the peak of its memory in bytes.
std::pair<double, std::int64_t> call(const Settings& settings, const Words& words) {
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    const int log = ::open((settings.work / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(log, 1);
    ::dup2(log, 2);
    Words all = {settings.program.string()};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& word : all) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::string line;
  for (const std::string& word : words) line += " " + word;
  HYPERLLM_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, ErrorCode::kUnavailable,
                 "hyperllm" + line + " failed; see " + (settings.work / "log").string());
  return {seconds, usage.ru_maxrss * 1024};
}

void append(Words& words, const std::vector<std::string>& pairs) {
  for (const std::string& pair : pairs) {
    const std::size_t at = pair.find('=');
    std::string flag = "--" + pair.substr(0, at);
    for (char& letter : flag)
      if (letter == '_') letter = '-';
    words.insert(words.end(), {flag, pair.substr(at + 1)});
  }
}

// Trains and returns the figures of the case.
json train(const Settings& settings, const std::string& name, const Words& options) {
  const fs::path run = settings.work / ("run-" + name);
  fs::remove_all(run);
  Words words = {"train",  "--output", run.string(), "--patience", "1000000", "--checkpoint-seconds",
                 "1000000"};
  words.insert(words.end(), options.begin(), options.end());
  append(words, settings.train);
  if (settings.threads > 0) words.insert(words.end(), {"--threads", std::to_string(settings.threads)});
  const auto [seconds, peak] = call(settings, words);
  const json timing = json::parse(read_file(run / "timing.json")), phase = timing.at("phase2");
  const double steps = phase.at("steps"), epochs = phase.at("epochs");
  const double sampling = phase.at("sampling_seconds"), stepping = phase.at("step_seconds");
  const double evaluation =
      phase.at("evaluation_seconds").get<double>() / phase.at("evaluations").get<double>();
  return {{"case", name},
          {"load_s", timing.at("load_seconds")},
          {"step_ms", 1e3 * stepping / steps},
          {"sampling_ms_per_step", 1e3 * sampling / steps},
          {"evaluation_ms", 1e3 * evaluation},
          {"epoch_s", (sampling + stepping) / epochs + evaluation},
          {"train_epoch_s", (sampling + stepping) / epochs},
          {"epochs", epochs},
          {"steps_per_epoch", steps / epochs},
          {"total_s", seconds},
          {"peak_mb", static_cast<double>(peak) / 1e6},
          {"planned_mb", timing.at("planned_memory").get<double>() / 1e6}};
}

json beauty(const Settings& settings) {
  const fs::path raw = fs::absolute(settings.data / "amazon-beauty"), folder = settings.work / "beauty";
  if (!fs::exists(folder / "items.tsv"))
    call(settings, {"prepare", "--input", raw.string(), "--output", folder.string()});
  for (const char* kind : {"user", "item"}) {
    make_folder(settings.work / "phase1");
    const fs::path link = settings.work / "phase1" / (std::string(kind) + "s.npy");
    fs::remove(link);
    fs::create_symlink(raw / ("phase1_" + std::string(kind) + "_embeddings.npy"), link);
  }
  return train(settings, "beauty",
               {"--dataset", folder.string(), "--init-embeddings", (settings.work / "phase1").string(),
                "--tag-tag-weight", "2", "--objective", "auto", "--lr", "1e-3", "--momentum-from-gradient",
                "--epochs", std::to_string(settings.epochs)});
}

json synthetic(const Settings& settings, std::int64_t part) {
  data::SyntheticShape shape;
  shape.users = 1'000'000 / part;
  shape.items = 200'000 / part;
  shape.interactions = 10'000'000 / part;
  shape.tags = 40'000 / part;
  shape.tag_edges = 2 * shape.tags;
  shape.tag_items = 6 * shape.items;
  const fs::path folder = settings.work / ("synthetic-" + std::to_string(part));
  std::int64_t train_size = 0;
  if (const pid_t child = ::fork(); child == 0) {  // so that its memory is not ours
    const data::Synthetic made = data::make_synthetic(shape);
    if (!fs::exists(folder / "tag_items.tsv")) {
      data::save_dataset(made.dataset, folder);
      data::save_tags(made.tags, folder, made.dataset.items);
    }
    write_file(folder / "size", std::to_string(made.dataset.train.size()));
    ::_exit(0);
  } else {
    int status = 0;
    ::waitpid(child, &status, 0);
    train_size = std::stoll(read_file(folder / "size"));
  }
  Words words = {"--dataset",    folder.string(),
                 "--variant",    "structural",
                 "--objective",  "hinge",
                 "--epochs",     std::to_string(settings.synthetic_epochs),
                 "--batch-size", std::to_string((train_size + settings.steps - 1) / settings.steps),
                 "--eval-users", std::to_string(settings.eval_users)};
  append(words, settings.synthetic);
  json result = train(settings, "synthetic-1/" + std::to_string(part), words);
  result["users"] = shape.users;
  result["items"] = shape.items;
  result["train_interactions"] = train_size;
  result["ns_per_interaction"] =
      1e9 * result.at("train_epoch_s").get<double>() / static_cast<double>(train_size);
  return result;
}

void print(const json& row) {
  std::printf("%-16s %7.1f %9.1f %9.2f %9.1f %8.3f %7lld %9.1f %9.0f %9.0f",
              row.at("case").get<std::string>().c_str(), row.at("load_s").get<double>(),
              row.at("step_ms").get<double>(), row.at("sampling_ms_per_step").get<double>(),
              row.at("evaluation_ms").get<double>(), row.at("epoch_s").get<double>(),
              static_cast<long long>(row.at("epochs").get<double>()), row.at("total_s").get<double>(),
              row.at("peak_mb").get<double>(), row.at("planned_mb").get<double>());
  if (row.contains("ns_per_interaction")) std::printf(" %9.1f", row.at("ns_per_interaction").get<double>());
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  bool only_beauty = false, only_synthetic = false;
  CLI::App app("Whole training runs: time and memory");
  app.add_option("--program", settings.program, "the hyperllm command");
  app.add_option("--data", settings.data, "folder that holds amazon-beauty");
  app.add_option("--work", settings.work, "where data and runs go; data are kept for the next time");
  app.add_option("--json", settings.output, "write the figures here too");
  app.add_option("--epochs", settings.epochs, "on Beauty");
  app.add_option("--synthetic-epochs", settings.synthetic_epochs, "on synthetic data");
  app.add_option("--steps", settings.steps, "steps an epoch on synthetic data");
  app.add_option("--eval-users", settings.eval_users, "users validated on, on synthetic data");
  app.add_option("--threads", settings.threads, "0: all cores");
  app.add_option("--parts", settings.parts,
                 "synthetic sizes: 1/N of 1,000,000 users, 200,000 items, 10,000,000 interactions")
      ->delimiter(',');
  app.add_option("--train", settings.train, "more options of train for all cases, as key=value");
  app.add_option("--synthetic", settings.synthetic, "more options of train for synthetic data, as key=value");
  app.add_flag("--only-beauty", only_beauty);
  app.add_flag("--only-synthetic", only_synthetic);
  CLI11_PARSE(app, argc, argv);
  try {
    make_folder(settings.work);
    json rows = json::array();
    std::printf("%-16s %7s %9s %9s %9s %8s %7s %9s %9s %9s %9s\n", "case", "load s", "step ms", "sample ms",
                "eval ms", "epoch s", "epochs", "total s", "peak MB", "plan MB", "ns/inter");
    const auto add = [&](json row) {
      print(row);
      rows.push_back(std::move(row));
    };
    if (!only_synthetic) {
      if (fs::exists(settings.data / "amazon-beauty"))
        add(beauty(settings));
      else
        std::printf("beauty: left out, %s has no amazon-beauty\n", settings.data.c_str());
    }
    if (!only_beauty)
      for (const std::int64_t part : settings.parts) add(synthetic(settings, part));
    if (!settings.output.empty()) write_file(settings.output, rows.dump(2) + "\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "run_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
