#include "hyperllm/stages/report/published.h"

#include <algorithm>
#include <array>
#include <set>

#include "hyperllm/base/error.h"
#include "hyperllm/data/table.h"

namespace hyperllm::stages::report {
namespace {

constexpr std::array<const char*, 4> kColumns = {"dataset", "run", "metric", "value"};

// Places of kColumns.
std::array<std::size_t, 4> places_in(const data::TableReader& table) {
  std::array<std::size_t, 4> places{};
  const auto& header = table.fields();
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    const auto found = std::find(header.begin(), header.end(), kColumns[i]);
    if (found == header.end())
      throw table.error(kColumns[i], "is missing in the header",
                        "The first line names the columns dataset, run, metric and value, between tabs.");
    places[i] = static_cast<std::size_t>(found - header.begin());
  }
  return places;
}

}  // namespace

Published load_published(const std::filesystem::path& path, const std::string& dataset) {
  data::TableReader table(path, {});
  if (!table.next())
    throw data_error(path.string(), 0, "", "is empty", "Give a TSV of dataset, run, metric and value.");
  const auto places = places_in(table);
  const std::size_t width = table.fields().size();
  Published values;
  std::set<std::string> datasets;
  while (table.next()) {
    table.expect_fields(width);
    const std::string of(table.id(places[0], kColumns[0]));
    datasets.insert(of);
    if (of != dataset) continue;
    const std::pair key(std::string(table.id(places[1], kColumns[1])),
                        std::string(table.id(places[2], kColumns[2])));
    if (!values.emplace(key, table.number(places[3], kColumns[3])).second)
      throw table.error("", key.first + " has a second value of " + key.second, "Remove one of them.");
  }
  if (!values.empty()) return values;
  std::string known;
  for (const std::string& name : datasets) known += (known.empty() ? "" : ", ") + name;
  throw Error(
      ErrorCode::kInvalidArgument,
      path.string() + ": has no dataset '" + dataset +
          "'. Name one of its own with --published-dataset (published_dataset in [report]): " + known + ".");
}

}  // namespace hyperllm::stages::report
