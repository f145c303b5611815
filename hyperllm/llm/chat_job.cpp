#include "hyperllm/llm/chat_job.h"

#include <algorithm>

#include "hyperllm/base/hash.h"
#include "hyperllm/llm/read_values.h"
#include "hyperllm/llm/unicode.h"

namespace hyperllm::llm {
namespace {

constexpr std::size_t kLongestQuote = 8000;  // bytes of a wrong answer that the repair prompt shows again
constexpr double kRetryTemperature = 0.5;

// What decides an answer beside the messages. The dialect does not: it is the same question.
std::string parameters_of(const ChatSpec& spec) {
  nlohmann::ordered_json fields = {{"kind", spec.kind},
                                   {"model", spec.server.model},
                                   {"prompt", spec.prompt.version()},
                                   {"temperature", spec.sampling.temperature},
                                   {"max_tokens", spec.sampling.max_tokens},
                                   {"seed", spec.sampling.seed},
                                   {"extra", spec.sampling.extra}};
  return fields.dump();
}

}  // namespace

ChatJob::ChatJob(ChatSpec spec, std::int64_t size, Next next)
    : spec_(std::move(spec)), parameters_(parameters_of(spec_)), size_(size), next_(std::move(next)) {}

Ask ChatJob::ask(const ChatInput& input) const {
  Ask ask;
  ask.messages = spec_.prompt.render(input.values);
  std::string content = parameters_;
  for (Message& message : ask.messages) {
    message.content = valid_utf8(message.content);
    content += '\0' + message.role + '\0' + message.content;
    ask.prompt_tokens += estimated_tokens(message.content) + 4;
  }
  ask.id = {hash_text(content), spec_.kind, input.subject};
  return ask;
}

std::optional<Ask> ChatJob::next() {
  const std::optional<ChatInput> input = next_(position_);
  if (!input) return std::nullopt;
  ++position_;
  return ask(*input);
}

net::HttpRequest ChatJob::request(std::span<const Ask> asks, const History& history) {
  std::vector<Message> messages = asks[0].messages;
  Sampling sampling = spec_.sampling;
  // A reply without a text cannot be mended, and some servers refuse an empty message.
  if (history.wrong % 2 == 1 && !history.last_reply.empty()) {
    messages.push_back({"assistant", valid_utf8(history.last_reply.substr(0, kLongestQuote))});
    for (Message& message : spec_.repair.render({{"problems", history.last_problem}}))
      messages.push_back(std::move(message));
  } else if (history.wrong > 0) {
    sampling.seed += history.wrong;
    sampling.temperature = std::max(sampling.temperature, kRetryTemperature);
  }
  return chat_request(spec_.server, spec_.format, messages, sampling, spec_.schema);
}

Answered ChatJob::read(std::span<const Ask> asks, std::string_view body) {
  ChatReply reply = read_chat(body);
  Judged judged;
  if (!reply.blank()) judged = spec_.judge(reply.text);
  if (!judged.valid && reply.cut && !reply.blank())
    judged.problem += " The answer was cut off; keep it shorter.";
  if (!judged.valid && !reply.remark.empty())
    judged.problem += (judged.problem.empty() ? "" : " ") + reply.remark;
  judged.reply = reply.blank() ? "" : std::move(reply.text);
  const double asked = asks[0].prompt_tokens, written = estimated_tokens(judged.reply);
  Answered answered;
  answered.prompt_tokens = believable(reply.prompt_tokens, asked, most_prompt_tokens(asked));
  // Thinking counts as well, and is seen nowhere.
  answered.completion_tokens =
      believable(reply.completion_tokens, written, std::max(completion_tokens(), 8 * written) + 100000);
  answered.judged.push_back(std::move(judged));
  return answered;
}

}  // namespace hyperllm::llm
