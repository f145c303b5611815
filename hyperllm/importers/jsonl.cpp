#include "hyperllm/importers/jsonl.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "hyperllm/base/error.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/item_json.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/importers/columns.h"
#include "hyperllm/importers/importer.h"
#include "hyperllm/importers/item_fields.h"
#include "hyperllm/importers/records.h"

namespace hyperllm::importers {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kDeepestPath = 4;

// Whole numbers without a point: 11.0 and 11 are one id.
std::string value_text(const json& value) {
  if (value.is_number_float()) {
    const double number = value.get<double>();
    constexpr double kExact = 9007199254740992;
    if (number == std::floor(number) && std::abs(number) < kExact)
      return std::to_string(static_cast<std::int64_t>(number));
  }
  return data::json_text(value);
}

void add_paths(const json& object, const std::string& prefix, int depth, std::vector<std::string>& paths,
               std::set<std::string>& seen) {
  for (const auto& [key, value] : object.items()) {
    const std::string path = prefix + key;
    if (value.is_object() && depth < kDeepestPath)
      add_paths(value, path + ".", depth + 1, paths, seen);
    else if (seen.insert(path).second)
      paths.push_back(path);
  }
}

// The value at a dotted path; a key that itself holds dots goes first. Null if there is none.
const json* value_at(const json& object, std::string_view path) {
  if (!object.is_object()) return nullptr;
  if (const auto found = object.find(std::string(path)); found != object.end()) return &*found;
  for (std::size_t dot = path.find('.'); dot != path.npos; dot = path.find('.', dot + 1)) {
    const auto found = object.find(std::string(path.substr(0, dot)));
    if (found == object.end()) continue;
    if (const json* value = value_at(*found, path.substr(dot + 1))) return value;
  }
  return nullptr;
}

class JsonRecords : public Records {
 public:
  JsonRecords(const fs::path& path, const CsvColumns& columns) : lines_(path, columns.encoding) {}

  bool next() override {
    std::string_view line;
    do {
      if (!lines_.next(line)) return false;
    } while (data::trimmed(line).empty());
    object_ = parse_object(line);
    if (!object_.problem.empty())
      throw data_error(
          lines_.path().string(), lines_.line_number(), "", object_.problem,
          "Write one object a line, like {\"user_id\": \"17\", \"item_id\": \"3\", \"rating\": 4}.");
    texts_.assign(names_.size(), {});
    fields_.assign(names_.size(), {});
    for (const std::size_t column : wanted_) {
      const json* const value = value_at(object_.value, names_[column]);
      if (!value) continue;
      texts_[column] = value_text(*value);
      fields_[column] = texts_[column];
    }
    return true;
  }
  // Fills only these columns.
  void select(const std::vector<std::string>& names, const Layout& at) {
    names_ = names;
    wanted_.clear();
    for (const int column : {at.user, at.item, at.rating, at.timestamp, at.label, at.split})
      if (column >= 0) wanted_.push_back(static_cast<std::size_t>(column));
  }
  const json& object() const { return object_.value; }
  const std::vector<std::string_view>& fields() const override { return fields_; }
  bool quoted(std::size_t) const override { return true; }
  std::int64_t line() const override { return lines_.line_number(); }
  const LineReader& lines() const override { return lines_; }

 private:
  LineReader lines_;
  LineObject object_;
  std::vector<std::string> names_, texts_;
  std::vector<std::size_t> wanted_;
  std::vector<std::string_view> fields_;
};

Probe probe_lines(const fs::path& path, const CsvColumns& columns) {
  Probe probe{path, {{}}, true, true, 1};
  std::vector<json> objects;
  std::set<std::string> seen;
  JsonRecords records(path, columns);
  while (objects.size() < kProbeRows) {
    try {
      if (!records.next()) break;
    } catch (const Error&) {
      if (!columns.bad_rows.skip) throw;
      if (records.line() > static_cast<std::int64_t>(kProbeRows)) break;
      continue;
    }
    if (objects.empty()) probe.line = records.line();
    objects.push_back(records.object());
    add_paths(objects.back(), "", 0, probe.rows[0], seen);
  }
  if (objects.empty()) probe.rows.clear();
  for (const json& object : objects) {
    std::vector<std::string>& row = probe.rows.emplace_back();
    for (const std::string& name : probe.rows[0]) {
      const json* const value = value_at(object, name);
      row.push_back(value ? value_text(*value) : "");
    }
  }
  return probe;
}

// "genres" and the like where the object has no "categories"; a text is a cell as in a table.
void take_categories(const json& object, const std::string& separator, ItemText& item) {
  for (const char* name : {"categories", "category", "genres", "genre"}) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) continue;
    if (found->is_string())
      item.categories = category_paths(found->get<std::string>(), separator);
    else if (std::string_view(name) == "categories" || found->is_array())
      item.categories = data::json_paths(*found);
    std::erase_if(item.other, [&](const auto& field) { return field.first == name; });
    return;
  }
}

