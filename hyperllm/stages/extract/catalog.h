// The offline extractor: tags from what a catalogue already says, without a language model.
#pragma once

#include "hyperllm/base/progress.h"
#include "hyperllm/stages/extract/extraction.h"
#include "hyperllm/stages/extract/options.h"

namespace hyperllm::stages::extract {

// Tags, in this order of precedence where texts coincide:
//   1. nodes of category paths, level = depth (1 to 3; deeper ones folded into 3 or cut). First elements that
//      all items share are left out. A node met at several depths has the broadest. Each node lies below the
//      nearest broader node of its path.
//   2. genres (field "genres" or "genre", split at , | and ;): level 1.
//   3. decades (field "year", else a title that ends in "(1995)"): "1990s Drama", level 2, below the tag of
//      level 1 that it narrows; "1990s", level 1, for items without one.
//   4. brands: level 3. 5. key phrases: level 3. Both lie below tags that enough of their items carry.
// Brands, decades and key phrases of fewer than min_items items are dropped.
data::TagGraph catalog_tags(const std::vector<data::ItemText>& items, const ExtractOptions& options,
                            const Context& context = {});

// catalog_tags and the summaries of summaries.h.
Extraction extract_catalog(const Catalogue& catalogue, const ExtractOptions& options, const Context& context);

}  // namespace hyperllm::stages::extract
