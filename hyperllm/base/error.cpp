#include "hyperllm/base/error.h"

#include <algorithm>
#include <numeric>

namespace hyperllm {

int exit_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 2;
    case ErrorCode::kInvalidData:
      return 3;
    case ErrorCode::kIo:
      return 4;
    case ErrorCode::kNonFinite:
      return 5;
    case ErrorCode::kUnavailable:
      return 6;
    case ErrorCode::kInterrupted:
      return 130;
  }
  return 1;
}

namespace {

constexpr std::size_t kLongestField = 100, kLongestText = 1000, kLongestWord = 300;

// At most about `most` bytes of the text, from its start and its end, whole letters.
std::string cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  const auto inside = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
  std::size_t head = most / 2, tail = text.size() - most / 2;
  while (head > 0 && inside(head)) --head;
  while (tail + 1 < text.size() && inside(tail)) ++tail;
  return std::string(text.substr(0, head)) + "..." + std::string(text.substr(tail));
}

}  // namespace

Error data_error(std::string_view file, std::int64_t line, std::string_view field, std::string_view problem,
                 std::string_view remedy) {
  std::string message(file);
  if (line > 0) message += ":" + std::to_string(line);
  message += ": ";
  if (!field.empty()) message += "field '" + cut(field, kLongestField) + "': ";
  message += cut(problem, kLongestText);
  if (!message.empty() && message.back() != '.') message += ".";
  if (!remedy.empty()) message += " " + cut(remedy, kLongestText);
  return Error(ErrorCode::kInvalidData, message);
}

namespace {
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}
}  // namespace

std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > kLongestWord) return "";
  const std::size_t limit = std::max<std::size_t>(2, word.size() / 3);
  std::size_t best = limit + 1;
  std::string nearest;
  for (const std::string& candidate : candidates) {
    const std::size_t longer = std::max(word.size(), candidate.size());
    if (longer - std::min(word.size(), candidate.size()) >= best) continue;  // so many letters differ at least
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace hyperllm
