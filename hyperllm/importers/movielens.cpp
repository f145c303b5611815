#include "hyperllm/importers/movielens.h"

#include <algorithm>
#include <cctype>

#include "hyperllm/base/error.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/data/table.h"
#include "hyperllm/data/utf8.h"
#include "hyperllm/importers/csv.h"
#include "hyperllm/importers/importer.h"
#include "hyperllm/importers/table_records.h"

namespace hyperllm::importers {
namespace {

namespace fs = std::filesystem;

// Genre flags of u.item in their order (u.genre lists them; copies of the data often lack that file).
constexpr std::string_view kGenres[] = {"unknown",   "Action",   "Adventure",   "Animation", "Children's",
                                        "Comedy",    "Crime",    "Documentary", "Drama",     "Fantasy",
                                        "Film-Noir", "Horror",   "Musical",     "Mystery",   "Romance",
                                        "Sci-Fi",    "Thriller", "War",         "Western"};

void put_film(std::string_view id, std::string_view title, std::vector<std::string> genres,
              ItemCollector& items) {
  ItemText item;
  item.id = id;
  auto [name, year] = split_year(title);
  item.title = std::move(name);
  for (std::string& genre : genres)
    if (genre != "unknown" && genre != "(no genres listed)") item.categories.push_back({std::move(genre)});
  if (!year.empty()) item.other.emplace_back("year", std::move(year));
  items.put(std::move(item));
}

std::vector<std::string> listed_genres(std::string_view text) {
  std::vector<std::string> genres;
  while (!text.empty()) {
    const std::size_t at = std::min(text.find('|'), text.size());
    if (at > 0) genres.push_back(data::to_utf8(text.substr(0, at)));
    text.remove_prefix(std::min(at + 1, text.size()));
  }
  return genres;
}

std::vector<std::string> flagged_genres(const TableReader& table) {
  constexpr std::size_t kFirstFlag = 5;
  table.expect_fields(kFirstFlag + std::size(kGenres));
  std::vector<std::string> genres;
  for (std::size_t i = 0; i < std::size(kGenres); ++i) {
    const std::string_view flag = table.fields()[kFirstFlag + i];
    if (flag != "0" && flag != "1")
      throw table.error(kGenres[i], "'" + std::string(flag.substr(0, 20)) + "' is neither 0 nor 1",
                        "Check that this is ml-100k's u.item.");
    if (flag == "1") genres.emplace_back(kGenres[i]);
  }
  return genres;
}

// The file or its gzip; empty if neither is there.
fs::path plain_or_gzip(const fs::path& folder, const std::string& name) {
  for (const std::string& file : {name, name + ".gz"})
    if (data::input_exists(folder / file)) return folder / file;
  return {};
}

std::string name_of(const fs::path& path) {
  return (path.extension() == ".gz" ? path.stem() : path.filename()).string();
}

}  // namespace

fs::path movielens_ratings(const fs::path& path) {
  if (!data::is_folder(path)) return path;
  for (const char* name : {"ratings.csv", "ratings.dat", "u.data"})
    if (const fs::path found = plain_or_gzip(path, name); !found.empty()) return found;
  if (fs::is_directory(path)) return {};
  for (const fs::path& file : data::files_of(path))  // an archive holds a folder
    for (const char* name : {"ratings.csv", "ratings.dat", "u.data"})
      if (file.filename() == name) return file;
  return {};
}

bool is_movielens_name(const fs::path& path) {
  return name_of(path) == "ratings.dat" || name_of(path) == "u.data";
}

fs::path movielens_items(const fs::path& ratings) {
  const std::string name = name_of(ratings);
  return plain_or_gzip(ratings.parent_path(), name == "u.data"        ? "u.item"
                                              : name == "ratings.dat" ? "movies.dat"
                                                                      : "movies.csv");
}

void read_movielens(const fs::path& ratings, const CsvColumns& told, const Context& context,
                    RawInteractions& raw) {
  const std::string name = name_of(ratings);
  CsvColumns columns = told;
  columns.format = "movielens";
  if (name.ends_with(".dat") || name == "u.data") {
    columns.separator = name == "u.data" ? "\t" : "::";
    columns.header = Header::kNo;
    columns.quotes = false;
  } else {
    columns.separator = ",";
    columns.header = Header::kYes;
    if (columns.user.empty()) columns.user = "userId";
    if (columns.item.empty()) columns.item = "movieId";
    if (columns.rating.empty()) columns.rating = "rating";
    if (columns.timestamp.empty()) columns.timestamp = "timestamp";
  }
  read_ratings_csv(ratings, columns, context, raw);
}

void read_movielens_items(const fs::path& path, const Context& context, ItemCollector& items) {
  read_movielens_items(path, "", context, items);
}

void read_movielens_items(const fs::path& path, const std::string& encoding, const Context& context,
                          ItemCollector& items) {
  const std::string name = name_of(path);
  const bool flags = name == "u.item", dat = name.ends_with(".dat");
  TableFormat format;
  format.separator = std::string(flags ? "|" : dat ? "::" : ",");
  format.quotes = !flags && !dat;
  format.encoding = encoding;
  TableRecords records(path, format);
  const TableReader& table = records.table();
  FileReport& report = items.begin_file(path, "movielens");
  report.opened(records.lines());
  report.separator = format.separator;
  if (!flags && !dat && records.next() &&
      table.fields() != std::vector<std::string_view>{"movieId", "title", "genres"})
    throw table.error("", "the header is not movieId,title,genres",
                      "Check that this is MovieLens' movies.csv, or give format = csv.");
  read_item_rows(records, context, items, [&] {
    std::vector<std::string> genres;
    if (flags) {
      genres = flagged_genres(table);
    } else {
      table.expect_fields(3);
      genres = listed_genres(table.fields()[2]);
    }
    put_film(table.id(0, "movieId"), items.text(table.fields()[1], table.line()), std::move(genres), items);
  });
}

std::pair<std::string, std::string> split_year(std::string_view title) {
  title = data::trimmed(title);
  constexpr std::size_t kLength = 7;  // " (1995)"
  if (title.size() < kLength || title.back() != ')') return {std::string(title), ""};
  const std::string_view year = title.substr(title.size() - kLength + 2, 4);
  const bool digits = std::all_of(year.begin(), year.end(), [](unsigned char c) { return std::isdigit(c); });
  if (title.substr(title.size() - kLength, 2) != " (" || !digits) return {std::string(title), ""};
  return {std::string(data::trimmed(title.substr(0, title.size() - kLength))), std::string(year)};
}

Importer movielens_importer() {
  Importer importer{"movielens", column_options(), nullptr, nullptr, nullptr};
  importer.recognise = [](const fs::path& path, const std::string& encoding) {
    const fs::path ratings = movielens_ratings(path);
    if (ratings.empty() || data::is_folder(ratings)) return false;
    constexpr std::size_t kStart = 1 << 12;
    LineReader lines(ratings, encoding);
    const std::string_view line = lines.ahead(kStart);
    if (line.empty()) return is_movielens_name(ratings);
    if (line.starts_with("userId,movieId,") &&
        (data::is_folder(path) || line.starts_with("userId,movieId,rating,timestamp")))
      return true;
    const char* const separator = name_of(ratings) == "u.data" ? "\t" : "::";
    return is_movielens_name(ratings) && line.find(separator) != line.npos &&
           data::to_number(line.substr(0, line.find(separator)));
  };
  importer.read = [](const ImportOptions& options, const Context& context, Source& source) {
    const fs::path ratings = movielens_ratings(only_input(options));
    HYPERLLM_CHECK(!ratings.empty(), ErrorCode::kIo,
                   options.input[0] + ": has no ratings.csv, ratings.dat or u.data. Check the path.");
    read_movielens(ratings, options.columns(), context, source.raw);
    source.items = movielens_items(ratings);
  };
  importer.read_items = [](const fs::path& path, const ImportOptions& options, const Context& context,
                           ItemCollector& items, bool) {
    const std::string name = path.filename().string();
    if (!name.starts_with("u.item") && !name.starts_with("movies.dat") &&
        !(name.starts_with("movies.") && options.items.empty()))
      return false;
    read_movielens_items(path, options.encoding, context, items);
    return true;
  };
  return importer;
}

}  // namespace hyperllm::importers
