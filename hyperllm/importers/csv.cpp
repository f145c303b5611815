#include "hyperllm/importers/csv.h"

#include <algorithm>
#include <string_view>

#include "hyperllm/base/error.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/importers/columns.h"
#include "hyperllm/importers/importer.h"
#include "hyperllm/importers/item_fields.h"
#include "hyperllm/importers/table_records.h"

namespace hyperllm::importers {
namespace {

namespace fs = std::filesystem;

// RecBole's "name:type" as the name, if all names are written like that.
bool drop_types(std::vector<std::string>& names) {
  const bool typed = std::all_of(names.begin(), names.end(), [](const std::string& name) {
    const std::string_view type = std::string_view(name).substr(std::min(name.find(':'), name.size()));
    return type == ":token" || type == ":float" || type == ":token_seq" || type == ":float_seq";
  });
  if (typed)
    for (std::string& name : names) name.resize(name.find(':'));
  return typed;
}

Probe probe_table(const fs::path& path, const TableFormat& format, const CsvColumns& columns) {
  Probe probe;
  probe.path = path;
  TableReader table(path, format);
  while (probe.rows.size() < kProbeRows) {
    try {
      if (!table.next()) break;
    } catch (const Error&) {
      if (probe.rows.empty() || (columns.bad_rows.skip && table.lines().line_number() > table.line())) throw;
      if (table.lines().line_number() > table.line()) break;
      continue;  // whoever reads the rows says so
    }
    if (probe.rows.empty()) probe.line = table.line();
    std::vector<std::string>& row = probe.rows.emplace_back();
    for (const std::string_view field : table.fields())
      row.emplace_back(probe.rows.size() == 1 ? data::trimmed(field) : field);
    if (probe.rows.size() == 1 && drop_types(row)) probe.header_known = probe.header = true;
  }
  return probe;
}

}  // namespace

void read_ratings_csv(const fs::path& path, const CsvColumns& columns, const Context& context,
                      RawInteractions& raw) {
  const TableFormat format = table_format(path, columns);
  const Probe probe = probe_table(path, format, columns);
  if (probe.rows.empty())
    throw data_error(path.string(), 0, "", "the file is empty", "Give a file with one rating a line.");
  const Layout at = find_layout(probe, columns);
  FileReport& report = raw.begin_file(path);
  report_layout(at, probe, columns, report);
  report.separator = format.separator;
  TableRecords records(path, format);
  report.opened(records.lines());
  if (at.header) records.next();
  read_records(records, at, columns, context, raw, report);
}

void read_items_csv(const fs::path& path, const CsvColumns& columns, const Context& context,
                    ItemCollector& items) {
  const TableFormat format = table_format(path, columns);
  TableRecords records(path, format);
  const TableReader& table = records.table();
  if (!records.next())
    throw data_error(path.string(), 0, "", "the file is empty", "Give a table with a header.");
  Probe probe{path, {{}}, true, true, table.line()};
  std::vector<std::string>& header = probe.rows[0];
  for (const std::string_view field : table.fields()) header.emplace_back(data::trimmed(field));
  drop_types(header);
  const auto id = find_item_id(probe, columns.item);
  FileReport& report = items.begin_file(path, "csv");
  report.opened(records.lines());
  report.separator = format.separator;
  report.used = {{"id", header[id]}};
  read_item_rows(records, context, items, [&] {
    table.expect_fields(header.size());
    ItemText item;
    item.id = table.id(id, header[id]);
    if (!items.wants(item.id)) return;
    for (std::size_t i = 0; i < header.size(); ++i)
      if (i != id)
        set_item_field(item, header[i], items.text(data::trimmed(table.fields()[i]), table.line()),
                       columns.list_separator);
    items.put(std::move(item));
  });
}

Importer csv_importer() {
  Importer importer{"csv", table_options(), nullptr, nullptr, nullptr};
  importer.recognise = [](const fs::path& path, const std::string&) {
    return !data::is_folder(path) || !first_existing(path, {"ratings.csv", "ratings.csv.gz"}).empty();
  };
  importer.read = [](const ImportOptions& options, const Context& context, Source& source) {
    read_inputs(options, source.raw, [&](const fs::path& path) {
      const fs::path folder = data::is_folder(path) ? path : path.parent_path();
      const fs::path file =
          data::is_folder(path) && !first_existing(path, {"ratings.csv", "ratings.csv.gz"}).empty()
              ? first_existing(path, {"ratings.csv", "ratings.csv.gz"})
              : path;
      read_ratings_csv(file, options.columns(), context, source.raw);
      if (source.items.empty()) source.items = items_beside(folder);
    });
  };
  importer.read_items = [](const fs::path& path, const ImportOptions& options, const Context& context,
                           ItemCollector& items, bool) {
    read_items_csv(path, options.columns(), context, items);
    return true;
  };
  return importer;
}

}  // namespace hyperllm::importers
