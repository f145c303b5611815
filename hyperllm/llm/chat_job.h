// A job of chat questions that share a prompt and a schema.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hyperllm/llm/prompt.h"
#include "hyperllm/llm/runner.h"

namespace hyperllm::llm {

struct ChatSpec {
  std::string kind;  // "item", "user"
  Server server;
  Format format;
  Sampling sampling;
  Prompt prompt;
  Prompt repair;  // knows {{problems}}
  nlohmann::ordered_json schema;
  std::function<Judged(const std::string& reply)> judge;
};

// What one question is about: an external id and the values of the prompt's variables.
struct ChatInput {
  std::string subject;
  std::map<std::string, std::string> values;
};

// A wrong answer is answered with the repair prompt in the same conversation; the third try asks afresh with
// another seed and some temperature, since a model that is asked the same way errs the same way.
class ChatJob : public Job {
 public:
  using Next = std::function<std::optional<ChatInput>(std::int64_t position)>;
  // `next(i)` makes question i, or nullopt past the last.
  ChatJob(ChatSpec spec, std::int64_t size, Next next);

  // The question about an input: its key is the hash of model, prompt version, parameters and messages.
  Ask ask(const ChatInput& input) const;

  std::optional<Ask> next() override;
  void rewind() override { position_ = 0; }
  std::int64_t size() const override { return size_; }
  net::HttpRequest request(std::span<const Ask> asks, const History& history) override;
  Answered read(std::span<const Ask> asks, std::string_view body) override;
  double completion_tokens() const override { return static_cast<double>(spec_.sampling.max_tokens); }
  const ChatSpec& spec() const { return spec_; }
  // Requests are written so from now on.
  void speak(const Format& format) { spec_.format = format; }

 private:
  ChatSpec spec_;
  std::string parameters_;
  std::int64_t size_, position_ = 0;
  Next next_;
};

}  // namespace hyperllm::llm
