#include "hyperllm/llm/tag_cleaning.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_map>

#include "hyperllm/llm/unicode.h"

namespace hyperllm::llm {
namespace {

using Edge = std::pair<std::int32_t, std::int32_t>;
using Pairs = std::vector<Edge>;

template <typename T>
void sort_unique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

std::vector<std::int64_t> items_per_tag(const data::TagGraph& graph) {
  std::vector<std::int64_t> counts(graph.tags.size());
  for (const auto& [tag, item] : graph.tag_items) ++counts[static_cast<std::size_t>(tag)];
  return counts;
}

// Maps every tag through `to` (-1 drops it), closing the gaps; edges that become loops vanish.
data::TagGraph mapped(const data::TagGraph& graph, const std::vector<std::int32_t>& to) {
  data::TagGraph out;
  std::vector<std::int32_t> number(graph.tags.size(), -1);
  for (std::size_t t = 0; t < graph.tags.size(); ++t) {
    if (to[t] != static_cast<std::int32_t>(t)) continue;
    number[t] = static_cast<std::int32_t>(out.tags.size());
    out.tags.push_back(graph.tags[t]);
  }
  const auto final_of = [&](std::int32_t tag) {
    const std::int32_t target = to[static_cast<std::size_t>(tag)];
    return target < 0 ? -1 : number[static_cast<std::size_t>(target)];
  };
  for (const auto& [parent, child] : graph.edges) {
    const std::int32_t a = final_of(parent), b = final_of(child);
    if (a >= 0 && b >= 0 && a != b) out.edges.emplace_back(a, b);
  }
  for (const auto& [tag, item] : graph.tag_items)
    if (const std::int32_t a = final_of(tag); a >= 0) out.tag_items.emplace_back(a, item);
  sort_unique(out.edges);
  sort_unique(out.tag_items);
  return out;
}

// Where each tag goes by form and rules: the tag with most items of its class (ties: first), or -1.
std::vector<std::int32_t> merge_targets(const data::TagGraph& graph, const std::vector<TagRule>& rules,
                                        CleaningReport& report) {
  std::unordered_map<std::string, std::string> rule_of;
  for (const TagRule& rule : rules) rule_of[tag_form(rule.from)] = tag_form(rule.to);
  const std::vector<std::int64_t> items = items_per_tag(graph);
  std::unordered_map<std::string, std::int32_t> best;
  std::vector<std::string> forms(graph.tags.size());
  std::vector<bool> own(graph.tags.size());  // reached its form without a rule
  for (std::size_t t = 0; t < graph.tags.size(); ++t) {
    forms[t] = tag_form(graph.tags[t].text);
    own[t] = true;
    // Rules may form chains; a chain longer than the rules is a circle and stops.
    for (std::size_t step = 0; step < rules.size(); ++step) {
      const auto rule = rule_of.find(forms[t]);
      if (rule == rule_of.end() || forms[t].empty()) break;
      forms[t] = rule->second;
      own[t] = false;
    }
    if (forms[t].empty()) continue;
    const auto [found, is_new] = best.try_emplace(forms[t], static_cast<std::int32_t>(t));
    if (is_new) continue;
    const auto b = static_cast<std::size_t>(found->second);
    // A tag that has the wanted form itself comes before those that a rule sends there.
    if (std::pair(bool(own[t]), items[t]) > std::pair(bool(own[b]), items[b]))
      found->second = static_cast<std::int32_t>(t);
  }
  std::vector<std::int32_t> to(graph.tags.size(), -1);
  for (std::size_t t = 0; t < graph.tags.size(); ++t) {
    if (!forms[t].empty()) to[t] = best[forms[t]];
    report.removed += to[t] < 0;
    report.merged += to[t] >= 0 && to[t] != static_cast<std::int32_t>(t);
  }
  return to;
}

// A rule may send a tag to a text that no tag has yet: then the first of the class takes that text.
void rename_by_rules(data::TagGraph& graph, const std::vector<TagRule>& rules) {
  std::unordered_map<std::string, const TagRule*> by_from;
  for (const TagRule& rule : rules)
    if (!tag_form(rule.to).empty()) by_from[tag_form(rule.from)] = &rule;
  for (data::Tag& tag : graph.tags)
    for (std::size_t step = 0; step < rules.size(); ++step) {
      const auto rule = by_from.find(tag_form(tag.text));
      if (rule == by_from.end()) break;
      tag.text = rule->second->to;
    }
}

std::vector<std::int64_t> edge_weights(const data::TagGraph& graph) {
  std::vector<std::vector<std::int32_t>> items(graph.tags.size());
  for (const auto& [tag, item] : graph.tag_items) items[static_cast<std::size_t>(tag)].push_back(item);
  for (auto& list : items) std::sort(list.begin(), list.end());
  std::vector<std::int64_t> weights;
  std::vector<std::int32_t> both;
  for (const auto& [parent, child] : graph.edges) {
    const auto &a = items[static_cast<std::size_t>(parent)], &b = items[static_cast<std::size_t>(child)];
    both.clear();
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
    weights.push_back(static_cast<std::int64_t>(both.size()));
  }
  return weights;
}

// The path from `from` to `to` along `children`, or empty.
std::vector<std::int32_t> path_between(const std::vector<std::vector<std::int32_t>>& children,
                                       std::int32_t from, std::int32_t to) {
  std::unordered_map<std::int32_t, std::int32_t> came_from = {{from, from}};
  std::vector<std::int32_t> open = {from};
  for (std::size_t i = 0; i < open.size() && !came_from.count(to); ++i)
    for (const std::int32_t next : children[static_cast<std::size_t>(open[i])])
      if (came_from.try_emplace(next, open[i]).second) open.push_back(next);
  if (!came_from.count(to)) return {};
  std::vector<std::int32_t> path = {to};
  while (path.back() != from) path.push_back(came_from[path.back()]);
  std::reverse(path.begin(), path.end());
  return path;
}

// Drops edges against the levels, then takes the rest from the heaviest to the lightest, leaving out each
// that would close a circle: of every circle, the lightest edge goes.
void break_cycles(data::TagGraph& graph, CleaningReport& report) {
  const auto level = [&](std::int32_t tag) { return graph.tags[static_cast<std::size_t>(tag)].level; };
  const std::size_t before = graph.edges.size();
  std::erase_if(graph.edges, [&](const Edge& e) {
    return level(e.first) > 0 && level(e.second) > 0 && level(e.first) > level(e.second);
  });
  report.against_level += static_cast<std::int64_t>(before - graph.edges.size());
  const std::vector<std::int64_t> weights = edge_weights(graph);
  std::vector<std::size_t> order(graph.edges.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
  std::vector<std::vector<std::int32_t>> children(graph.tags.size());
  Pairs kept;
  for (const std::size_t e : order) {
    const auto [parent, child] = graph.edges[e];
    // Strictly downward edges cannot lie on a circle, since no edge leads up; unknown levels may.
    const bool down = level(parent) > 0 && level(child) > level(parent);
    const auto back = down ? std::vector<std::int32_t>{} : path_between(children, child, parent);
    if (!back.empty()) {
      std::string circle;
      for (const std::int32_t tag : back) circle += graph.tags[static_cast<std::size_t>(tag)].text + " -> ";
      report.cycles.push_back(graph.tags[static_cast<std::size_t>(parent)].text + " -> " +
                              graph.tags[static_cast<std::size_t>(child)].text + " (closed " + circle +
                              graph.tags[static_cast<std::size_t>(child)].text + ")");
      continue;
    }
    if (!down) children[static_cast<std::size_t>(parent)].push_back(child);
    kept.push_back(graph.edges[e]);
  }
  std::sort(kept.begin(), kept.end());
  graph.edges = std::move(kept);
}

std::string digits_of(const std::string& text) {
  std::string digits;
  for (const char c : text)
    if (c >= '0' && c <= '9') digits += c;
  return digits;
}

std::string beginning_of(const std::string& text) {
  return to_utf8(to_code_points(tag_form(text)).substr(0, 3));
}

}  // namespace

void TagCollector::add(std::int32_t item, const ItemReply& reply) {
  std::map<std::string, std::int32_t> local;
  std::set<std::int32_t> touched;
  for (std::size_t level = 0; level < kLevels; ++level)
    for (const std::string& text : reply.levels[level]) {
      const std::string form = tag_form(text);
      if (form.empty()) continue;
      const auto [known, is_new] = ids_.try_emplace(form, static_cast<std::int32_t>(entries_.size()));
      if (is_new) entries_.emplace_back();
      Entry& entry = entries_[static_cast<std::size_t>(known->second)];
      ++entry.spellings[text];
      ++entry.levels[level];
      local[text] = known->second;
      if (!touched.insert(known->second).second) continue;
      ++entry.items;
      tag_items_.emplace_back(known->second, item);
    }
  for (const auto& [parent, child] : reply.edges) {
    const auto a = local.find(parent), b = local.find(child);
    if (a != local.end() && b != local.end() && a->second != b->second) ++edges_[{a->second, b->second}];
  }
}

data::TagGraph TagCollector::graph() const {
  std::vector<data::Tag> tags;
  for (const Entry& entry : entries_) {
    const auto text = std::max_element(entry.spellings.begin(), entry.spellings.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    const auto level = std::max_element(entry.levels.begin(), entry.levels.end()) - entry.levels.begin();
    tags.push_back({text->first, static_cast<int>(level) + 1});
  }
  std::vector<std::int32_t> order(tags.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    const auto i = static_cast<std::size_t>(a), j = static_cast<std::size_t>(b);
    return std::tuple(tags[i].level, -entries_[i].items, tags[i].text) <
           std::tuple(tags[j].level, -entries_[j].items, tags[j].text);
  });
  std::vector<std::int32_t> number(tags.size());
  data::TagGraph out;
  for (const std::int32_t old : order) {
    number[static_cast<std::size_t>(old)] = static_cast<std::int32_t>(out.tags.size());
    out.tags.push_back(tags[static_cast<std::size_t>(old)]);
  }
  for (const auto& [edge, count] : edges_) {
    const auto reverse = edges_.find({edge.second, edge.first});
    const std::int64_t against = reverse == edges_.end() ? 0 : reverse->second;
    if (count < against || (count == against && edge.second < edge.first)) continue;
    out.edges.emplace_back(number[static_cast<std::size_t>(edge.first)],
                           number[static_cast<std::size_t>(edge.second)]);
  }
  for (const auto& [tag, item] : tag_items_)
    out.tag_items.emplace_back(number[static_cast<std::size_t>(tag)], item);
  sort_unique(out.edges);
  sort_unique(out.tag_items);
  return out;
}

std::pair<data::TagGraph, CleaningReport> clean_tags(const data::TagGraph& graph, std::int64_t items,
                                                     const CleaningOptions& options) {
  CleaningReport report;
  const std::vector<std::int32_t> targets = merge_targets(graph, options.rules, report);
  data::TagGraph out = mapped(graph, targets);
  rename_by_rules(out, options.rules);
  // Merging may have joined a pair of edges into both directions of one.
  break_cycles(out, report);
  const std::vector<std::int64_t> counts = items_per_tag(out);
  std::vector<std::int32_t> keep(out.tags.size());
  std::iota(keep.begin(), keep.end(), 0);
  for (std::size_t t = 0; t < out.tags.size(); ++t) {
    const bool hub = static_cast<double>(counts[t]) > options.hub_share * static_cast<double>(items);
    const bool rare = counts[t] < options.min_items;
    if (hub) report.hubs.emplace_back(out.tags[t].text, counts[t]);
    report.single_use += counts[t] == 1;
    if (rare || (hub && options.drop_hubs)) keep[t] = -1;
    report.dropped_rare += rare;
    report.dropped_hubs += !rare && hub && options.drop_hubs;
  }
  std::stable_sort(report.hubs.begin(), report.hubs.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return {mapped(out, keep), report};
}

std::string CleaningReport::text() const {
  std::string out = "merged " + std::to_string(merged) + " tags into others, removed " +
                    std::to_string(removed) + " by rule\ndropped " + std::to_string(against_level) +
                    " edges against the levels and " + std::to_string(cycles.size()) +
                    " that closed circles\n";
  for (const std::string& cycle : cycles) out += "  " + cycle + "\n";
  out += "hubs: " + std::to_string(hubs.size()) + ", used by one item only: " + std::to_string(single_use) +
         "\n";
  for (const auto& [tag, count] : hubs) out += "  " + tag + ": " + std::to_string(count) + " items\n";
  if (dropped_hubs + dropped_rare > 0)
    out += "dropped " + std::to_string(dropped_hubs) + " hubs and " + std::to_string(dropped_rare) +
           " rare tags\n";
  return out;
}

std::vector<TagRule> propose_merges(const data::TagGraph& graph, double spelling,
                                    std::span<const float> vectors, std::int64_t dims, double cosine) {
  const std::vector<std::int64_t> items = items_per_tag(graph);
  struct Proposal {
    double score;
    std::size_t from, to;
    bool by_meaning;
  };
  std::vector<Proposal> found;
  const auto consider = [&](std::size_t a, std::size_t b, double score, bool by_meaning) {
    if (digits_of(graph.tags[a].text) != digits_of(graph.tags[b].text)) return;
    if (tag_form(graph.tags[a].text) == tag_form(graph.tags[b].text)) return;
    if (items[a] > items[b] || (items[a] == items[b] && a < b)) std::swap(a, b);
    found.push_back({score, a, b, by_meaning});
  };
  // Only tags that begin alike are compared by spelling: all pairs of 20,000 tags would take minutes.
  std::unordered_map<std::string, std::vector<std::size_t>> blocks;
  for (std::size_t t = 0; t < graph.tags.size(); ++t) blocks[beginning_of(graph.tags[t].text)].push_back(t);
  for (const auto& [prefix, block] : blocks)
    for (std::size_t i = 0; i < block.size(); ++i)
      for (std::size_t j = i + 1; j < block.size(); ++j) {
        const double score = spelling_similarity(graph.tags[block[i]].text, graph.tags[block[j]].text);
        if (score >= spelling) consider(block[i], block[j], score, false);
      }
  const auto width = static_cast<std::size_t>(dims);
  std::vector<double> norms;
  for (std::size_t t = 0; width > 0 && t < graph.tags.size(); ++t) {
    const auto row = vectors.subspan(t * width, width);
    norms.push_back(std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0)));
  }
  for (std::size_t i = 0; i < norms.size(); ++i)
    for (std::size_t j = i + 1; j < norms.size(); ++j) {
      const float *a = vectors.data() + i * width, *b = vectors.data() + j * width;
      const double dot = std::inner_product(a, a + width, b, 0.0);
      const double score = norms[i] > 0 && norms[j] > 0 ? dot / (norms[i] * norms[j]) : 0;
      if (score >= cosine) consider(i, j, score, true);
    }
  std::sort(found.begin(), found.end(), [](const Proposal& a, const Proposal& b) {
    return std::tuple(-a.score, a.from, a.to) < std::tuple(-b.score, b.from, b.to);
  });
  std::vector<TagRule> rules;
  std::set<std::size_t> used;
  for (const Proposal& p : found) {
    if (!used.insert(p.from).second) continue;
    char score[64];
    std::snprintf(score, sizeof score, "%s %.2f; items %lld and %lld", p.by_meaning ? "meaning" : "spelling",
                  p.score, static_cast<long long>(items[p.from]), static_cast<long long>(items[p.to]));
    rules.push_back({graph.tags[p.from].text, graph.tags[p.to].text, score});
  }
  return rules;
}

std::string tag_tree(const data::TagGraph& graph, std::int64_t most_children, std::int64_t depth) {
  const std::vector<std::int64_t> items = items_per_tag(graph);
  std::vector<std::vector<std::int32_t>> children(graph.tags.size());
  std::vector<bool> has_parent(graph.tags.size());
  for (const auto& [parent, child] : graph.edges) {
    children[static_cast<std::size_t>(parent)].push_back(child);
    has_parent[static_cast<std::size_t>(child)] = true;
  }
  const auto more_items = [&](std::int32_t a, std::int32_t b) {
    const auto i = static_cast<std::size_t>(a), j = static_cast<std::size_t>(b);
    return std::tuple(-items[i], graph.tags[i].text) < std::tuple(-items[j], graph.tags[j].text);
  };
  std::vector<std::int32_t> roots;
  for (std::size_t t = 0; t < graph.tags.size(); ++t) {
    std::sort(children[t].begin(), children[t].end(), more_items);
    if (!has_parent[t]) roots.push_back(static_cast<std::int32_t>(t));
  }
  std::sort(roots.begin(), roots.end(), more_items);
  std::string text;
  std::vector<bool> shown(graph.tags.size());
  const auto print = [&](const auto& self, const std::vector<std::int32_t>& list,
                         std::int64_t level) -> void {
    std::int64_t count = 0;
    for (const std::int32_t tag : list) {
      const auto t = static_cast<std::size_t>(tag);
      text += std::string(static_cast<std::size_t>(level) * 2, ' ');
      if (most_children > 0 && count++ == most_children) {
        text += "... " + std::to_string(static_cast<std::int64_t>(list.size()) - most_children) + " more\n";
        return;
      }
      text += graph.tags[t].text + " (" + std::to_string(items[t]) + ")";
      const bool again = shown[t] && !children[t].empty();
      text += again ? " ^\n" : "\n";
      shown[t] = true;
      if (!again && level + 1 < depth) self(self, children[t], level + 1);
    }
  };
  print(print, roots, 0);
  return text;
}

}  // namespace hyperllm::llm