// A name where the object has no "title", as in tables.
void take_title(ItemText& item) {
  if (!item.title.empty()) return;
  for (auto field = item.other.begin(); field != item.other.end(); ++field) {
    const std::string& name = field->first;
    if (name != "name" && !name.ends_with("_title") && !name.ends_with("_name")) continue;
    item.title = field->second;
    item.other.erase(field);
    return;
  }
}

}  // namespace

bool looks_like_json(const fs::path& path, const std::string& encoding) {
  LineReader lines(path, encoding);
  std::string_view line;
  while (lines.next(line)) {
    line = data::trimmed(line);
    if (!line.empty()) return line[0] == '{' || line.starts_with("[{") || line == "[";
  }
  return false;
}

void read_ratings_jsonl(const fs::path& path, const CsvColumns& columns, const Context& context,
                        RawInteractions& raw) {
  const Probe probe = probe_lines(path, columns);
  if (probe.rows.empty())
    throw data_error(path.string(), 0, "", "the file is empty", "Give a file with one object a line.");
  const Layout at = find_layout(probe, columns);
  FileReport& report = raw.begin_file(path);
  report_layout(at, probe, columns, report);
  JsonRecords records(path, columns);
  records.select(probe.rows[0], at);
  report.packing = records.lines().packing();
  report.encoding = records.lines().encoding();
  read_records(records, at, columns, context, raw, report);
}

void read_items_jsonl(const fs::path& path, const CsvColumns& columns, const Context& context,
                      ItemCollector& items) {
  LineReader lines(path, columns.encoding);
  ReadMeter meter(context, lines);
  std::string_view line;
  while (lines.next(line)) {
    meter.row();
    if (data::trimmed(line).empty()) continue;
    LineObject parsed = parse_object(line);
    if (!parsed.problem.empty())
      throw data_error(path.string(), lines.line_number(), "", parsed.problem,
                       "Write one object a line, like {\"id\": \"17\", \"title\": \"...\"}.");
    const std::string id = json_id_field(parsed.value, columns.item);
    ItemText item = data::item_from_json(parsed.value, id);
    if (const auto found = parsed.value.find(id); found != parsed.value.end()) item.id = value_text(*found);
    if (item.id.empty())
      throw data_error(path.string(), lines.line_number(), columns.item.empty() ? "id" : columns.item,
                       "it is missing or empty",
                       "Give the id that the interactions use, or name the field with item_column.");
    if (!items.wants(item.id)) continue;
    items.replaced(parsed.replaced, lines.line_number());
    take_categories(parsed.value, columns.list_separator, item);
    take_title(item);
    items.put(std::move(item));
  }
}

Importer jsonl_importer() {
  Importer importer{"jsonl", column_options(), nullptr, nullptr, nullptr};
  importer.recognise = [](const fs::path& path, const std::string& encoding) {
    return !data::is_folder(path) && looks_like_json(path, encoding);
  };
  importer.read = [](const ImportOptions& options, const Context& context, Source& source) {
    read_inputs(options, source.raw, [&](const fs::path& path) {
      CsvColumns columns = options.columns();
      columns.format = "jsonl";
      read_ratings_jsonl(path, columns, context, source.raw);
      if (source.items.empty())
        source.items = first_existing(path.parent_path(), {"items.jsonl", "items.jsonl.gz", "items.csv"});
    });
  };
  importer.read_items = [](const fs::path& path, const ImportOptions& options, const Context& context,
                           ItemCollector& items, bool) {
    const bool named = path.filename().string().find(".jsonl") != std::string::npos;
    if (!named && !looks_like_json(path, options.encoding)) return false;
    read_items_jsonl(path, options.columns(), context, items);
    return true;
  };
  return importer;
}

}  // namespace hyperllm::importers
