#include "hyperllm/llm/batch_file.h"

#include <algorithm>
#include <unordered_map>

#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/lines.h"
#include "hyperllm/llm/read_values.h"

namespace hyperllm::llm {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostRequests = 50000;
constexpr std::int64_t kMostBytes = 190'000'000;

// Batch files that grow until OpenAI's limits, then the next one begins; they appear together.
class BatchWriter {
 public:
  explicit BatchWriter(std::filesystem::path file) : first_(std::move(file)), files_(folder_of(first_)) {}

  void write(const std::string& line) {
    const auto size = static_cast<std::int64_t>(line.size());
    const bool full = requests_ == kMostRequests || bytes_ + size > kMostBytes;
    if (!file_ || (full && !file_->in_place())) next();  // a pipe is one file, however long
    file_->write(line);
    ++requests_;
    bytes_ += size;
    ++totals_.requests;
  }
  BatchTotals finish() {
    files_.commit();
    return totals_;
  }

 private:
  void next() {
    std::string name = first_.filename().string();
    if (++totals_.files > 1)
      name = first_.stem().string() + "-" + std::to_string(totals_.files) + first_.extension().string();
    file_ = &files_.add(name);
    requests_ = bytes_ = 0;
  }

  std::filesystem::path first_;
  FileSet files_;
  AtomicFile* file_ = nullptr;
  std::int64_t requests_ = 0, bytes_ = 0;
  BatchTotals totals_;
};

struct BatchAnswer {
  std::string key;
  int status = 0;
  std::string body;
};

BatchAnswer read_answer(const std::filesystem::path& file, std::int64_t number, std::string_view line) {
  const json answer = parse_json(line);
  const json* id = member(&answer, "custom_id");
  if (!id || !id->is_string())
    throw data_error(
        file.string(), number, "custom_id", "not a batch answer",
        "Give the output file of the batch, not the requests or the error file of another tool.");
  BatchAnswer out{std::string(text_in(id)), 0, ""};
  const json* response = member(&answer, "response");
  if (response && response->is_object()) {
    // vllm run-batch leaves the status out in some versions.
    const auto status = whole_number(member(response, "status_code"));
    out.status = status && *status > 0 && *status < 1000 ? static_cast<int>(*status) : 200;
    if (const json* body = member(response, "body")) out.body = body->dump();
  } else if (const json* error = member(&answer, "error")) {
    out.body = error->dump();
  }
  return out;
}

}  // namespace

BatchTotals export_batch(ChatJob& job, CallStore& store, const std::filesystem::path& file,
                         const Context& context) {
  BatchWriter writer(file);
  Progress progress(context, "batch file", job.size());
  while (const std::optional<Ask> ask = job.next()) {
    progress.advance();
    const auto known = store.find(std::vector{ask->id.key})[0];
    if (known && known->state != CallState::kPending) continue;
    const ChatSpec& spec = job.spec();
    const nlohmann::ordered_json line = {
        {"custom_id", ask->id.key},
        {"method", "POST"},
        {"url", "/v1/chat/completions"},
        {"body", chat_body(spec.server, spec.format, ask->messages, spec.sampling, spec.schema)}};
    writer.write(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  }
  return writer.finish();
}

ImportTotals import_batch(ChatJob& job, CallStore& store, const Price& price,
                          const std::filesystem::path& file, const Context& context) {
  std::unordered_map<std::string, Ask> asks;  // without their messages
  while (std::optional<Ask> ask = job.next()) {
    ask->messages = {};
    const std::string key = ask->id.key;
    asks.emplace(key, std::move(*ask));
  }
  job.rewind();
  ImportTotals totals;
  Progress progress(context, "answers", 0);
  data::LineReader lines(file);
  std::string_view line;
  while (lines.next(line)) {
    if (line.find_first_not_of(" \t") == line.npos) continue;
    const BatchAnswer answer = read_answer(file, lines.line_number(), line);
    progress.advance();
    const auto ask = asks.find(answer.key);
    if (ask == asks.end()) {
      ++totals.unknown;
      continue;
    }
    if (store.claim(std::vector{ask->second.id})[0].claim != Claim::kMine) {
      ++totals.settled;
      continue;
    }
    Attempt attempt;
    attempt.key = answer.key;
    attempt.status = answer.status;
    attempt.outcome = "http";
    try {
      if (answer.status == 200) {
        const Answered read = job.read(std::vector{ask->second}, answer.body);
        const Judged& judged = read.judged[0];
        attempt.outcome = judged.valid ? "ok" : "invalid";
        attempt.reply = judged.reply;
        attempt.problem = judged.problem;
        attempt.mended = judged.mended;
        attempt.prompt_tokens = read.prompt_tokens;
        attempt.completion_tokens = read.completion_tokens;
        attempt.cost =
            price.of(static_cast<double>(read.prompt_tokens), static_cast<double>(read.completion_tokens));
        attempt.state = judged.valid ? CallState::kDone : CallState::kPending;
      } else {
        attempt.problem = error_message(answer.status, answer.body);
        for (const std::string& field :
             refused_fields(answer.status, answer.body, job.spec().format, job.spec().sampling))
          if (std::find(totals.refused.begin(), totals.refused.end(), field) == totals.refused.end())
            totals.refused.push_back(field);
      }
    } catch (const Error& error) {
      attempt.outcome = "malformed";
      attempt.problem = error.what();
    }
    totals.valid += attempt.outcome == "ok";
    totals.wrong += attempt.outcome == "invalid";
    totals.failed += attempt.outcome == "http" || attempt.outcome == "malformed";
    store.record(std::vector{attempt});
  }
  return totals;
}

}  // namespace hyperllm::llm
