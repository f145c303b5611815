// What we ask a language model for, and whether a reply is that (section 4.1 of the paper).
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hyperllm::llm {

inline constexpr int kLevels = 3;

// An item's summary, its tags from broad (levels[0]) to specific (levels[2]), and edges from a broader tag to
// a narrower one, by text. After validation: every tag occurs once, every edge joins two of these tags and
// goes down, and every tag below the first level has a parent.
struct ItemReply {
  std::string summary;
  std::array<std::vector<std::string>, kLevels> levels;
  std::vector<std::pair<std::string, std::string>> edges;
};

// What a reply must satisfy beyond its form.
struct ReplyRules {
  std::string language = "English";  // any name; known_languages() can be checked
  int max_summary_words = 150;
  int max_tags_per_level = 12;
  int max_tag_words = 6;
};

// The outcome of reading one reply. `problems` empty means valid. `mended` lists what we put right without
// asking again, none of which changes what the model said: fences, duplicate tags, edges turned round, ...
template <typename T>
struct Parsed {
  T value;
  std::vector<std::string> problems;  // one sentence each, fit for the model and for the report
  std::vector<std::string> mended;
  bool valid() const { return problems.empty(); }
};

Parsed<ItemReply> parse_item_reply(std::string_view completion, const ReplyRules& rules);

// A user's summary: {"summary": ...}, or the bare text.
Parsed<std::string> parse_user_reply(std::string_view completion, const ReplyRules& rules);

// The JSON schemas that go with the prompts. With `bounds`, lists and texts have maximal sizes, which keeps
// small models out of endless lists; some servers reject these keywords. Members stand in the order in which
// they are to be written: tags before the edges that join them.
nlohmann::ordered_json item_schema(bool bounds);
nlohmann::ordered_json user_schema(bool bounds);

}  // namespace hyperllm::llm
