// Stages that copy text around, with options of every type: the machinery of apps is tested without the real
// ones.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "hyperllm/apps/stage.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"

namespace hyperllm::apps::test {

// One type stands for the options of all made-up stages; each stage lists the fields it has.
struct Options {
  std::filesystem::path source, dataset, output, run, phase1_store;
  std::vector<std::string> runs;
  std::string model = "popular";
  std::int64_t epochs = 1;
  std::int64_t seed = 0;
  double rate = 0.5;
  bool shuffle = true;
  bool resume = false;
  std::vector<std::int64_t> ks = {10, 20};
};

struct Log {
  std::vector<std::string> calls;  // "prepare", "train runs/x/runs/a", ...
  std::function<void(const std::string&, const Context&)> on_call = [](const auto&, const auto&) {};
};

class Call : public StageCall {
 public:
  Call(std::string stage, Log& log) : stage_(std::move(stage)), log_(log) {}

  FieldList fields() override {
    Options& o = options_;
    if (stage_ == "prepare") return {{"source", &o.source, "file"}, {"output", &o.output, "folder"}};
    if (stage_ == "extract") return {{"dataset", &o.dataset, "folder"}, {"shuffle", &o.shuffle, "order"}};
    if (stage_ == "train")
      return {{"dataset", &o.dataset, "folder"},
              {"output", &o.output, "folder"},
              {"model", &o.model, "which", {"popular", "ease"}},
              {"epochs", &o.epochs, "passes"},
              {"seed", &o.seed, "of everything random"},
              {"rate", &o.rate, "step"},
              {"shuffle", &o.shuffle, "order"},
              {"phase1_store", &o.phase1_store, "shared by runs", Effect::kHow},
              {"resume", &o.resume, "go on", Effect::kHow}};
    if (stage_ == "evaluate")
      return {{"dataset", &o.dataset, "folder"}, {"run", &o.run, "folder"}, {"ks", &o.ks, "cut-offs"}};
    return {{"runs", &o.runs, "folders"}};
  }
  std::filesystem::path manifest() const override {
    if (stage_ == "report") return {};
    return folder() / (stage_ + ".manifest.json");
  }
  Files inputs() const override {
    if (stage_ == "prepare") return {options_.source};
    if (stage_ == "evaluate") return {options_.run / "train.txt"};
    return {options_.dataset / (stage_ == "train" ? "extract.txt" : "prepare.txt")};
  }
  Files outputs() const override { return {folder() / (stage_ + ".txt")}; }
  void run(const Context& context, std::ostream& out) override {
    const std::string name = stage_ == "report" ? stage_ : stage_ + " " + folder().filename().string();
    log_.calls.push_back(name);
    log_.on_call(name, context);
    if (stage_ == "report") {
      out << "table of " << options_.runs.size() << "\n";
      return;
    }
    std::string text;
    for (const auto& input : inputs()) text += read_file(input);
    write_file(outputs()[0], text + stage_ + options_.model + std::to_string(options_.epochs) + "/" +
                                 std::to_string(options_.seed));
  }

 private:
  std::filesystem::path folder() const {
    if (stage_ == "prepare" || stage_ == "train") return options_.output;
    return stage_ == "evaluate" ? options_.run : options_.dataset;
  }
  std::string stage_;
  Log& log_;
  Options options_;
};

inline std::vector<Stage> made_up_stages(Log& log) {
  std::vector<Stage> stages;
  for (const std::string name : {"prepare", "extract", "train", "evaluate", "report"})
    stages.push_back({name, "Made-up " + name, [name, &log] { return std::make_unique<Call>(name, log); }});
  return stages;
}

}  // namespace hyperllm::apps::test
