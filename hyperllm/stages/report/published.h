// Published values to print beside ours.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>

namespace hyperllm::stages::report {

// By run and metric, as the table's rows and columns are called; "seconds" is the time to train.
using Published = std::map<std::pair<std::string, std::string>, double>;

// The values of one dataset of a TSV whose header names dataset, run, metric and value, in any order, further
// columns being of no interest. Throws kIo, kInvalidData (file, line, field, remedy), and kInvalidArgument if
// the file has no such dataset.
Published load_published(const std::filesystem::path& path, const std::string& dataset);

}  // namespace hyperllm::stages::report
