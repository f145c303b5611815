// Amazon Reviews in the editions of 2014, 2018 and 2023.
#pragma once

#include <filesystem>

#include "hyperllm/base/progress.h"
#include "hyperllm/importers/csv.h"
#include "hyperllm/importers/raw.h"

namespace hyperllm::importers {

enum class Edition { kAuto, k2014, k2018, k2023 };

// Reads reviews (JSON by line or as a list) or ratings (CSV), plain or gzip, told apart by content.
//   edition   reviews                                      ratings
//   2014      reviewerID, asin, overall, unixReviewTime    user,item,rating,timestamp, no header
//   2018      as 2014                                      item,user,rating,timestamp, no header
//   2023      user_id, parent_asin, rating, timestamp      a header of these names
// Times are seconds, in 2023 milliseconds. Without a stated edition, a ratings file without a header is told
// by which of its columns holds product numbers (ten capitals and digits). Where `columns` names any, reviews
// are read by those. Throws kIo; kInvalidData (file, line, field, remedy).
void read_amazon(const std::filesystem::path& path, Edition edition, const CsvColumns& columns,
                 const Context& context, RawInteractions& raw);
void read_amazon(const std::filesystem::path& path, Edition edition, const Context& context,
                 RawInteractions& raw);

// Reads texts of wanted items from metadata: JSON by line or as a list, in 2014 Python literals. Title, brand (2023: store),
// categories (a flat list is one path; without any, the main category), description; "features", "price" and
// "details" become other fields. Texts are cleaned of HTML. Throws kIo; kInvalidData.
void read_amazon_items(const std::filesystem::path& path, const Context& context, ItemCollector& items,
                       const std::string& encoding = "");

// Whether the file looks like one of Amazon's reviews or ratings files, by its first row.
bool looks_like_amazon(const std::filesystem::path& path, const std::string& encoding = "");

}  // namespace hyperllm::importers
