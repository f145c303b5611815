// OpenAI's batch files: requests as JSON lines for /v1/batches or `vllm run-batch`, and their answers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/llm/call_store.h"
#include "hyperllm/llm/chat_job.h"

namespace hyperllm::llm {

struct BatchTotals {
  std::int64_t requests = 0;
  std::int64_t files = 0;
};

// Writes the calls of the job that are not answered yet as {"custom_id": key, "method": "POST", "url":
// "/v1/chat/completions", "body": ...}. At most 50,000 requests and 190 MB a file: `file`, then NAME-2.jsonl,
// ...
BatchTotals export_batch(ChatJob& job, CallStore& store, const std::filesystem::path& file,
                         const Context& context);

struct ImportTotals {
  std::int64_t valid = 0, wrong = 0, failed = 0;  // wrong and failed ones stay open for the next run
  std::int64_t settled = 0;                       // of this job, and answered or given up before
  std::int64_t unknown = 0;                       // not of this job
  std::vector<std::string> refused;               // fields of the requests that failed answers name
  std::int64_t ours() const { return valid + wrong + failed + settled; }
};

// Reads answers ({"custom_id", "response": {"status_code", "body"}, "error"}), judges and records them.
// Answers to calls that are settled already are passed over. Throws kInvalidData (file, line) for a line that
// is no batch answer.
ImportTotals import_batch(ChatJob& job, CallStore& store, const Price& price,
                          const std::filesystem::path& file, const Context& context);

}  // namespace hyperllm::llm
