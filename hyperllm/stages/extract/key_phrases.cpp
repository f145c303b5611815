#include "hyperllm/stages/extract/key_phrases.h"

#include <algorithm>
#include <numeric>

#include "hyperllm/text/tfidf.h"

namespace hyperllm::stages::extract {
namespace {

bool is_phrase(std::string_view term) {
  return term.size() >= 3 && term.find_first_not_of("0123456789. ") != term.npos;
}

// True if the words of `part` stand in `whole`, one after the other.
bool contains_words(std::string_view whole, std::string_view part) {
  const std::string padded = " " + std::string(whole) + " ";
  return padded.find(" " + std::string(part) + " ") != padded.npos;
}

std::vector<std::int32_t> pick(const text::TermCounts& terms, const text::SparseMatrix& weights,
                               std::int64_t row, const std::vector<bool>& allowed, std::int64_t limit) {
  std::vector<std::int64_t> order;
  for (std::int64_t at = weights.indptr[row]; at < weights.indptr[row + 1]; ++at)
    if (allowed[weights.indices[at]]) order.push_back(at);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    if (weights.values[a] != weights.values[b]) return weights.values[a] > weights.values[b];
    return terms.terms[weights.indices[a]].size() > terms.terms[weights.indices[b]].size();
  });
  std::vector<std::int32_t> picked;
  for (const std::int64_t at : order) {
    if (static_cast<std::int64_t>(picked.size()) == limit) break;
    const std::int32_t term = weights.indices[at];
    const bool covered = std::any_of(picked.begin(), picked.end(), [&](std::int32_t better) {
      return contains_words(terms.terms[better], terms.terms[term]);
    });
    if (!covered) picked.push_back(term);
  }
  return picked;
}

// New numbers for the phrases that enough items picked; -1 for the others.
std::vector<std::int32_t> number_phrases(const std::vector<std::vector<std::int32_t>>& picked,
                                         const PhraseLimits& limits, std::size_t terms) {
  std::vector<std::int64_t> items(terms, 0);
  for (const auto& row : picked)
    for (const std::int32_t term : row) ++items[term];
  std::vector<std::int32_t> kept;
  for (std::size_t term = 0; term < terms; ++term)
    if (items[term] >= limits.min_items) kept.push_back(static_cast<std::int32_t>(term));
  std::stable_sort(kept.begin(), kept.end(),
                   [&](std::int32_t a, std::int32_t b) { return items[a] > items[b]; });
  if (static_cast<std::int64_t>(kept.size()) > limits.in_all)
    kept.resize(static_cast<std::size_t>(limits.in_all));
  std::sort(kept.begin(), kept.end());
  std::vector<std::int32_t> number(terms, -1);
  for (std::size_t i = 0; i < kept.size(); ++i) number[kept[i]] = static_cast<std::int32_t>(i);
  return number;
}

}  // namespace

KeyPhrases pick_key_phrases(const std::vector<data::ItemText>& items, const PhraseLimits& limits,
                            const std::function<bool(std::string_view)>& taken) {
  std::vector<std::string> documents;
  documents.reserve(items.size());
  for (const data::ItemText& item : items)
    documents.push_back(item.title + "\n" + item.title + "\n" + item.description);
  const text::TermCounts terms = text::select_terms(
      text::count_terms(documents), {.min_documents = limits.min_items, .max_share = limits.max_share});
  const auto idf = text::smoothed_idf(terms.counts.rows, terms.document_frequency());
  const text::SparseMatrix weights = text::tfidf(terms.counts, idf);

  std::vector<bool> allowed;
  for (const std::string& term : terms.terms) allowed.push_back(is_phrase(term) && !taken(term));
  std::vector<std::vector<std::int32_t>> picked;
  for (std::int64_t row = 0; row < weights.rows; ++row)
    picked.push_back(pick(terms, weights, row, allowed, limits.per_item));

  const std::vector<std::int32_t> number = number_phrases(picked, limits, terms.terms.size());
  KeyPhrases out;
  for (std::size_t term = 0; term < number.size(); ++term)
    if (number[term] >= 0) out.phrases.push_back(terms.terms[term]);
  for (const auto& row : picked) {
    auto& mine = out.of_item.emplace_back();
    for (const std::int32_t term : row)
      if (number[term] >= 0) mine.push_back(number[term]);
  }
  return out;
}

}  // namespace hyperllm::stages::extract
