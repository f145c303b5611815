// Raw interactions and item texts in, a dataset folder out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/data/statistics.h"
#include "hyperllm/stages/prepare/options.h"

namespace hyperllm::stages::prepare {

// What became of the interactions, in the order in which the filters work.
struct Counts {
  std::int64_t read = 0;
  std::int64_t duplicates = 0;    // dropped because a later one has the same user and item
  std::int64_t below_rating = 0;  // dropped by min_rating
  std::int64_t below_core = 0;    // dropped by user_core and item_core
};

struct PrepareResult {
  std::string format;  // as found or as told
  std::string split;   // keep, ratio, leave_last_out or time
  Counts counts;
  data::Statistics statistics;
  std::vector<std::string> imports;            // of each file what was read how, as a JSON object
  std::string shown;                           // dry_run: the first rows, for people; nothing was written
  std::vector<std::filesystem::path> inputs;   // files read
  std::vector<std::filesystem::path> outputs;  // files written
};

// Reads, filters, splits and writes. Nothing is written before all input has been read and checked; an
// items.jsonl or tags that an earlier run left in the output folder and this one does not make are removed.
// Throws kInvalidArgument (options), kIo, kInvalidData (file, line, field, remedy; nothing left after
// filtering: which filter took how much), kInterrupted.
PrepareResult run(const PrepareOptions& options, const Context& context);

// "100 interactions read, 3 duplicates dropped, ..." for people.
std::string describe(const Counts& counts);

}  // namespace hyperllm::stages::prepare
