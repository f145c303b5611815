// The numbers of the paper's Tables 1 and 2 for any dataset folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/data/dataset.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/data/texts.h"

namespace hyperllm::stages::prepare {

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
Statistics measure(const data::Dataset& dataset, const std::vector<data::ItemText>& texts,
                   const data::TagGraph* tags);

// The same of a dataset folder, with tags and summaries as far as they are there.
Statistics measure_folder(const std::filesystem::path& folder);

// Tables for people, "-" for what is not there: Table 1, and Table 2 where there are tags; Table 2 alone.
std::string format_statistics(const Statistics& statistics);
std::string format_tag_statistics(const Statistics& statistics);

}  // namespace hyperllm::stages::prepare
