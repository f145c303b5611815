// Names under which columns are recognised.
#pragma once

#include <string_view>
#include <vector>

namespace hyperllm::importers {

using Names = std::vector<std::string_view>;

// One of the columns: how options call it, and under which names it is recognised, best first.
struct Role {
  const char* option;
  Names names;
  bool is_id;        // a name of its own that ends in "id" will do
  Names ends;        // else a name that ends in one of these, if there is one only
  Names plain = {};  // else these: what is acted on, where no column is an id
};

extern const Role kUser, kItem, kRating, kTimestamp, kLabel, kSplit;

enum class Table { kInteractions, kItems };

// The column of `header` that goes by a name of the role; -1 if there is none.
int recognised(const Names& header, const Role& role, Table table = Table::kInteractions);
// Whether the key (see column_key) is one of the role's names.
bool names(const Role& role, std::string_view key);
// "artist_id", "artistID", "Artist ID", but not "David".
bool names_an_id(std::string_view name);

}  // namespace hyperllm::importers
