#include "hyperllm/llm/replies.h"

#include <algorithm>
#include <map>
#include <set>

#include "hyperllm/llm/find_json.h"
#include "hyperllm/llm/text_checks.h"
#include "hyperllm/llm/unicode.h"

namespace hyperllm::llm {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::array<std::array<std::string_view, 5>, kLevels> kLevelNames = {{
    {"broad", "level1", "1", "level 1", "general"},
    {"middle", "level2", "2", "level 2", "intermediate"},
    {"specific", "level3", "3", "level 3", "detailed"},
}};

// One to three words without punctuation but & ' + and hyphens: small models put sentences, and what is left
// of templates, where tags belong.
constexpr std::string_view kTagPattern =
    R"re(^[^ !"#$%()*,./:;<=>?@\[\\\]^_{|}~\n]{1,20}( [^ !"#$%()*,./:;<=>?@\[\\\]^_{|}~\n]{1,20}){0,2}$)re";

constexpr std::size_t kShortestSummary = 15;

// What no tag is made of: remains of templates and of the JSON itself.
constexpr std::string_view kNoTag = "{}[]<>|\\\"";

const json* member(const json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  for (const auto& [key, value] : object.items())
    if (folded(key) == name) return &value;
  return nullptr;
}

// Text of a scalar, without line breaks and outer blanks.
std::string text_of(const json& value) {
  std::string raw;
  if (value.is_string()) raw = value.get<std::string>();
  if (value.is_number()) raw = value.dump();
  std::string out;
  for (const char32_t c : composed(to_code_points(raw))) {
    const bool blank = c <= ' ';
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? std::string(" ") : to_utf8(std::u32string(1, c));
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::size_t word_count(std::string_view text) {
  std::size_t words = 0;
  bool inside = false;
  for (const char c : text) {
    words += !inside && c != ' ';
    inside = c != ' ';
  }
  return words;
}

// In characters, since not every language puts blanks between words.
bool too_short(std::string_view summary) { return to_code_points(summary).size() < kShortestSummary; }

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

// Reads one item reply in whatever shape it comes and collects what is wrong with it.
class ItemReader {
 public:
  explicit ItemReader(const ReplyRules& rules) : rules_(rules) {}

  Parsed<ItemReply> read(std::string_view completion) {
    static constexpr std::string_view kKeys[] = {"summary", "tags", "edges"};
    FoundJson found = find_json(completion, kKeys);
    if (!found.found()) {
      problem("The reply contains no JSON object.");
      return std::move(out_);
    }
    out_.mended = std::move(found.repairs);
    const json* body = &found.value;
    read_summary(member(*body, "summary"));
    read_tags(*body);
    if (const json* edges = member(*body, "edges")) read_edges(*edges);
    check_levels();
    adopt_orphans();
    return std::move(out_);
  }

 private:
  void problem(std::string text) { out_.problems.push_back(std::move(text)); }
  void mended(const std::string& what) {
    if (std::find(out_.mended.begin(), out_.mended.end(), what) == out_.mended.end())
      out_.mended.push_back(what);
  }

  void read_summary(const json* value) {
    std::string summary;
    if (value && value->is_array()) {
      for (const json& part : *value) summary += (summary.empty() ? "" : " ") + text_of(part);
      mended("summary was a list");
    } else if (value) {
      summary = text_of(*value);
    }
    const std::size_t words = word_count(summary);
    if (words == 0)
      problem("\"summary\" is missing.");
    else if (too_short(summary))
      problem("\"summary\" is too short.");
    else if (words > static_cast<std::size_t>(rules_.max_summary_words))
      problem("\"summary\" has " + std::to_string(words) + " words; at most " +
              std::to_string(rules_.max_summary_words) + " are allowed.");
    if (wrong_language(summary, rules_.language))
      problem("\"summary\" is not written in " + rules_.language + ".");
    if (repetition_loop(summary)) problem("\"summary\" repeats itself.");
    out_.value.summary = std::move(summary);
  }

  void read_tags(const json& body) {
    const json* tags = member(body, "tags");
    const json& holder = tags ? *tags : body;
    if (holder.is_object()) {
      for (int level = 0; level < kLevels; ++level)
        for (const std::string_view name : kLevelNames[static_cast<std::size_t>(level)])
          if (const json* list = member(holder, name)) add_tags(*list, level);
    } else if (holder.is_array()) {
      read_tag_list(holder);
    }
  }

  // [{"tag": ..., "level": n}] or [[...], [...], [...]].
  void read_tag_list(const json& list) {
    int position = 0;
    for (const json& entry : list) {
      if (entry.is_array()) {
        if (position < kLevels) add_tags(entry, position++);
        continue;
      }
      const json* level = member(entry, "level");
      const std::string digits = level ? text_of(*level) : "";
      const std::size_t at = digits.find_first_of("123");
      if (at == std::string::npos) continue;
      for (const std::string_view name : {"tag", "name", "text", "label"})
        if (const json* text = member(entry, name)) add_tags(*text, digits[at] - '1');
    }
  }

  void add_tags(const json& value, int level) {
    if (value.is_array()) {
      for (const json& entry : value) add_tags(entry, level);
      return;
    }
    if (value.is_object()) {
      for (const std::string_view name : {"tag", "name", "text", "label"})
        if (const json* text = member(value, name)) add_tags(*text, level);
      return;
    }
    const std::string text = text_of(value);
    const std::string key = folded(text);
    if (key.empty()) return;
    const auto [known, is_new] = level_of_.try_emplace(key, level, text);
    if (is_new)
      out_.value.levels[static_cast<std::size_t>(level)].push_back(text);
    else
      mended(known->second.first == level ? "duplicate tag" : "tag on two levels");
  }

  void read_edges(const json& value) {
    if (!value.is_array()) return;
    std::set<std::pair<std::string, std::string>> seen;
    for (const json& entry : value) {
      auto [parent, child] = edge_ends(entry);
      const auto upper = level_of_.find(folded(parent)), lower = level_of_.find(folded(child));
      if (upper == level_of_.end() || lower == level_of_.end()) {
        if (!parent.empty() || !child.empty()) mended("edge to an unknown tag dropped");
        continue;
      }
      auto top = upper->second, bottom = lower->second;
      if (top.first == bottom.first) {
        mended("edge within a level dropped");
        continue;
      }
      if (top.first > bottom.first) {
        std::swap(top, bottom);
        mended("edge turned round");
      }
      if (seen.insert({top.second, bottom.second}).second)
        out_.value.edges.emplace_back(top.second, bottom.second);
    }
  }

  // {"parent", "child"}, {"from", "to"}, {"source", "target"}, ["a", "b"] or "a -> b".
  static std::pair<std::string, std::string> edge_ends(const json& entry) {
    static constexpr std::string_view kNames[][2] = {
        {"parent", "child"}, {"from", "to"}, {"source", "target"}, {"broader", "narrower"}};
    if (entry.is_array() && entry.size() == 2) return {text_of(entry[0]), text_of(entry[1])};
    if (entry.is_string()) {
      const std::string text = text_of(entry);
      for (const std::string_view arrow : {"->", "\u2192", "=>", ">"})
        if (const std::size_t at = text.find(arrow); at != std::string::npos)
          return {text_of(text.substr(0, at)), text_of(text.substr(at + arrow.size()))};
    }
    for (const auto& names : kNames) {
      const json *parent = member(entry, names[0]), *child = member(entry, names[1]);
      if (parent && child) return {text_of(*parent), text_of(*child)};
    }
    return {};
  }

  void check_levels() {
    std::string all;
    for (int level = 0; level < kLevels; ++level) {
      const auto& tags = out_.value.levels[static_cast<std::size_t>(level)];
      const std::string name = quoted(std::string(kLevelNames[static_cast<std::size_t>(level)][0]));
      if (tags.empty()) problem("\"tags\" has no tag in " + name + " that is not also on a broader level.");
      if (tags.size() > static_cast<std::size_t>(rules_.max_tags_per_level))
        problem("\"tags\" has " + std::to_string(tags.size()) + " tags in " + name + "; at most " +
                std::to_string(rules_.max_tags_per_level) + " are allowed.");
      for (const std::string& tag : tags) {
        if (word_count(tag) > static_cast<std::size_t>(rules_.max_tag_words) || tag.size() > 120)
          problem("The tag " + quoted(tag.substr(0, 120)) + " is too long; at most " +
                  std::to_string(rules_.max_tag_words) + " words are allowed.");
        if (tag.find_first_of(kNoTag) != std::string::npos) problem(quoted(tag) + " is not a tag.");
        all += tag + ' ';
      }
    }
    if (wrong_language(all, rules_.language)) problem("The tags are not written in " + rules_.language + ".");
  }

  // A tag below the first level without a parent gets the one tag of the level above, if there is just one:
  // any other choice would be ours, not the model's.
  void adopt_orphans() {
    std::set<std::string> has_parent;
    for (const auto& [parent, child] : out_.value.edges) has_parent.insert(child);
    for (std::size_t level = 1; level < kLevels; ++level) {
      const auto& above = out_.value.levels[level - 1];
      for (const std::string& tag : out_.value.levels[level]) {
        if (has_parent.count(tag)) continue;
        if (above.size() == 1) {
          out_.value.edges.emplace_back(above[0], tag);
          mended("edge from the only possible parent added");
        } else if (!above.empty()) {
          problem("\"edges\" gives no parent for the tag " + quoted(tag) + ".");
        }
      }
    }
  }

  const ReplyRules& rules_;
  Parsed<ItemReply> out_;
  std::map<std::string, std::pair<int, std::string>> level_of_;  // folded tag -> level, text as first given
};

// The completion itself as a summary: without fences, a "Summary:" in front, or quotes around it.
std::string bare_summary(std::string_view completion) {
  std::string text = text_of(json(valid_utf8(without_thinking(completion))));
  std::erase(text, '`');
  static constexpr std::string_view kHead = "summary:";
  std::string head = text.substr(0, kHead.size());
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
  if (head == kHead) text.erase(0, kHead.size());
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return text_of(json(text));
}

ordered_json text_schema(bool bounds, int longest) {
  ordered_json schema = {{"type", "string"}};
  if (bounds) schema["maxLength"] = longest;
  return schema;
}

ordered_json list_schema(ordered_json entry, bool bounds, int most) {
  ordered_json schema = {{"type", "array"}, {"items", std::move(entry)}};
  if (bounds) schema.update({{"minItems", 1}, {"maxItems", most}});
  return schema;
}

ordered_json object_schema(const std::vector<std::pair<std::string, ordered_json>>& members) {
  ordered_json schema = {
      {"type", "object"}, {"properties", ordered_json::object()}, {"required", ordered_json::array()}};
  for (const auto& [name, value] : members) {
    schema["properties"][name] = value;
    schema["required"].push_back(name);
  }
  schema["additionalProperties"] = false;
  return schema;
}

}  // namespace

Parsed<ItemReply> parse_item_reply(std::string_view completion, const ReplyRules& rules) {
  return ItemReader(rules).read(valid_utf8(completion));
}

Parsed<std::string> parse_user_reply(std::string_view completion, const ReplyRules& rules) {
  static constexpr std::string_view kKeys[] = {"summary"};
  Parsed<std::string> out;
  FoundJson found = find_json(valid_utf8(completion), kKeys);
  const json* summary = found.found() ? member(found.value, "summary") : nullptr;
  if (summary) {
    out.value = text_of(*summary);
    out.mended = std::move(found.repairs);
  } else if (!found.found() && completion.find('{') == std::string_view::npos) {
    out.value = bare_summary(completion);
    out.mended.push_back("bare text");
  }
  const std::size_t words = word_count(out.value);
  if (too_short(out.value)) out.problems.push_back("\"summary\" is missing or too short.");
  if (words > static_cast<std::size_t>(rules.max_summary_words))
    out.problems.push_back("\"summary\" has " + std::to_string(words) + " words; at most " +
                           std::to_string(rules.max_summary_words) + " are allowed.");
  if (wrong_language(out.value, rules.language))
    out.problems.push_back("\"summary\" is not written in " + rules.language + ".");
  if (repetition_loop(out.value)) out.problems.push_back("\"summary\" repeats itself.");
  return out;
}

ordered_json item_schema(bool bounds) {
  ordered_json tag = {{"type", "string"}};
  if (bounds) tag["pattern"] = kTagPattern;
  std::vector<std::pair<std::string, ordered_json>> levels;
  for (const auto& names : kLevelNames)
    levels.emplace_back(std::string(names[0]), list_schema(tag, bounds, 4));
  const ordered_json edge = object_schema({{"parent", tag}, {"child", tag}});
  return object_schema({{"summary", text_schema(bounds, 400)},
                        {"tags", object_schema(levels)},
                        {"edges", list_schema(edge, bounds, 12)}});
}

ordered_json user_schema(bool bounds) { return object_schema({{"summary", text_schema(bounds, 800)}}); }

}  // namespace hyperllm::llm
