// Columns of item tables as item texts: one rule for every format.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/data/texts.h"

namespace hyperllm::importers {

// Category paths out of one cell: "Home > Kitchen|Gifts" is {{Home, Kitchen}, {Gifts}}. A list in JSON or
// Python is one path, a list of lists is paths. Else "|", ";" or "," separates categories, the first of them
// that is there (a comma only where none of its neighbours reads like "Clothing, Shoes & Jewelry"), and ">"
// the levels of a path. `separator` decides where it is given. What says that there is none ("(no genres
// listed)", "nan") is dropped.
std::vector<std::vector<std::string>> category_paths(std::string_view text, const std::string& separator);

// Puts one column into the item, by the column's name. `words`: blanks too separate categories, where nothing
// else does (RecBole).
void set_item_field(data::ItemText& item, const std::string& name, const std::string& text,
                    const std::string& list_separator = "", bool words = false);

}  // namespace hyperllm::importers
