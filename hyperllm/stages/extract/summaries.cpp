#include "hyperllm/stages/extract/summaries.h"

#include "hyperllm/base/error.h"

namespace hyperllm::stages::extract {

std::vector<std::string> summarise_items(const std::vector<data::ItemText>& items,
                                         const data::TagGraph& tags) {
  std::vector<std::string> lists(items.size());
  for (const auto& [tag, item] : tags.tag_items) {
    std::string& list = lists[item];
    if (!list.empty()) list += ", ";
    list += tags.tags[tag].text;
  }
  std::vector<std::string> summaries;
  summaries.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::string text = items[i].title;
    if (!items[i].brand.empty()) text += (text.empty() ? "By " : " by ") + items[i].brand;
    if (!text.empty()) text += ".";
    if (!text.empty() && !lists[i].empty()) text += " ";
    text += lists[i];
    if (!lists[i].empty()) text += ".";
    summaries.push_back(std::move(text));
  }
  return summaries;
}

std::vector<std::string> summarise_users(const data::Csr& train,
                                         const std::vector<std::string>& item_summaries) {
  HYPERLLM_DCHECK(train.cols == static_cast<std::int64_t>(item_summaries.size()));
  std::vector<std::string> summaries;
  summaries.reserve(static_cast<std::size_t>(train.rows));
  for (std::int64_t user = 0; user < train.rows; ++user) {
    std::string text;
    for (const std::int32_t item : train.row(user)) {
      if (item_summaries[item].empty()) continue;
      if (!text.empty()) text += "\n";
      text += item_summaries[item];
    }
    summaries.push_back(std::move(text));
  }
  return summaries;
}

}  // namespace hyperllm::stages::extract
