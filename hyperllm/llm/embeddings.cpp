#include "hyperllm/llm/embeddings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "hyperllm/base/error.h"
#include "hyperllm/base/hash.h"
#include "hyperllm/base/json.h"
#include "hyperllm/llm/read_values.h"
#include "hyperllm/llm/session.h"
#include "hyperllm/llm/unicode.h"
#include "hyperllm/net/secrets.h"

namespace hyperllm::llm {
namespace {

using nlohmann::json;

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kTextsAtOnce = 512;
// Bounds of a reply: some 10,000 numbers a text at 25 bytes each.
constexpr std::size_t kReplyBase = std::size_t{1} << 20, kReplyOfText = std::size_t{256} << 10;
constexpr std::size_t kMostReply = std::size_t{256} << 20;

// An embedding as a server writes it: a list of numbers, or base64. Empty if it is neither.
std::vector<float> vector_of(const json* value) {
  if (value && value->is_string()) return floats_from_base64(text_in(value));
  std::vector<float> out;
  if (!value || !value->is_array()) return out;
  for (const json& number : *value) {
    if (!number.is_number()) return {};
    const auto real = number.get<double>();
    const bool fits = std::abs(real) <= std::numeric_limits<float>::max();
    out.push_back(fits ? static_cast<float>(real) : std::numeric_limits<float>::infinity());
  }
  return out;
}

class EmbeddingJob : public Job {
 public:
  EmbeddingJob(std::vector<std::string> texts, const Server& server, const EmbeddingOptions& options)
      : texts_(std::move(texts)), server_(server), options_(options) {}

  std::string key(const std::string& text) const {
    return hash_text("embed\n" + server_.model + "\n" + std::to_string(options_.dimensions) + "\n" + text);
  }
  std::optional<Ask> next() override {
    if (position_ == texts_.size()) return std::nullopt;
    const std::string& text = texts_[position_++];
    return Ask{{key(text), "embed", text.substr(0, 40)}, {{"user", text}}, estimated_tokens(text)};
  }
  void rewind() override { position_ = 0; }
  std::int64_t size() const override { return static_cast<std::int64_t>(texts_.size()); }
  std::size_t pack() const override { return static_cast<std::size_t>(options_.batch); }
  double completion_tokens() const override { return 0; }

  net::HttpRequest request(std::span<const Ask> asks, const History&) override {
    json body = {{"model", server_.model}, {"input", json::array()}, {"encoding_format", "float"}};
    for (const Ask& ask : asks) body["input"].push_back(ask.messages[0].content);
    if (options_.dimensions > 0) body["dimensions"] = options_.dimensions;
    net::HttpRequest request =
        post(server_, "/embeddings", body.dump(-1, ' ', false, json::error_handler_t::replace));
    request.most_bytes = std::min(kMostReply, kReplyBase + asks.size() * kReplyOfText);
    return request;
  }

  Answered read(std::span<const Ask> asks, std::string_view body) override {
    const json reply = parse_json(body);
    if (reply.is_discarded()) throw malformed_reply("is not JSON", body);
    const json* data = member(&reply, "data");
    if (!data || !data->is_array() || data->size() != asks.size())
      throw malformed_reply("does not hold one embedding for each text", body);
    Answered answered;
    answered.judged.resize(asks.size());
    std::vector<bool> seen(asks.size());
    double asked = 0;
    for (std::size_t i = 0; i < data->size(); ++i) {
      const json& entry = (*data)[i];
      const json* told = member(&entry, "index");
      // A vector in another text's place would stay there for good, so nothing is guessed.
      const auto index = told && !told->is_null() ? whole_number(told) : static_cast<std::int64_t>(i);
      if (!index || *index < 0 || *index >= static_cast<std::int64_t>(asks.size()) ||
          seen[static_cast<std::size_t>(*index)])
        throw malformed_reply("numbers its embeddings wrongly", body);
      seen[static_cast<std::size_t>(*index)] = true;
      answered.judged[static_cast<std::size_t>(*index)] = judge(vector_of(member(&entry, "embedding")));
      asked += asks[i].prompt_tokens;
    }
    answered.prompt_tokens = believable(whole_number(member(member(&reply, "usage"), "prompt_tokens")), asked,
                                        most_prompt_tokens(asked));
    return answered;
  }

 private:
  Judged judge(const std::vector<float>& values) const {
    Judged judged;
    const auto finite = [](float v) { return std::isfinite(v); };
    if (values.empty())
      judged.problem = "The reply holds no vector.";
    else if (!std::all_of(values.begin(), values.end(), finite))
      judged.problem = "The vector has a value that is not finite.";
    else if (std::all_of(values.begin(), values.end(), [](float v) { return v == 0; }))
      judged.problem = "The vector is zero.";
    else if (options_.dimensions > 0 && static_cast<std::int64_t>(values.size()) != options_.dimensions)
      judged.problem = "The vector has " + std::to_string(values.size()) + " numbers, not " +
                       std::to_string(options_.dimensions) + ".";
    judged.valid = judged.problem.empty();
    judged.reply = floats_to_base64(values);
    return judged;
  }

