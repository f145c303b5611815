#include "hyperllm/data/importers/recbole.h"

#include <string>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/data/importers/clean.h"
#include "hyperllm/data/inter.h"
#include "hyperllm/data/numbers.h"

namespace hyperllm::data::importers {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<const char*, Part> kSplit[] = {
    {".train.inter", Part::kTrain}, {".valid.inter", Part::kValid}, {".test.inter", Part::kTest}};

void read_file_of(const fs::path& path, const Context& context, RawInteractions& raw) {
  InterReader reader(path);
  raw.begin_file(path);
  raw.has_rating |= reader.has_rating();
  raw.has_timestamp |= reader.has_timestamp();
  ReadMeter meter(context, reader.table().lines());
  for (InterRow row; reader.next(row); meter.row())
    raw.add(row.user, row.item, row.rating, row.timestamp, reader.table().line());
}

void read_split(const fs::path& stem, const Context& context, RawInteractions& raw) {
  for (const auto& [suffix, part] : kSplit) {
    read_file_of(stem.string() + suffix, context, raw);
    raw.parts.resize(static_cast<std::size_t>(raw.rows.size()), part);
  }
}

std::vector<std::string> words(std::string_view text, char separator) {
  std::vector<std::string> result;
  while (true) {
    const std::size_t at = text.find(separator);
    std::string_view word = trimmed(text.substr(0, at));
    while (!word.empty() && (word.front() == '\'' || word.front() == '[')) word.remove_prefix(1);
    while (!word.empty() && (word.back() == '\'' || word.back() == ']')) word.remove_suffix(1);
    if (!word.empty()) result.emplace_back(word);
    if (at == text.npos) return result;
    text.remove_prefix(at + 1);
  }
}

void set_field(ItemText& item, std::string_view name, std::string_view text) {
  if (name == "title" || name.ends_with("_title") || name.ends_with("_name")) {
    item.title = clean_text(text);
  } else if (name == "brand") {
    item.brand = clean_text(text);
  } else if (name == "description") {
    item.description = clean_text(text);
  } else if (name == "categories" || name == "category" || name == "class" || name == "genre" ||
             name == "genres") {
    if (text.find(',') != text.npos) {
      item.categories.push_back(words(text, ','));
    } else {
      for (std::string& word : words(text, ' ')) item.categories.push_back({std::move(word)});
    }
  } else if (std::string value = clean_text(text); !value.empty()) {
    item.other.emplace_back(name == "release_year" ? "year" : std::string(name), std::move(value));
  }
}

}  // namespace

fs::path only_file(const fs::path& folder, std::string_view suffix) {
  fs::path found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().ends_with(suffix)) continue;
    if (!found.empty())
      throw Error(ErrorCode::kIo, folder.string() + ": holds several files *" + std::string(suffix) + " (" +
                                      found.filename().string() + ", " + entry.path().filename().string() +
                                      "). Give the path of one of them.");
    found = entry.path();
  }
  return found;
}

void read_recbole(const fs::path& path, const Context& context, RawInteractions& raw) {
  fs::path file = path;
  if (fs::is_directory(path)) {
    file = only_file(path, kSplit[0].first);
    if (file.empty()) file = only_file(path, ".inter");
    if (file.empty()) throw Error(ErrorCode::kIo, path.string() + ": has no file *.inter. Check the path.");
  }
  for (const auto& [suffix, part] : kSplit)
    if (const std::string name = file.string(); name.ends_with(suffix))
      return read_split(name.substr(0, name.size() - std::string(suffix).size()), context, raw);
  read_file_of(file, context, raw);
}

void read_recbole_items(const fs::path& path, const Context& context, ItemCollector& items) {
  TableReader table(path, TableFormat{});
  constexpr const char* kRemedy = "The first line must be like item_id:token<tab>title:token_seq.";
  if (!table.next()) throw data_error(path.string(), 0, "", "the file is empty", kRemedy);
  std::vector<std::string> header;
  for (const std::string_view field : table.fields()) header.emplace_back(field.substr(0, field.find(':')));
  std::size_t id = 0;
  while (id < header.size() && header[id] != "item_id") ++id;
  if (id == header.size()) throw table.error("item_id", "the header has no such column", kRemedy);
  ReadMeter meter(context, table.lines());
  while (table.next()) {
    meter.row();
    table.expect_fields(header.size());
    ItemText item;
    item.id = table.id(id, "item_id");
    if (!items.wants(item.id)) continue;
    for (std::size_t i = 0; i < header.size(); ++i)
      if (i != id) set_field(item, header[i], table.fields()[i]);
    items.put(std::move(item));
  }
}

}  // namespace hyperllm::data::importers
