// When two tags are one: spelling, plural, spaces, and edit rules that people review.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace hyperllm::llm {

// The singular of an English word in lower case; other words are returned as they are.
std::string singular(const std::string& word);

// Tags with one form are one tag: folded, words in the singular, blanks and hyphens dropped, "and" as "&".
std::string tag_form(std::string_view tag);

// Likeness of two spellings in [0, 1]: shared letter triples (Dice) of their folded texts.
double spelling_similarity(std::string_view a, std::string_view b);

// A line of a rules file: `from` becomes `to`; an empty `to` removes the tag. Tags are compared by tag_form.
struct TagRule {
  std::string from, to;
  std::string reason;  // for people
};

// Tab-separated, header `from	to	reason`; '#' begins a comment line. Throws kIo, kInvalidData (file,
// line).
std::vector<TagRule> load_tag_rules(const std::filesystem::path& file);
void save_tag_rules(const std::vector<TagRule>& rules, const std::filesystem::path& file);

}  // namespace hyperllm::llm
