#include "hyperllm/importers/recbole.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/error.h"
#include "hyperllm/importers/clean.h"
#include "hyperllm/importers/columns.h"
#include "hyperllm/importers/importer.h"
#include "hyperllm/importers/item_fields.h"
#include "hyperllm/importers/table_records.h"

namespace hyperllm::importers {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<const char*, Part> kSplit[] = {
    {".train.inter", Part::kTrain}, {".valid.inter", Part::kValid}, {".test.inter", Part::kTest}};

CsvColumns atomic(const CsvColumns& columns) {
  CsvColumns result = columns;
  if (result.header == Header::kAuto) result.header = Header::kYes;
  if (result.quote.empty()) result.quotes = false;
  result.format = "recbole";
  return result;
}

// The parts that are there; RecBole can do without one for validation.
void read_split(const std::string& stem, const CsvColumns& columns, const Context& context,
                RawInteractions& raw) {
  if (!data::input_exists(stem + kSplit[0].first))
    throw Error(ErrorCode::kIo, stem + kSplit[0].first +
                                    ": no such file, but there are other parts of a split. Give "
                                    "it, or the path of one file with another name.");
  for (const auto& [suffix, part] : kSplit) {
    if (!data::input_exists(stem + suffix)) continue;
    read_ratings_csv(stem + suffix, columns, context, raw);
    raw.parts.resize(static_cast<std::size_t>(raw.rows.size()), part);
  }
}

}  // namespace

fs::path only_file(const fs::path& folder, std::string_view suffix) {
  std::vector<fs::path> found;
  for (const fs::path& file : data::files_of(folder))
    if (file.filename().string().ends_with(suffix)) found.push_back(file);
  if (found.size() < 2) return found.empty() ? fs::path() : found[0];
  std::string names, list;
  for (const fs::path& file : found) {
    names += (names.empty() ? "" : ", ") + file.filename().string();
    list += (list.empty() ? "" : ",") + file.string();
  }
  const bool split = found.size() == 2 || found.size() == 3;
  throw Error(ErrorCode::kIo,
              folder.string() + ": holds several files *" + std::string(suffix) + " (" + names +
                  "). Give the path of one of them" +
                  (split ? ", or all as parts of a split, " +
                               std::string(found.size() == 2 ? "train and test" : "train, valid and test") +
                               " in this order: --input " + list + " --split keep."
                         : std::string(".")));
}

void read_recbole(const fs::path& path, const CsvColumns& told, const Context& context,
                  RawInteractions& raw) {
  const CsvColumns columns = atomic(told);
  fs::path file = path;
  if (data::is_folder(path)) {
    for (const auto& [suffix, part] : kSplit)
      if (file == path) {
        const fs::path found = only_file(path, suffix);
        if (!found.empty()) file = found;
      }
    if (file == path) file = only_file(path, ".inter");
    if (file.empty()) throw Error(ErrorCode::kIo, path.string() + ": has no file *.inter. Check the path.");
  }
  for (const auto& [suffix, part] : kSplit)
    if (const std::string name = file.string(); name.ends_with(suffix))
      return read_split(name.substr(0, name.size() - std::string(suffix).size()), columns, context, raw);
  read_ratings_csv(file, columns, context, raw);
}

void read_recbole(const fs::path& path, const Context& context, RawInteractions& raw) {
  read_recbole(path, CsvColumns(), context, raw);
}

void read_recbole_items(const fs::path& path, const CsvColumns& columns, const Context& context,
                        ItemCollector& items) {
  const TableFormat format = table_format(path, atomic(columns));
  TableRecords records(path, format);
  const TableReader& table = records.table();
  constexpr const char* kRemedy =
      "The first line must be like item_id:token<tab>title:token_seq; name another column with item_column.";
  if (!records.next()) throw data_error(path.string(), 0, "", "the file is empty", kRemedy);
  std::vector<std::string> header;
  for (const std::string_view field : table.fields()) header.emplace_back(field.substr(0, field.find(':')));
  const auto wanted =
      std::find(header.begin(), header.end(), columns.item.empty() ? "item_id" : columns.item);
  int id = wanted == header.end() ? recognise_column({header.begin(), header.end()}, "item_column")
                                  : static_cast<int>(wanted - header.begin());
  if (id < 0 || header[static_cast<std::size_t>(id)] == "id")
    throw table.error("item_id", "the header has no such column", kRemedy);
  FileReport& report = items.begin_file(path, "recbole");
  report.opened(records.lines());
  report.separator = format.separator;
  report.used = {{"id", header[static_cast<std::size_t>(id)]}};
  read_item_rows(records, context, items, [&] {
    table.expect_fields(header.size());
    ItemText item;
    item.id = table.id(static_cast<std::size_t>(id), header[static_cast<std::size_t>(id)]);
    if (!items.wants(item.id)) return;
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (i == static_cast<std::size_t>(id)) continue;
      const std::string text = items.text(table.fields()[i], table.line());
      const bool list =
          header[i].starts_with("categor") || header[i].starts_with("genre") || header[i] == "class";
      set_item_field(item, header[i], list ? text : clean_text(text), columns.list_separator, true);
    }
    items.put(std::move(item));
  });
}

void read_recbole_items(const fs::path& path, const Context& context, ItemCollector& items) {
  read_recbole_items(path, CsvColumns(), context, items);
}

Importer recbole_importer() {
  Importer importer{"recbole", table_options(), nullptr, nullptr, nullptr};
  importer.recognise = [](const fs::path& path, const std::string&) {
    const auto atomic_name = [](const fs::path& file) {
      const std::string name = file.filename().string();
      return name.ends_with(".inter") || name.ends_with(".inter.gz");
    };
    if (!data::is_folder(path)) return atomic_name(path);
    const std::vector<fs::path> files = data::files_of(path);
    return std::any_of(files.begin(), files.end(), atomic_name);
  };
  importer.read = [](const ImportOptions& options, const Context& context, Source& source) {
    const fs::path first = options.input.at(0);
    if (options.input.size() == 1) {
      read_recbole(first, options.columns(), context, source.raw);
    } else {
      const CsvColumns columns = atomic(options.columns());
      read_inputs(options, source.raw,
                  [&](const fs::path& path) { read_ratings_csv(path, columns, context, source.raw); });
    }
    source.items = only_file(data::is_folder(first) ? first : first.parent_path() / ".", ".item");
  };
  importer.read_items = [](const fs::path& path, const ImportOptions& options, const Context& context,
                           ItemCollector& items, bool) {
    const std::string name = path.filename().string();
    if (!(name.ends_with(".item") || name.ends_with(".item.gz")) || name.starts_with("u.item")) return false;
    read_recbole_items(path, options.columns(), context, items);
    return true;
  };
  return importer;
}

}  // namespace hyperllm::importers
