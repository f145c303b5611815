// LightGCN's adjacency lists: train.txt and test.txt (and perhaps valid.txt) with a user and its items a line,
// user_list.txt and item_list.txt with the ids behind the numbers.
#include <algorithm>
#include <set>
#include <unordered_map>

#include "hyperllm/base/error.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/importers/columns.h"
#include "hyperllm/importers/importer.h"

namespace hyperllm::importers {
namespace {

namespace fs = std::filesystem;
using Ids = std::unordered_map<std::string, std::string>;

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> result;
  constexpr const char* kBlanks = " \t";
  for (std::size_t at = line.find_first_not_of(kBlanks); at != line.npos;) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    result.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kBlanks, end);
  }
  return result;
}

bool is_number(std::string_view word) {
  return !word.empty() && word.find_first_not_of("0123456789") == word.npos;
}

// Numbers only, the user another one on each line, and lines of several lengths (or long ones, if the file is
// called like a part).
bool looks_like_lists(const fs::path& path, const std::string& encoding) {
  constexpr int kLines = 200;
  LineReader lines(path, encoding);
  std::string_view line;
  std::set<std::string> users;
  std::set<std::size_t> lengths;
  std::size_t longest = 0;
  for (int read = 0; read < kLines && lines.next(line);) {
    const std::vector<std::string_view> row = words(line);
    if (row.empty()) continue;
    ++read;
    if (!std::all_of(row.begin(), row.end(), is_number) || !users.emplace(row[0]).second) return false;
    lengths.insert(row.size());
    longest = std::max(longest, row.size());
  }
  constexpr std::size_t kTable = 4;  // user, item, rating, time
  const bool named = part_of(path.stem().string()).has_value();
  return lengths.size() > 1 || (named && longest > kTable);
}

// "org_id remap_id" lists; empty if there is no such file.
Ids read_list(const fs::path& path, const std::string& encoding) {
  Ids ids;
  if (!data::input_exists(path)) return ids;
  LineReader lines(path, encoding);
  std::string_view line;
  for (bool header = true; lines.next(line);) {
    const std::size_t blank = data::trimmed(line).rfind(' ');
    const std::string_view row = data::trimmed(line);
    if (row.empty()) continue;
    const std::string_view number = blank == row.npos ? row : row.substr(blank + 1);
    if (!is_number(number)) {
      if (!std::exchange(header, false))
        throw data_error(path.string(), lines.line_number(), "", "no id and number",
                         "A line is like B0012 17.");
      continue;
    }
    header = false;
    ids.emplace(number, blank == row.npos ? row : row.substr(0, row.find(' ')));
  }
  return ids;
}

std::string id_of(std::string_view number, const Ids& ids, const LineReader& lines, const char* what) {
  if (ids.empty()) return std::string(number);
  const auto found = ids.find(std::string(number));
  if (found == ids.end())
    throw data_error(lines.path().string(), lines.line_number(), what,
                     "the number " + std::string(number) + " is not in " + what + "_list.txt",
                     "Check that the files belong together, or take that list away.");
  return found->second;
}

void read_lists(const fs::path& path, const Ids& user_ids, const Ids& item_ids, const CsvColumns& columns,
                const Context& context, RawInteractions& raw) {
  LineReader lines(path, columns.encoding);
  FileReport& report = raw.begin_file(path);
  report.format = "lightgcn";
  report.opened(lines);
  report.separator = " ";
  report.used = {{"user", "first number of a line"}, {"item", "the others"}};
  BadRows bad(columns.bad_rows, report);
  ReadMeter meter(context, lines);
  std::string_view line;
  while (lines.next(line)) {
    meter.row();
    const std::vector<std::string_view> row = words(line);
    if (row.empty()) continue;
    bad.row([&] {
      for (const std::string_view word : row)
        if (!is_number(word))
          throw data_error(path.string(), lines.line_number(), "",
                           "'" + std::string(word.substr(0, 40)) + "' is not a number",
                           "A line is a user and its items, all numbers.");
      const std::string user = id_of(row[0], user_ids, lines, "user");
      for (std::size_t i = 1; i < row.size(); ++i)
        raw.add(user, id_of(row[i], item_ids, lines, "item"), 1, 0, lines.line_number());
    });
  }
  bad.check();
}

fs::path part_file(const fs::path& folder, const char* part) {
  const std::string name = part;
  return first_existing(folder, {(name + ".txt").c_str(), (name + ".txt.gz").c_str()});
}

}  // namespace

Importer lightgcn_importer() {
  Importer importer{"lightgcn",
                    {"bad_rows", "bad_rows_share", "item_column", "list_separator", "encoding"},
                    nullptr,
                    nullptr,
                    nullptr};
  importer.recognise = [](const fs::path& path, const std::string& encoding) {
    if (!data::is_folder(path)) return looks_like_lists(path, encoding);
    const fs::path train = part_file(path, "train");
    return !train.empty() && !part_file(path, "test").empty() && looks_like_lists(train, encoding);
  };
  importer.read = [](const ImportOptions& options, const Context& context, Source& source) {
    const fs::path first = options.input.at(0);
    const bool whole = data::is_folder(first);
    const fs::path folder = whole ? first : first.parent_path();
    const Ids users = read_list(folder / "user_list.txt", options.encoding),
              items = read_list(folder / "item_list.txt", options.encoding);
    ImportOptions parts = options;
    const bool siblings =
        whole || (options.input.size() == 1 && first.filename().string().starts_with("train.txt"));
    if (siblings) {
      parts.input.clear();
      for (const char* part : {"train", "valid", "test"})
        if (const fs::path file = part_file(folder, part); !file.empty())
          parts.input.push_back(file.string());
    }
    read_inputs(parts, source.raw, [&](const fs::path& path) {
      read_lists(path, users, items, options.columns(), context, source.raw);
    });
    source.items = items_beside(folder);
  };
  return importer;
}

}  // namespace hyperllm::importers
