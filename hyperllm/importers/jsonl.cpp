#include "hyperllm/importers/jsonl.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "hyperllm/base/error.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/item_json.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/data/shell.h"
#include "hyperllm/importers/columns.h"
#include "hyperllm/importers/importer.h"
#include "hyperllm/importers/item_fields.h"
#include "hyperllm/importers/json_object.h"
#include "hyperllm/importers/records.h"

namespace hyperllm::importers {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kDeepestPath = 4;
constexpr double kExact = 9007199254740992;  // 2^53

// Whole numbers without a point: 11.0 and 11 are one id.
std::string value_text(const json& value) {
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (number == std::floor(number) && std::abs(number) < kExact)
      return std::to_string(static_cast<std::int64_t>(number));
  }
  return data::json_text(value);
}

bool is_inexact(const json& value) {
  return value.is_number_float() && std::abs(value.get<double>()) >= kExact;
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
  JsonRecords(const fs::path& path, const CsvColumns& columns) : objects_(path, columns.encoding) {}

  bool next() override {
    if (!objects_.next()) return false;
    inexact_.clear();
    texts_.assign(names_.size(), {});
    fields_.assign(names_.size(), {});
    for (const std::size_t column : wanted_) {
      const json* const value = value_at(object(), names_[column]);
      if (!value) continue;
      if (is_inexact(*value) && (column == user_ || column == item_)) inexact_ = names_[column];
      texts_[column] = value_text(*value);
      fields_[column] = texts_[column];
    }
    return true;
  }
  void check() const override {
    if (!objects_.object().problem.empty() && objects_.text().starts_with('['))
      throw data_error(lines().path().string(), line(), "", objects_.object().problem,
                       "Make a table of a list of lists with " + data::text_command(lines().path()) +
                           " | jq -r '.[] | @csv' > rows.csv and give rows.csv.");
    if (!objects_.object().problem.empty())
      throw data_error(
          lines().path().string(), line(), "", objects_.object().problem,
          "Write one object a line, like {\"user_id\": \"17\", \"item_id\": \"3\", \"rating\": 4}.");
    if (!inexact_.empty())
      throw data_error(lines().path().string(), line(), inexact_,
                       "the id is a number of more digits than JSON numbers keep",
                       "Write ids as texts, in quotes.");
  }
  // Fills only these columns.
  void select(const std::vector<std::string>& names, const Layout& at) {
    names_ = names;
    user_ = static_cast<std::size_t>(at.user);
    item_ = static_cast<std::size_t>(at.item);
    wanted_.clear();
    for (const int column : {at.user, at.item, at.rating, at.timestamp, at.label, at.split})
      if (column >= 0) wanted_.push_back(static_cast<std::size_t>(column));
  }
  const json& object() const { return objects_.object().value; }
  std::string_view text() const { return objects_.text(); }
  const std::vector<std::string_view>& fields() const override { return fields_; }
  bool quoted(std::size_t) const override { return true; }
  std::int64_t line() const override { return objects_.line(); }
  const LineReader& lines() const override { return objects_.lines(); }

 private:
  ObjectReader objects_;
  std::vector<std::string> names_, texts_;
  std::vector<std::size_t> wanted_;
  std::size_t user_ = 0, item_ = 0;
  std::string inexact_;
  std::vector<std::string_view> fields_;
};

// A list, or what pandas makes of one: the numbers of the rows are keys.
bool is_column(const json& value) {
  if (value.is_array()) return value.size() > 1 && !value[0].is_structured();
  return value.is_object() && !value.empty() && data::to_integer(value.begin().key()).has_value();
}

// Throws if an only object looks like a document that holds all rows.
void refuse_document(const fs::path& path, const json& object, const CsvColumns& columns) {
  const std::string file = path.string(), text = data::text_command(path);
  const auto refuse = [&](const std::string& name, const std::string& what, const std::string& command) {
    throw data_error(file, 1, name, "the file is one JSON object " + what,
                     "Make lines of it with " + command + " and give rows.jsonl.");
  };
  const auto pandas = [&](const std::string& how) {
    refuse("", "that holds columns, as pandas writes them",
           "python3 -c \"import pandas; pandas.read_json('" + file + "'" + how +
               ").to_json('rows.jsonl', orient='records', lines=True)\"");
  };
  const auto is_list = [](const json& value) { return value.is_array() && value.size() > 1; };
  if (object.contains("columns") && object.contains("data") && is_list(object["data"]) &&
      object["data"][0].is_array())
    pandas(", orient='split'");
  std::vector<std::string_view> keys;
  bool all_columns = object.size() > 1, all_lists = object.size() > 1, all_maps = object.size() > 1;
  for (const auto& [name, value] : object.items()) {
    if (is_list(value) && value[0].is_object())
      refuse(name, "whose list of this name may hold the rows",
             text + " | jq -c '.[\"" + name + "\"][]' > rows.jsonl");
    all_columns &= is_column(value) && value.size() == object.begin()->size();
    all_lists &= value.is_array() && !value.empty() && !value[0].is_structured();
    all_maps &= value.is_object() && !value.empty() && value.begin()->is_number();
  }
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) names.push_back(name);
  keys.assign(names.begin(), names.end());
  const bool named = recognise_column(keys, "user_column") >= 0 || recognise_column(keys, "item_column") >= 0;
  if (all_columns && named) pandas("");
  if (named || !(columns.user + columns.item).empty()) return;
  if (all_lists)
    refuse(
        "", "that holds a list for each user, most likely of items",
        text +
            " | jq -c 'to_entries[] | .key as $user | .value[] | {user_id: $user, item_id: .}' > rows.jsonl");
  if (all_maps)
    refuse("", "that holds items and numbers for each user, most likely ratings",
           text +
               " | jq -c 'to_entries[] | .key as $user | .value | to_entries[] | {user_id: $user, item_id: "
               ".key, rating: .value}' > rows.jsonl");
}