  std::vector<std::string> texts_;
  const Server& server_;
  const EmbeddingOptions& options_;
  std::size_t position_ = 0;
};

// The row of each distinct text.
using Rows = std::unordered_map<std::string, std::vector<std::size_t>>;

void fill(EmbeddingTable& table, EmbeddingJob& job, CallStore& store,
          const std::vector<std::string>& distinct, const Rows& rows, std::size_t count) {
  for (std::size_t at = 0; at < distinct.size(); at += kTextsAtOnce) {
    const std::size_t end = std::min(distinct.size(), at + kTextsAtOnce);
    std::vector<std::string> keys;
    for (std::size_t i = at; i < end; ++i) keys.push_back(job.key(distinct[i]));
    const auto records = store.find(keys);
    for (std::size_t i = at; i < end; ++i) {
      const auto& record = records[i - at];
      const bool done = record && record->state == CallState::kDone;
      HYPERLLM_CHECK(done, ErrorCode::kUnavailable,
                     "no embedding of '" + distinct[i].substr(0, 60) +
                         "': " + (record ? without_full_stop(record->problem) : "not asked") +
                         ". Mend the cause and run the same command with --retry-failed.");
      const std::vector<float> values = floats_from_base64(record->reply);
      if (table.dimensions == 0) {
        table.dimensions = static_cast<std::int64_t>(values.size());
        table.values.assign(count * values.size(), 0.0f);
      }
      HYPERLLM_CHECK(static_cast<std::int64_t>(values.size()) == table.dimensions, ErrorCode::kInvalidData,
                     "the server's embeddings have different sizes: " + std::to_string(table.dimensions) +
                         " and " + std::to_string(values.size()));
      for (const std::size_t row : rows.at(distinct[i]))
        std::copy(values.begin(), values.end(),
                  table.values.begin() + static_cast<std::ptrdiff_t>(row * values.size()));
    }
  }
}

}  // namespace

std::string floats_to_base64(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  std::string text = net::base64_of(bytes);
  return text.append((4 - text.size() % 4) % 4, '=');
}

std::vector<float> floats_from_base64(std::string_view text) {
  std::string bytes;
  std::uint32_t group = 0;
  int bits = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return {};
    group = group << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>((group >> bits) & 0xFF);
  }
  if (bytes.size() % sizeof(float) != 0) return {};
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

EmbeddingTable embed_texts(const std::vector<std::string>& texts, const std::filesystem::path& folder,
                           const EmbeddingOptions& options, const Context& context) {
  HYPERLLM_CHECK(options.batch >= 1 && options.batch <= 2048, ErrorCode::kInvalidArgument,
                 "option 'batch': expected 1 to 2048");
  HYPERLLM_CHECK(options.most_bytes >= 1, ErrorCode::kInvalidArgument,
                 "option 'max_text_bytes': expected 1 or more");
  std::vector<std::string> distinct;
  Rows rows;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::string text =
        valid_utf8(std::string_view(texts[i]).substr(0, static_cast<std::size_t>(options.most_bytes)));
    if (text.find_first_not_of(" \n\t") == std::string::npos) continue;
    auto& list = rows[text];
    if (list.empty()) distinct.push_back(text);
    list.push_back(i);
  }
  Session session(options.server, folder, Session::Use::kEmbeddings, context);
  EmbeddingJob job(distinct, session.server(), options);
  EmbeddingTable table;
  if (options.server.dry_run) {
    const Forecast told = forecast_job(job, session.store(), context);
    table.text = fmt::format(
        "{} texts to embed ({} known), about {:.0f} tokens, cost {:.4f}. Nothing was asked.\n", told.calls,
        told.known, told.prompt_tokens, session.runner().price.of(told.prompt_tokens, 0));
    return table;
  }
  RunnerOptions runner = session.runner();
  runner.task = "embeddings";
  const RunTotals totals = run_job(job, *session.store(), runner, context);
  HYPERLLM_CHECK(!totals.budget_reached, ErrorCode::kInterrupted,
                 "budget " + runner.budget.text() + " reached after " +
                     std::to_string(totals.known + totals.done) + " of " + std::to_string(job.size()) +
                     " texts; all answers are stored. Run the same command with a higher --budget to go on.");
  fill(table, job, *session.store(), distinct, rows, texts.size());
  return table;
}

}  // namespace hyperllm::llm
