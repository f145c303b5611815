// A language model for tests: answers chat requests correctly, or as wrongly as the test says.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/net/fake_server.h"

namespace hyperllm::testing_support {

// A chat server's reply around `text`.
std::string chat_answer(const std::string& text, std::int64_t prompt_tokens = 100,
                        std::int64_t completion_tokens = 50, const std::string& finish = "stop");

// A valid item reply whose tags derive from `topic`.
std::string item_completion(const std::string& topic);

// The text of the last message of a chat request.
std::string last_message(const nlohmann::json& request);

// Remembers what was asked, thread-safe.
class AskedLog {
 public:
  void add(const std::string& what);
  std::map<std::string, int> counts() const;
  int counts_of(const std::string& what) const;
  int total() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, int> counts_;
};

// A stable pseudo-random number in [0, 1) of a text, to inject faults without state.
double chance(const std::string& text);

}  // namespace hyperllm::testing_support
