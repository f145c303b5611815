#include "tests/llm/fake_model.h"

namespace hyperllm::testing_support {

using nlohmann::json;

std::string chat_answer(const std::string& text, std::int64_t prompt_tokens, std::int64_t completion_tokens,
                        const std::string& finish) {
  const json body = {
      {"object", "chat.completion"},
      {"choices",
       {{{"index", 0}, {"finish_reason", finish}, {"message", {{"role", "assistant"}, {"content", text}}}}}},
      {"usage", {{"prompt_tokens", prompt_tokens}, {"completion_tokens", completion_tokens}}}};
  return body.dump();
}

std::string item_completion(const std::string& topic) {
  const json reply = {
      {"summary", "A thing about " + topic + " that people like for its colour and its weight."},
      {"tags", {{"broad", {"Things"}}, {"middle", {topic + " kind"}}, {"specific", {topic + " detail"}}}},
      {"edges",
       {{{"parent", "Things"}, {"child", topic + " kind"}},
        {{"parent", topic + " kind"}, {"child", topic + " detail"}}}}};
  return reply.dump();
}

std::string last_message(const json& request) {
  return request["messages"].back()["content"].get<std::string>();
}

void AskedLog::add(const std::string& what) {
  const std::lock_guard lock(mutex_);
  ++counts_[what];
}

std::map<std::string, int> AskedLog::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

int AskedLog::counts_of(const std::string& what) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(what);
  return found == counts_.end() ? 0 : found->second;
}

int AskedLog::total() const {
  int total = 0;
  for (const auto& [what, count] : counts()) total += count;
  return total;
}

double chance(const std::string& text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  hash ^= hash >> 29;
  hash *= 0xBF58476D1CE4E5B9u;
  return static_cast<double>(hash >> 11) / 9007199254740992.0;
}

}  // namespace hyperllm::testing_support
