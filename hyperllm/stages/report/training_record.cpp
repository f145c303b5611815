#include "hyperllm/stages/report/training_record.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/lines.h"

namespace hyperllm::stages::report {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kAgain = "Train the run again, or remove the file.";
constexpr std::int64_t kLargest = 1 << 20;

Json read_object(const fs::path& path) {
  if (!fs::exists(path)) return Json::object();
  const std::string text = read_file(path, kLargest);
  Json object = parse_json<Json>(text);
  if (!object.is_object())
    throw data_error(path.string(), 0, "", json_problem(text, "is not a JSON object"), kAgain);
  return object;
}

template <typename T>
T value_of(const Json& object, const char* field, T otherwise, const fs::path& path) {
  const auto found = object.find(field);
  if (found == object.end()) return otherwise;
  const bool right = std::is_same_v<T, std::string>    ? found->is_string()
                     : std::is_same_v<T, std::int64_t> ? found->is_number_integer()
                                                       : found->is_number();
  if (!right) throw data_error(path.string(), 0, field, "has the wrong type", kAgain);
  return found->get<T>();
}

std::vector<CurvePoint> read_curve(const fs::path& path) {
  std::vector<CurvePoint> curve;
  if (!fs::exists(path)) return curve;
  data::LineReader lines(path);
  for (std::string_view line; lines.next(line);) {
    const Json object = parse_json<Json>(line);
    if (!object.is_object() || !object.contains("epoch") || !object["epoch"].is_number_integer())
      throw data_error(path.string(), lines.line_number(), "epoch", "is missing or not a whole number",
                       kAgain);
    CurvePoint point{object["epoch"].get<std::int64_t>(), {}};
    for (const auto& [name, value] : object.items())
      if (name.find('@') != name.npos && value.is_number())
        point.metrics.emplace_back(name, value.get<double>());
    curve.push_back(std::move(point));
  }
  return curve;
}

struct Timed {
  std::int64_t epochs = 0;
  double seconds = 0;
};

Timed timed(const Json& phase, const fs::path& path) {
  Timed result{value_of<std::int64_t>(phase, "epochs", 0, path), 0};
  for (const char* part : {"sampling_seconds", "step_seconds", "evaluation_seconds"})
    result.seconds += value_of<double>(phase, part, 0, path);
  return result;
}

std::int64_t last_epoch(const std::vector<CurvePoint>& curve) {
  return curve.empty() ? 0 : curve.back().epoch;
}

// In their order. The log of each is NAME.metrics.jsonl, or metrics.jsonl if there is none.
std::vector<std::string> phases_in(const Json& timing, const fs::path& path) {
  std::vector<std::string> phases;
  for (const auto& [name, value] : timing.items()) {
    if (!value.is_object()) continue;
    const bool fits =
        !name.empty() && name.size() < 64 && std::all_of(name.begin(), name.end(), [](char letter) {
          return std::isalnum(static_cast<unsigned char>(letter)) || letter == '_';
        });
    if (!fits) throw data_error(path.string(), 0, name, "is no name of a phase", kAgain);
    phases.push_back(name);
  }
  return phases;
}

}  // namespace

TrainingRecord load_training_record(const fs::path& run) {
  finish_commit(run);
  TrainingRecord record;
  const fs::path result_path = run / "result.json", timing_path = run / "timing.json";
  const Json result = read_object(result_path), timing = read_object(timing_path);
  record.model = value_of<std::string>(result, "model", "", result_path);
  record.epochs = value_of<std::int64_t>(result, "epochs", 0, result_path);
  record.best_epoch = value_of<std::int64_t>(result, "best_epoch", 0, result_path);
  const std::vector<std::string> phases = phases_in(timing, timing_path);
  if (phases.empty()) {
    if (timing.contains("seconds"))
      record.seconds_before = value_of<double>(timing, "seconds", 0, timing_path);
    if (record.epochs == 0) record.seconds_an_epoch = 0;
    return record;
  }
  double before = 0;
  bool known = true;
  for (const std::string& phase : phases) {
    const fs::path own = run / (phase + ".metrics.jsonl");
    std::vector<CurvePoint> curve = read_curve(fs::exists(own) ? own : run / "metrics.jsonl");
    const Timed time = timed(timing[phase], timing_path);
    const std::int64_t epochs = last_epoch(curve);
    record.extrapolated = record.extrapolated || time.epochs != epochs;
    known = known && (time.epochs > 0 || epochs == 0);
    const double an_epoch = time.epochs > 0 ? time.seconds / static_cast<double>(time.epochs) : 0;
    if (&phase == &phases.back()) {
      record.curve = std::move(curve);
      if (known) record.seconds_before = before;
      if (known) record.seconds_an_epoch = an_epoch;
    }
    before += an_epoch * static_cast<double>(epochs);
  }
  return record;
}

}  // namespace hyperllm::stages::report
