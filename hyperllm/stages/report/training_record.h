// What `train` left in a run folder about how it went: result.json, timing.json, metrics.jsonl.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hyperllm::stages::report {

struct CurvePoint {
  std::int64_t epoch = 0;                               // 0: before the first step
  std::vector<std::pair<std::string, double>> metrics;  // on validation
};

struct TrainingRecord {
  std::string model;                        // empty if there is no record
  std::int64_t epochs = 0, best_epoch = 0;  // of the last phase; 0 for a baseline
  std::vector<CurvePoint> curve;            // of the last phase; empty for a baseline

  // An epoch of the last phase costs the mean of those that were timed; earlier phases come before the first.
  // None where nothing was timed: a phase that an earlier call finished leaves no time.
  std::optional<double> seconds_before, seconds_an_epoch;
  bool extrapolated = false;  // fewer epochs were timed than were run: the training was stopped and continued

  std::optional<double> seconds_at(std::int64_t epoch) const {
    if (!seconds_before || !seconds_an_epoch) return std::nullopt;
    return *seconds_before + *seconds_an_epoch * static_cast<double>(epoch);
  }
};

// Throws kInvalidData for damaged files. A folder without them gives an empty record.
TrainingRecord load_training_record(const std::filesystem::path& run);

}  // namespace hyperllm::stages::report
