// The numbers of the paper's Tables 1 and 2 for any dataset folder. The paper's Table 2 has the heads
// Tag-Item and Tag-Tag swapped: the released Beauty folder has 51,396 links of tags to items.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/base/text_table.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/data/texts.h"

namespace hyperllm::data {

struct Statistics {
  std::string name;
  // Table 1.
  std::int64_t users = 0;
  std::int64_t items = 0;
  std::int64_t train = 0, valid = 0, test = 0;
  std::int64_t features = 0;  // distinct values of the items' text fields (title, brand, each category, ...)
  double average_tokens = 0;  // of an item's text, over the items that have one
  std::int64_t items_without_text = 0;
  // Table 2; only when `extract` has run or the source had tags.
  std::optional<std::int64_t> tags, tag_item, tag_tag;
  std::optional<double> average_summary;  // tokens of a summary, over items and users that have one

  std::int64_t interactions() const { return train + valid + test; }
  double density() const;  // interactions / (users * items), 0 if there are none
};

// Words (letters, digits and all that is not ASCII) and single punctuation marks; a language model's own
// tokens are about a third more.
std::int64_t count_tokens(std::string_view text);

// `texts` may be empty: no item has one.
Statistics measure(const Dataset& dataset, const std::vector<ItemText>& texts, const TagGraph* tags);

// The same of a dataset folder, with tags and summaries as far as they are there.
Statistics measure_folder(const std::filesystem::path& folder);

// Table 1 and Table 2, a row a dataset; "-" for what is not there, in CSV and TSV nothing.
TextTable statistics_table(std::span<const Statistics> datasets, TableStyle style);
TextTable tag_statistics_table(std::span<const Statistics> datasets, TableStyle style);

// As text, without a rule: Table 1, and Table 2 where there are tags; Table 2 alone.
std::string format_statistics(const Statistics& statistics);
std::string format_tag_statistics(const Statistics& statistics);

}  // namespace hyperllm::data
