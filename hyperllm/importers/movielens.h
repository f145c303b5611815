// GroupLens' MovieLens in its three forms: ratings.csv + movies.csv, ratings.dat + movies.dat ("::"), and
// ml-100k's u.data + u.item.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "hyperllm/base/progress.h"
#include "hyperllm/importers/csv.h"
#include "hyperllm/importers/raw.h"

namespace hyperllm::importers {

// The ratings file of a MovieLens folder (or `path` itself if it is a file); empty if there is none.
std::filesystem::path movielens_ratings(const std::filesystem::path& path);
// Whether only MovieLens calls a file like that: ratings.dat, u.data, or their gzips.
bool is_movielens_name(const std::filesystem::path& path);
// The films' file that belongs to a ratings file; empty if it is not there.
std::filesystem::path movielens_items(const std::filesystem::path& ratings);

// Both throw kIo and kInvalidData (file, line, field, remedy).
void read_movielens(const std::filesystem::path& ratings, const CsvColumns& columns, const Context& context,
                    RawInteractions& raw);
// Title without its year, other field "year", each genre a category. What is not UTF-8 is read as Windows-1252.
void read_movielens_items(const std::filesystem::path& path, const std::string& encoding,
                          const Context& context, ItemCollector& items);
void read_movielens_items(const std::filesystem::path& path, const Context& context, ItemCollector& items);

// "Name (1995)" as {"Name", "1995"}; the year is "" if the title ends otherwise.
std::pair<std::string, std::string> split_year(std::string_view title);

}  // namespace hyperllm::importers