// The command that makes a row of each element of a list within the rows.
std::string rows_of_list(const fs::path& path, const std::string& list, bool python) {
  const std::string name = "[\"" + list + "\"]";
  const std::string jq = "jq -c '. as $row | ." + name +
                         "[] | (if type == \"object\" then . else {item_id: .} end) + ($row | del(." + name +
                         "))'";
  const std::string text = data::text_command(path) + " | ";
  if (!python) return text + jq + " > rows.jsonl";
  return text +
         "python3 -c \"import ast, json, sys; [print(json.dumps(ast.literal_eval(line))) for line in "
         "sys.stdin]\" | " +
         jq + " > rows.jsonl";
}

struct ObjectProbe {
  Probe probe;
  std::string remedy;  // where the rows hold a list that may be of items; else empty
};

ObjectProbe probe_objects(const fs::path& path, const CsvColumns& columns) {
  ObjectProbe result{{path, {{}}, true, true, 1}, ""};
  Probe& probe = result.probe;
  std::vector<json> objects;
  std::set<std::string> seen;
  JsonRecords records(path, columns);
  for (std::size_t read = 0; read < kProbeRows && records.next(); ++read) {
    if (!records.object().is_object() && (!objects.empty() || columns.bad_rows.skip)) continue;
    records.check();  // of later rows whoever reads them says so
    if (objects.empty()) {
      probe.line = records.line();
      for (const auto& [name, value] : records.object().items())
        if (value.is_array() && !value.empty())
          result.remedy = "If the list '" + name + "' holds the items, make a row of each: " +
                          rows_of_list(path, name, !parse_json(records.text()).is_object());
    }
    objects.push_back(records.object());
    add_paths(objects.back(), "", 0, probe.rows[0], seen);
  }
  if (objects.empty()) probe.rows.clear();
  if (objects.size() == 1) refuse_document(path, objects[0], columns);
  for (const json& object : objects) {
    std::vector<std::string>& row = probe.rows.emplace_back();
    for (const std::string& name : probe.rows[0]) {
      const json* const value = value_at(object, name);
      row.push_back(value ? value_text(*value) : "");
    }
  }
  return result;
}

Layout layout_of(const ObjectProbe& objects, const CsvColumns& columns) {
  try {
    return find_layout(objects.probe, columns);
  } catch (const Error& error) {
    if (objects.remedy.empty()) throw;
    throw Error(error.code(), std::string(error.what()) + " " + objects.remedy);
  }
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

void read_ratings_jsonl(const fs::path& path, const CsvColumns& columns, const Context& context,
                        RawInteractions& raw) {
  const ObjectProbe objects = probe_objects(path, columns);
  const Probe& probe = objects.probe;
  if (probe.rows.empty())
    throw data_error(path.string(), 0, "", "there is no object in the file",
                     "Give a file with one object a line, or a list of objects.");
  const Layout at = layout_of(objects, columns);
  FileReport& report = raw.begin_file(path);
  report_layout(at, probe, columns, report);
  JsonRecords records(path, columns);
  records.select(probe.rows[0], at);
  report.opened(records.lines());
  read_records(records, at, columns, context, raw, report);
}

void read_items_jsonl(const fs::path& path, const CsvColumns& columns, const Context& context,
                      ItemCollector& items) {
  ObjectReader objects(path, columns.encoding);
  FileReport& report = items.begin_file(path, "jsonl");
  report.opened(objects.lines());
  ReadMeter meter(context, objects.lines());
  const auto row = [&] {
    TextObject& object = objects.object();
    if (!object.problem.empty())
      throw data_error(path.string(), objects.line(), "", object.problem,
                       "Write one object a line, like {\"id\": \"17\", \"title\": \"...\"}.");
    const std::string id = json_id_field(object.value, columns.item);
    ItemText item = data::item_from_json(object.value, id);
    if (const auto found = object.value.find(id); found != object.value.end()) item.id = value_text(*found);
    if (item.id.empty())
      throw data_error(path.string(), objects.line(), id, "it is missing or empty",
                       "Give the id that the interactions use, or name the field with item_column.");
    if (report.used.empty()) report.used = {{"id", id}};
    if (!items.wants(item.id)) return;
    items.replaced(object.replaced, objects.line());
    take_categories(object.value, columns.list_separator, item);
    take_title(item);
    items.put(std::move(item));
  };
  while (objects.next()) {
    items.row(row);
    meter.row();
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
      if (source.items.empty()) source.items = items_beside(path.parent_path());
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
