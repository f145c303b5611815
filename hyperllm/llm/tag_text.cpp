#include "hyperllm/llm/tag_text.h"

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/llm/unicode.h"

namespace hyperllm::llm {
namespace {

constexpr std::string_view kHeader = "from\tto\treason";

std::set<std::u32string> triples(std::string_view text) {
  const std::u32string padded = U"  " + to_code_points(folded(text)) + U" ";
  std::set<std::u32string> found;
  for (std::size_t i = 0; i + 3 <= padded.size(); ++i) found.insert(padded.substr(i, 3));
  return found;
}

}  // namespace

std::string singular(const std::string& word) {
  static constexpr std::array<std::string_view, 8> kSame = {"series", "species", "news",   "lens",
                                                            "jeans",  "always",  "sports", "mens"};
  const auto ends = [&](std::string_view end) { return word.ends_with(end); };
  if (word.size() < 4 || std::find(kSame.begin(), kSame.end(), word) != kSame.end()) return word;
  if (ends("'s")) return word.substr(0, word.size() - 2);
  if (ends("ies") && word.size() > 4) return word.substr(0, word.size() - 3) + "y";
  for (const std::string_view end : {"sses", "shes", "ches", "xes"})
    if (ends(end)) return word.substr(0, word.size() - 2);
  if (ends("s") && !ends("ss") && !ends("us") && !ends("is")) return word.substr(0, word.size() - 1);
  return word;
}

std::string tag_form(std::string_view tag) {
  std::string text = folded(tag);
  std::replace(text.begin(), text.end(), '-', ' ');
  std::istringstream words(text);
  std::string form;
  for (std::string word; words >> word;) form += word == "and" ? "&" : singular(word);
  return form;
}

double spelling_similarity(std::string_view a, std::string_view b) {
  const auto left = triples(a), right = triples(b);
  std::size_t shared = 0;
  for (const auto& triple : left) shared += right.count(triple);
  return 2.0 * static_cast<double>(shared) /
         static_cast<double>(std::max<std::size_t>(1, left.size() + right.size()));
}

std::vector<TagRule> load_tag_rules(const std::filesystem::path& file) {
  std::istringstream stream(read_file(file, 64 * kMiB));
  std::vector<TagRule> rules;
  std::string line;
  for (std::int64_t number = 1; std::getline(stream, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    if (number == 1) {
      if (line != kHeader)
        throw data_error(file.string(), 1, "", "the header is '" + line + "'",
                         "It must be 'from<tab>to<tab>reason'.");
      continue;
    }
    const std::size_t first = line.find('\t'),
                      second = first == line.npos ? first : line.find('\t', first + 1);
    if (first == line.npos)
      throw data_error(file.string(), number, "to", "missing",
                       "Write from<tab>to<tab>reason; an empty 'to' removes the tag.");
    TagRule rule{line.substr(0, first),
                 line.substr(first + 1, second == line.npos ? second : second - first - 1),
                 second == line.npos ? "" : line.substr(second + 1)};
    if (tag_form(rule.from).empty())
      throw data_error(file.string(), number, "from", "it has no word", "Name a tag.");
    rules.push_back(std::move(rule));
  }
  return rules;
}

void save_tag_rules(const std::vector<TagRule>& rules, const std::filesystem::path& file) {
  std::string text = std::string(kHeader) + "\n";
  for (const TagRule& rule : rules) text += rule.from + "\t" + rule.to + "\t" + rule.reason + "\n";
  write_file(file, text);
}

}  // namespace hyperllm::llm
