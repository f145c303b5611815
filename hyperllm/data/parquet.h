// Parquet files, through a program that can read them.
#pragma once

#include <filesystem>
#include <string_view>

#include "hyperllm/data/bytes.h"

namespace hyperllm::data {

bool is_parquet(std::string_view head);

// The table as CSV with a header, streamed out of DuckDB's command line program, else of Python with pyarrow.
// Throws kUnavailable if there is neither, with the command that installs one; reading throws BytesProblem
// with what the program says.
ByteSourcePtr parquet_as_csv(const std::filesystem::path& path);

}  // namespace hyperllm::data
