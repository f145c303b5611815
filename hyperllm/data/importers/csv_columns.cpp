#include "hyperllm/data/importers/csv_columns.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "hyperllm/base/error.h"
#include "hyperllm/data/numbers.h"

namespace hyperllm::data::importers {
namespace {

// One of the four columns: how options call it, and under which names it is recognised, best first.
struct Role {
  const char* option;
  std::vector<std::string_view> names;
};

const Role kUser{"user_column",
                 {"userid", "user", "uid", "reviewerid", "customerid", "memberid", "accountid", "visitorid"}};
const Role kItem{"item_column",
                 {"itemid", "item", "iid", "parentasin", "asin", "movieid", "productid", "articleid",
                  "bookid", "trackid", "sku", "id"}};
const Role kRating{"rating_column", {"rating", "ratings", "overall", "score", "stars", "value"}};
const Role kTimestamp{"timestamp_column",
                      {"timestamp", "time", "ts", "unixreviewtime", "datetime", "date", "createdat"}};

using Fields = std::vector<std::string_view>;

int position(const Fields& header, std::string_view key) {
  const auto found =
      std::find_if(header.begin(), header.end(), [&](std::string_view f) { return column_key(f) == key; });
  return found == header.end() ? -1 : static_cast<int>(found - header.begin());
}

int recognised(const Fields& header, const Role& role) {
  for (const std::string_view name : role.names)
    if (const int at = position(header, name); at >= 0) return at;
  return -1;
}

std::string joined(const Fields& fields) {
  std::string result;
  for (const std::string_view field : fields)
    result.append(result.empty() ? "" : ", ").append(field.substr(0, 40));
  return result;
}

// The column that the option names, by header or by number.
int named(const TableReader& table, const std::string& wanted, const Role& role, bool header) {
  const Fields& fields = table.fields();
  if (header) {
    const auto found = std::find(fields.begin(), fields.end(), wanted);
    if (found != fields.end()) return static_cast<int>(found - fields.begin());
  }
  const auto number = to_integer(wanted);
  if (number && *number >= 1 && *number <= static_cast<std::int64_t>(fields.size()))
    return static_cast<int>(*number - 1);
  const std::string near = nearest_word(wanted, {fields.begin(), fields.end()});
  throw table.error(wanted,
                    std::string("no such column (") + role.option + "); the first line is: " + joined(fields),
                    near.empty() || !header ? "Give a name of the header or a number from 1."
                                            : "Did you mean '" + near + "'?");
}

bool is_header(const TableReader& table, const CsvColumns& wanted) {
  if (wanted.header != Header::kAuto) return wanted.header == Header::kYes;
  const Fields& fields = table.fields();
  for (const std::string* name : {&wanted.user, &wanted.item, &wanted.rating, &wanted.timestamp})
    if (!name->empty() && std::find(fields.begin(), fields.end(), *name) != fields.end()) return true;
  for (const Role* role : {&kUser, &kItem, &kRating, &kTimestamp})
    if (recognised(fields, *role) >= 0) return true;
  if (fields.size() > 2 && to_number(fields[2])) return false;
  if (fields.size() == 2 && (to_number(fields[0]) || to_number(fields[1]))) return false;
  throw table.error(
      "", "cannot tell whether the first line is a header: " + joined(fields),
      "Say header = yes and name the columns with user_column and item_column, or header = no.");
}

int locate(const TableReader& table, const std::string& wanted, const Role& role, bool header, int place,
           bool required) {
  if (!wanted.empty()) return named(table, wanted, role, header);
  const int at = header                                            ? recognised(table.fields(), role)
                 : place < static_cast<int>(table.fields().size()) ? place
                                                                   : -1;
  if (at < 0 && required)
    throw table.error("",
                      std::string("no column for the ") + (&role == &kUser ? "user" : "item") +
                          "; the first line is: " + joined(table.fields()),
                      std::string("Name it with ") + role.option + ", or check the separator.");
  return at;
}

std::string name_of(const TableReader& table, int at, bool header, const char* role) {
  return at >= 0 && header ? std::string(table.fields()[at]) : role;
}

}  // namespace

std::string column_key(std::string_view name) {
  std::string key;
  for (const char letter : name)
    if (std::isalnum(static_cast<unsigned char>(letter)))
      key += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return key;
}

int recognise_column(const std::vector<std::string_view>& names, std::string_view option) {
  for (const Role* role : {&kUser, &kItem, &kRating, &kTimestamp})
    if (role->option == option) return recognised(names, *role);
  return -1;
}

RatingColumns find_rating_columns(const TableReader& table, const CsvColumns& wanted) {
  RatingColumns found;
  found.header = is_header(table, wanted);
  found.count = table.fields().size();
  found.user = locate(table, wanted.user, kUser, found.header, 0, true);
  found.item = locate(table, wanted.item, kItem, found.header, 1, true);
  found.rating = locate(table, wanted.rating, kRating, found.header, 2, false);
  found.timestamp = locate(table, wanted.timestamp, kTimestamp, found.header, 3, false);
  if (found.user == found.item)
    throw table.error("", "user and item are the same column",
                      "Set user_column and item_column to different columns.");
  found.user_name = name_of(table, found.user, found.header, "user");
  found.item_name = name_of(table, found.item, found.header, "item");
  found.rating_name = name_of(table, found.rating, found.header, "rating");
  found.timestamp_name = name_of(table, found.timestamp, found.header, "timestamp");
  return found;
}

std::size_t find_item_id(const TableReader& table, const std::string& wanted) {
  if (!wanted.empty() && !to_integer(wanted)) {
    const Fields& fields = table.fields();
    const auto found = std::find(fields.begin(), fields.end(), wanted);
    if (found != fields.end()) return static_cast<std::size_t>(found - fields.begin());
  }
  return static_cast<std::size_t>(locate(table, "", kItem, true, 0, true));
}

std::string json_id_field(const nlohmann::json& object, const std::string& wanted) {
  if (!wanted.empty() && object.contains(wanted)) return wanted;
  if (object.contains("id")) return "id";
  for (const std::string_view name : kItem.names)
    for (const auto& [key, value] : object.items())
      if (column_key(key) == name) return key;
  return "id";
}

}  // namespace hyperllm::data::importers
