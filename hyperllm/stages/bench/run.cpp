#include "hyperllm/stages/bench/run.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "hyperllm/base/error.h"
#include "hyperllm/base/memory.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/stages/bench/workload.h"
#include "hyperllm/training/memory_plan.h"
#include "hyperllm/training/threads.h"

namespace hyperllm::stages::bench {
namespace {

using json = nlohmann::ordered_json;

data::Synthetic load(const BenchOptions& options) {
  if (options.dataset.empty()) return data::make_synthetic({});
  data::Synthetic loaded;
  loaded.dataset = data::load_dataset(options.dataset);
  if (data::has_tags(options.dataset)) loaded.tags = data::load_tags(options.dataset, loaded.dataset.items);
  return loaded;
}

training::MemoryPlan plan(const BenchOptions& options, const data::Synthetic& data) {
  training::RunShape shape;
  shape.users = data.dataset.num_users();
  shape.items = data.dataset.num_items();
  shape.train = data.dataset.train.size();
  shape.held_out = data.dataset.valid.size() + data.dataset.test.size();
  shape.tags = std::ssize(data.tags.tags);
  shape.tag_edges = std::ssize(data.tags.edges);
  shape.tag_items = std::ssize(data.tags.tag_items);
  shape.dim = options.dim;
  shape.batch_size = options.batch_size;
  shape.contrast_rows = options.contrast_rows;
  shape.threads = num_threads();
  return training::plan_memory(shape);
}

json as_json(const BenchResult& r) {
  const kernels::Ceilings& c = r.ceilings;
  json out;
  out["machine"] = {{"simd", c.simd},
                    {"threads", c.threads},
                    {"fma_gflops", c.fma_gflops},
                    {"bf16_gflops", c.bf16_gflops},
                    {"amx_gflops", c.amx_gflops},
                    {"sgemm_gflops", c.sgemm_gflops},
                    {"l1_gbytes", c.l1_gbytes},
                    {"l2_gbytes", c.l2_gbytes},
                    {"l3_gbytes", c.l3_gbytes},
                    {"dram_gbytes", c.dram_gbytes},
                    {"gather_gbytes", c.gather_gbytes}};
  out["dataset"] = {{"name", r.dataset},
                    {"users", r.users},
                    {"items", r.items},
                    {"train_interactions", r.interactions},
                    {"tags", r.tags}};
  for (const BenchPart& part : r.parts) {
    json entry = {{"name", part.name}, {"ms", part.ms}};
    if (!part.unit.empty()) entry.update({{"rate", part.rate}, {"unit", part.unit}, {"share", part.share}});
    out["parts"].push_back(entry);
  }
  out["step_ms"] = r.step_ms;
  out["steps_per_epoch"] = r.steps_per_epoch;
  out["evaluation_ms"] = r.evaluation_ms;
  out["epoch_s"] = r.epoch_s;
  out["total_s"] = r.total_s;
  out["planned_memory"] = r.planned_memory;
  out["peak_memory"] = r.peak_memory;
  return out;
}

template <typename... Values>
void line(std::string& text, const char* format, Values... values) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, format, values...);
  text += std::string(buffer) + "\n";
}

std::string duration(double seconds) {
  char text[32];
  if (seconds < 120)
    std::snprintf(text, sizeof text, seconds < 10 ? "%.2f s" : "%.0f s", seconds);
  else if (seconds < 7200)
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  else
    std::snprintf(text, sizeof text, "%.1f h", seconds / 3600);
  return text;
}

std::string as_text(const BenchResult& r, const BenchOptions& options) {
  const kernels::Ceilings& c = r.ceilings;
  std::string text;
  line(text, "machine: %s, %d threads", c.simd.c_str(), c.threads);
  line(text, "  multiply-add   %8.0f GFLOP/s   (float32 in registers)", c.fma_gflops);
  if (c.bf16_gflops > 0) line(text, "  bfloat16 dot   %8.0f GFLOP/s   (AVX512-BF16)", c.bf16_gflops);
  if (c.amx_gflops > 0) line(text, "  bfloat16 tiles %8.0f GFLOP/s   (AMX)", c.amx_gflops);
  line(text, "  matrix product %8.0f GFLOP/s   (OpenBLAS)", c.sgemm_gflops);
  line(text, "  read L1, L2, L3, memory: %.0f, %.0f, %.0f, %.0f GB/s; random rows of 256 bytes: %.0f GB/s",
       c.l1_gbytes, c.l2_gbytes, c.l3_gbytes, c.dram_gbytes, c.gather_gbytes);
  line(text, "dataset: %s, %lld users, %lld items, %lld training interactions, %lld tags", r.dataset.c_str(),
       static_cast<long long>(r.users), static_cast<long long>(r.items),
       static_cast<long long>(r.interactions), static_cast<long long>(r.tags));
  line(text, "training step: %.1f ms", r.step_ms);
  for (const BenchPart& part : r.parts) {
    if (part.unit.empty())
      line(text, "  %-14s %8.2f ms", part.name.c_str(), part.ms);
    else
      line(text, "  %-14s %8.2f ms  %7.0f %s, %.0f %% of the ceiling", part.name.c_str(), part.ms, part.rate,
           part.unit.c_str(), 100 * part.share);
  }
  line(text, "epoch: %s (%lld steps, and evaluation %.0f ms)", duration(r.epoch_s).c_str(),
       static_cast<long long>(r.steps_per_epoch), r.evaluation_ms);
  line(text, "at most %lld epochs: %s; memory about %.0f MB (this measurement: %.0f MB)",
       static_cast<long long>(options.epochs), duration(r.total_s).c_str(),
       static_cast<double>(r.planned_memory) / 1e6, static_cast<double>(r.peak_memory) / 1e6);
  return text;
}

}  // namespace

BenchResult run(const BenchOptions& options, const Context& context) {
  check_fields(BenchOptions(options).fields());
  training::leave_threads_to_loops();
  BenchResult result;
  {
    context.info(options.dataset.empty() ? "bench: synthetic data of Amazon-Beauty's sizes"
                                         : "bench: loads " + options.dataset.string());
    data::Synthetic data = load(options);
    result.dataset = data.dataset.name;
    result.users = data.dataset.num_users();
    result.items = data.dataset.num_items();
    result.interactions = data.dataset.train.size();
    result.tags = std::ssize(data.tags.tags);
    const training::MemoryPlan memory = plan(options, data);
    result.planned_memory = memory.peak();
    context.info(memory.text());
    const std::int64_t available = available_memory();
    training::require_memory(memory, available < 0 ? -1 : available + resident_memory());
    Workload(options, std::move(data)).measure(result);
  }
  result.peak_memory = peak_memory();
  context.check_stop("bench");
  context.info("bench: measures the machine's ceilings");
  result.ceilings = kernels::measure_ceilings();
  double sampling_ms = 0;
  for (BenchPart& part : result.parts) {
    if (part.unit == "GFLOP/s") part.share = part.rate / result.ceilings.fma_gflops;
    if (part.unit == "GB/s") part.share = part.rate / result.ceilings.gather_gbytes;
    if (part.name == "sampling") sampling_ms = part.ms;
  }
  result.epoch_s =
      (static_cast<double>(result.steps_per_epoch) * (result.step_ms + sampling_ms) + result.evaluation_ms) /
      1e3;
  result.total_s = static_cast<double>(options.epochs) * result.epoch_s;
  result.text = options.json ? as_json(result).dump(2) + "\n" : as_text(result, options);
  return result;
}

}  // namespace hyperllm::stages::bench
