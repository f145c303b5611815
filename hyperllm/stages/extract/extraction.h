// The seam between `extract` and its extractors. An extractor sees no validation or test interaction: the
// stage hands it training rows only.
#pragma once

#include <string>
#include <vector>

#include "hyperllm/data/csr.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/data/texts.h"

namespace hyperllm::stages::extract {

struct Catalogue {
  std::vector<data::ItemText> items;  // one per item row
  data::Csr train;                    // users x items
};

// What every extractor returns and the stage writes.
struct Extraction {
  data::TagGraph tags;
  std::vector<std::string> item_summaries;  // one per item row, "" if nothing is known
  std::vector<std::string> user_summaries;  // one per user row
};

}  // namespace hyperllm::stages::extract
