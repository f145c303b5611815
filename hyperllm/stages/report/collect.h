// From run folders to rows of a table.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/stages/report/run.h"

namespace hyperllm::stages::report {

// The folder itself if it was evaluated on `split`, else its seed-N folders by rising N. Throws kIo if there
// is neither.
std::vector<std::filesystem::path> evaluated_folders(const std::filesystem::path& run,
                                                     const std::string& split);

// Fills columns, rows and warnings, and returns the name of the dataset. Throws kInvalidData for runs of
// different datasets or splits.
std::string collect(const std::vector<std::string>& runs, const std::string& split, ReportResult& result);

// Mean and deviation; `values` is not empty.
ReportCell cell_of(const std::vector<double>& values);

}  // namespace hyperllm::stages::report
