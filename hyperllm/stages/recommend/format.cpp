#include "hyperllm/stages/recommend/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace hyperllm::stages::recommend {
namespace {

using Json = nlohmann::ordered_json;

// The double whose shortest text is the float's own: 0.1F prints as 0.1.
double shortest(float value) {
  char buffer[32] = {};
  std::to_chars(buffer, buffer + sizeof buffer - 1, value);
  return std::strtod(buffer, nullptr);
}

std::string heading(const UserRecommendations& user) {
  if (user.history == 0)
    return "user " + user.user + " (cold: no training items, the model can only guess)\n";
  return "user " + user.user + " (" + std::to_string(user.history) + " training item" +
         (user.history == 1 ? "" : "s") + ")\n";
}

void append_items(const UserRecommendations& user, std::string& text) {
  if (user.items.empty()) text += "  nothing is left to recommend\n";
  std::size_t width = 0;
  for (const RecommendedItem& item : user.items) width = std::max(width, item.id.size());
  for (std::size_t rank = 0; rank < user.items.size(); ++rank) {
    const RecommendedItem& item = user.items[rank];
    char start[64];
    std::snprintf(start, sizeof start, "%4zu  %10.4g  ", rank + 1, static_cast<double>(item.score));
    text += start + item.id;
    if (!item.title.empty()) text += std::string(width - item.id.size() + 2, ' ') + item.title;
    text += "\n";
  }
}

}  // namespace

std::string format_text(std::span<const UserRecommendations> users) {
  std::string text;
  for (const UserRecommendations& user : users) {
    if (!text.empty()) text += "\n";
    text += heading(user);
    append_items(user, text);
  }
  return text;
}

std::string format_json(std::span<const UserRecommendations> users) {
  std::string text;
  for (const UserRecommendations& user : users) {
    Json items = Json::array();
    for (std::size_t rank = 0; rank < user.items.size(); ++rank) {
      const RecommendedItem& item = user.items[rank];
      Json entry = {{"rank", rank + 1}, {"id", item.id}};
      if (!item.title.empty()) entry["title"] = item.title;
      entry["score"] = shortest(item.score);
      items.push_back(std::move(entry));
    }
    const Json line = {{"user", user.user}, {"cold", user.history == 0}, {"items", std::move(items)}};
    text += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  return text;
}

}  // namespace hyperllm::stages::recommend
