// Item texts (items.jsonl) and summaries (item_summaries.jsonl, user_summaries.jsonl).
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/file_set.h"

namespace hyperllm::data {

struct ItemText {
  std::string id;  // external id
  std::string title;
  std::string brand;
  std::vector<std::vector<std::string>> categories;  // paths, broad to narrow
  std::string description;
  // Any other field, as text (for example "year", "genres").
  std::vector<std::pair<std::string, std::string>> other;
};

// One entry per item of `items`, in that order; an item without a line gets only its id. Throws kIo,
// kInvalidData.
std::vector<ItemText> load_item_texts(const std::filesystem::path& folder,
                                      const std::vector<std::string>& items);
void add_item_texts(const std::vector<ItemText>& texts, FileSet& files);
void save_item_texts(const std::vector<ItemText>& texts, const std::filesystem::path& folder);

// One summary per id, in that order; "" where the file has none. Lines are {"id": ..., "summary": ...}.
std::vector<std::string> load_summaries(const std::filesystem::path& file,
                                        const std::vector<std::string>& ids);
void add_summaries(const std::string& name, const std::vector<std::string>& ids,
                   const std::vector<std::string>& summaries, FileSet& files);
void save_summaries(const std::filesystem::path& file, const std::vector<std::string>& ids,
                    const std::vector<std::string>& summaries);

}  // namespace hyperllm::data
