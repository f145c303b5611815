#include <algorithm>
#include <iterator>

#include "hyperllm/text/tokenizer.h"

namespace hyperllm::text {
namespace {

// Ascending, for binary search. Only function words: what is stop-worthy in one catalogue is found by
// document frequency.
constexpr std::string_view kStopWords[] = {
    "a",     "about", "after", "all",   "also", "am",   "an",    "and",   "any",  "are",  "as",
    "at",    "be",    "been",  "being", "but",  "by",   "can",   "could", "did",  "do",   "does",
    "each",  "for",   "from",  "had",   "has",  "have", "he",    "her",   "here", "him",  "his",
    "how",   "i",     "if",    "in",    "into", "is",   "it",    "its",   "just", "may",  "me",
    "more",  "most",  "my",    "no",    "nor",  "not",  "of",    "on",    "only", "or",   "other",
    "our",   "out",   "over",  "own",   "s",    "same", "she",   "so",    "some", "such", "t",
    "than",  "that",  "the",   "their", "them", "then", "there", "these", "they", "this", "those",
    "to",    "too",   "up",    "us",    "very", "was",  "we",    "were",  "what", "when", "where",
    "which", "while", "who",   "why",   "will", "with", "would", "you",   "your"};
static_assert(std::is_sorted(std::begin(kStopWords), std::end(kStopWords)));

}  // namespace

bool is_stop_word(std::string_view word) {
  return std::binary_search(std::begin(kStopWords), std::end(kStopWords), word);
}

}  // namespace hyperllm::text
