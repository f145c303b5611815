#include "hyperllm/llm/reasons.h"

#include <algorithm>
#include <array>

#include "hyperllm/llm/read_values.h"

namespace hyperllm::llm {
namespace {

constexpr std::array<std::string_view, 7> kFields = {"summary", "tags",     "edges", "broad",
                                                     "middle",  "specific", "parent"};
constexpr std::size_t kLongestKind = 160, kLongestExample = 160;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// `text` with "..." for quotations and N for numbers.
std::string pattern_of(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '"') {
      const std::size_t end = std::min(text.find('"', i + 1), text.size());
      const std::string_view quoted = text.substr(i + 1, end - i - 1);
      const bool field = std::find(kFields.begin(), kFields.end(), quoted) != kFields.end();
      out += '"' + std::string(field ? quoted : "...") + '"';
      i = end + 1;
    } else if (is_digit(text[i])) {
      while (i < text.size() && is_digit(text[i])) ++i;
      out += 'N';
    } else {
      out += text[i++];
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> kinds_of(std::string_view outcome, int status, std::string_view problem) {
  if (outcome == "http") return {"HTTP " + std::to_string(status)};
  // The rest is in a server's or in libcurl's words.
  if (outcome != "invalid")
    return {excerpt(pattern_of(problem.substr(0, problem.find_first_of(":;"))), kLongestKind)};
  std::vector<std::string> kinds;
  const std::string pattern = pattern_of(problem);
  for (std::size_t at = 0; at < pattern.size();) {
    const std::size_t end = std::min(pattern.find(". ", at), pattern.size());
    const std::string kind =
        without_full_stop(excerpt(std::string_view(pattern).substr(at, end - at), kLongestKind));
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
    at = end + 2;
  }
  return kinds;
}

void ReasonCounter::add(std::string_view outcome, int status, const std::string& problem,
                        std::int64_t count) {
  for (const std::string& kind : kinds_of(outcome, status, problem)) {
    Reason& reason = reasons_[kind];
    if (reason.count == 0) reason = {kind, 0, excerpt(problem, kLongestExample)};
    reason.count += count;
  }
}

std::vector<Reason> ReasonCounter::most_frequent(std::int64_t most) const {
  std::vector<Reason> list;
  for (const auto& [kind, reason] : reasons_) list.push_back(reason);
  std::stable_sort(list.begin(), list.end(),
                   [](const Reason& a, const Reason& b) { return a.count > b.count; });
  if (static_cast<std::int64_t>(list.size()) > most) list.resize(static_cast<std::size_t>(most));
  return list;
}

}  // namespace hyperllm::llm
