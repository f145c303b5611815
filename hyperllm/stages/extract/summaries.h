// Plain summaries of items and users, for extractors that ask no language model.
#pragma once

#include <string>
#include <vector>

#include "hyperllm/data/csr.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/data/texts.h"

namespace hyperllm::stages::extract {

// "TITLE by BRAND. TAG, TAG, TAG." of each item, parts that are missing left out; tags in the order of their
// numbers (broad to narrow in graphs of our own). "" for an item of which nothing is known.
std::vector<std::string> summarise_items(const std::vector<data::ItemText>& items,
                                         const data::TagGraph& tags);

// The summaries of each user's training items, one a line: what a user met twice counts twice. Rows of
// `train` are users. "" for a user without training items.
std::vector<std::string> summarise_users(const data::Csr& train,
                                         const std::vector<std::string>& item_summaries);

}  // namespace hyperllm::stages::extract
