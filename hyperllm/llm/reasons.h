// Failures by kind. A failure's text names tags, numbers and servers' words, so that hardly two are alike.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/llm/call_store.h"

namespace hyperllm::llm {

// The kinds of failure that a problem tells of, each once: "HTTP 400" of a server's refusal; else the
// sentences of `problem` with "..." for what is quoted (but names of the reply's own fields) and N for
// numbers, without what follows a colon.
std::vector<std::string> kinds_of(std::string_view outcome, int status, std::string_view problem);

class ReasonCounter {
 public:
  // The first text of a kind becomes its example.
  void add(std::string_view outcome, int status, const std::string& problem, std::int64_t count);
  std::vector<Reason> most_frequent(std::int64_t most) const;

 private:
  std::map<std::string, Reason> reasons_;
};

}  // namespace hyperllm::llm
