// The Netflix prize: blocks "MOVIE:" of lines "user,rating,date".
#include <algorithm>

#include "hyperllm/base/error.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/importers/importer.h"
#include "hyperllm/importers/records.h"

namespace hyperllm::importers {
namespace {

namespace fs = std::filesystem;

// The movie of a line "17:"; empty for any other.
std::string_view movie_of(std::string_view line) {
  line = data::trimmed(line);
  if (line.size() < 2 || line.back() != ':') return {};
  line.remove_suffix(1);
  return line.find_first_not_of("0123456789") == line.npos ? line : std::string_view();
}

class BlockRecords : public Records {
 public:
  BlockRecords(const fs::path& path, const std::string& encoding) : lines_(path, encoding) {}
  bool next() override {
    while (lines_.next(row_)) {
      if (data::trimmed(row_).empty()) continue;
      if (const std::string_view movie = movie_of(row_); !movie.empty()) {
        movie_ = movie;
        continue;
      }
      fields_.assign(1, movie_);
      std::string_view rest = row_;
      while (true) {
        const std::size_t comma = rest.find(',');
        fields_.push_back(rest.substr(0, comma));
        if (comma == rest.npos) return true;
        rest.remove_prefix(comma + 1);
      }
    }
    return false;
  }
  const std::vector<std::string_view>& fields() const override { return fields_; }
  std::int64_t line() const override { return lines_.line_number(); }
  const LineReader& lines() const override { return lines_; }

 private:
  LineReader lines_;
  std::string_view row_;
  std::string movie_;
  std::vector<std::string_view> fields_;
};

void read_blocks(const fs::path& path, const CsvColumns& told, const Context& context, RawInteractions& raw) {
  Probe probe{path, {{"movie", "user", "rating", "date"}}, true, true, 1};
  BlockRecords first(path, told.encoding);
  while (probe.rows.size() < kProbeRows && first.next())
    probe.rows.emplace_back(first.fields().begin(), first.fields().end());
  CsvColumns columns = told;
  columns.format = "netflix";
  columns.item = "movie";
  const Layout at = find_layout(probe, columns);
  FileReport& report = raw.begin_file(path);
  report_layout(at, probe, columns, report);
  BlockRecords records(path, told.encoding);
  report.opened(records.lines());
  report.separator = ",";
  read_records(records, at, columns, context, raw, report);
}

// "id,year,title", the title with all its commas.
void read_titles(const fs::path& path, const std::string& encoding, const Context& context,
                 ItemCollector& items) {
  LineReader lines(path, encoding);
  items.begin_file(path, "netflix").opened(lines);
  ReadMeter meter(context, lines);
  std::string_view line;
  while (lines.next(line)) {
    meter.row();
    items.row([&] {
      const std::size_t one = line.find(','), two = one == line.npos ? one : line.find(',', one + 1);
      if (two == line.npos)
        throw data_error(path.string(), lines.line_number(), "", "the line is not movie,year,title",
                         "Check that this is movie_titles.csv.");
      ItemText item;
      item.id = line.substr(0, one);
      item.title = items.text(data::trimmed(line.substr(two + 1)), lines.line_number());
      const std::string year(line.substr(one + 1, two - one - 1));
      if (year != "NULL" && !year.empty()) item.other.emplace_back("year", year);
      items.put(std::move(item));
    });
  }
}

}  // namespace

Importer netflix_importer() {
  Importer importer{"netflix",
                    {"rating_column", "timestamp_column", "bad_rows", "bad_rows_share", "timestamp_format",
                     "item_column", "list_separator", "encoding"},
                    nullptr,
                    nullptr,
                    nullptr};
  importer.recognise = [](const fs::path& path, const std::string& encoding) {
    if (data::is_folder(path)) return false;
    LineReader lines(path, encoding);
    std::string_view line;
    return lines.next(line) && !movie_of(line).empty();
  };
  importer.read = [](const ImportOptions& options, const Context& context, Source& source) {
    read_inputs(options, source.raw,
                [&](const fs::path& path) { read_blocks(path, options.columns(), context, source.raw); });
    source.items =
        first_existing(fs::path(options.input[0]).parent_path(), {"movie_titles.csv", "movie_titles.txt"});
  };
  importer.read_items = [](const fs::path& path, const ImportOptions& options, const Context& context,
                           ItemCollector& items, bool) {
    if (!path.filename().string().starts_with("movie_titles.")) return false;
    read_titles(path, options.encoding, context, items);
    return true;
  };
  return importer;
}

}  // namespace hyperllm::importers
