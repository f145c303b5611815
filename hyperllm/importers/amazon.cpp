#include "hyperllm/importers/amazon.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/data/utf8.h"
#include "hyperllm/importers/csv.h"
#include "hyperllm/importers/importer.h"
#include "hyperllm/importers/json_object.h"
#include "hyperllm/importers/jsonl.h"

namespace hyperllm::importers {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Names of the four fields of a review.
struct Fields {
  const char *user, *item, *rating, *timestamp;
};
constexpr Fields kOldFields{"reviewerID", "asin", "overall", "unixReviewTime"};  // 2014 and 2018
constexpr Fields kNewFields{"user_id", "parent_asin", "rating", "timestamp"};    // 2023

constexpr const char* kReviewRemedy =
    "A review has reviewerID, asin, overall, unixReviewTime (2014, 2018) or user_id, parent_asin, rating, "
    "timestamp "
    "(2023); if the file is something else, give its format.";

// The first line of a table; empty for JSON, which may be one line as a whole.
std::string first_row(const fs::path& path, const std::string& encoding) {
  if (looks_like_json(path, encoding)) return "";
  LineReader lines(path, encoding);
  std::string_view line;
  while (lines.next(line))
    if (!data::trimmed(line).empty()) return std::string(line);
  return "";
}

// The first object of a file of JSON; no object for any other.
json first_object(const fs::path& path, const std::string& encoding) {
  if (!looks_like_json(path, encoding)) return {};
  ObjectReader objects(path, encoding);
  return objects.next() ? std::move(objects.object().value) : json();
}

bool is_product(std::string_view text) {
  return text.size() == 10 && (text[0] == 'B' || std::isdigit(static_cast<unsigned char>(text[0]))) &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isdigit(c) || std::isupper(c); });
}

class ReviewReader {
 public:
  ReviewReader(const fs::path& path, const CsvColumns& columns, const Context& context, RawInteractions& raw)
      : objects_(path, columns.encoding),
        meter_(context, objects_.lines()),
        raw_(raw),
        report_(raw.begin_file(path)),
        bad_(columns.bad_rows, report_) {
    report_.format = "amazon";
    report_.opened(objects_.lines());
  }

  void read() {
    while (objects_.next()) {
      meter_.row();
      bad_.row([&] { read_object(objects_.object()); });
    }
    bad_.check();
  }

 private:
  void read_object(const TextObject& parsed) {
    if (!parsed.problem.empty()) throw fail("", parsed.problem);
    const json& review = parsed.value;
    const Fields& names = review.contains(kNewFields.item) ? kNewFields : kOldFields;
    const std::string user = id(review, names.user), item = id(review, names.item);
    const auto rating = static_cast<float>(number(review, names.rating));
    if (!std::isfinite(rating)) throw fail(names.rating, "the value does not fit a 32-bit float");
    const double time = number(review, names.timestamp);
    const double seconds = &names == &kNewFields ? time / 1000 : time;
    raw_.add(user, item, rating, seconds, objects_.line());
    report_fields(review, names);
    report_.ratings.add(rating);
    report_.times.add(seconds);
  }
  // Once, by the first review.
  void report_fields(const json& review, const Fields& names) {
    if (!report_.used.empty()) return;
    report_.used = {
        {"user", names.user}, {"item", names.item}, {"rating", names.rating}, {"timestamp", names.timestamp}};
    for (const auto& [key, value] : review.items())
      if (key != names.user && key != names.item && key != names.rating && key != names.timestamp)
        report_.unused.push_back(key);
  }
  Error fail(std::string_view field, const std::string& problem) const {
    return data_error(objects_.lines().path().string(), objects_.line(), field, problem, kReviewRemedy);
  }
  std::string id(const json& review, const char* name) const {
    const auto found = review.find(name);
    if (found == review.end() || !found->is_string()) throw fail(name, "it is missing or not a text");
    const std::string& text = found->get_ref<const std::string&>();
    if (text.empty() || text.find_first_of("\t\r\n") != text.npos)
      throw fail(name, "the id is empty or holds a tab or a line end");
    return text;
  }
  double number(const json& review, const char* name) const {
    const auto found = review.find(name);
    if (found == review.end()) throw fail(name, "it is missing");
    if (!found->is_number())
      throw fail(name, found->dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 40) +
                           " is not a number");
    return found->get<double>();
  }

  ObjectReader objects_;
  ReadMeter meter_;
  RawInteractions& raw_;
  FileReport& report_;
  BadRows bad_;
};

// Which of the first two columns holds the products, by the first thousand rows.
Edition edition_of_ratings(const fs::path& path) {
  constexpr int kRows = 1000;
  TableFormat format;
  format.separator = ",";
  format.quotes = true;
  TableReader table(path, format);
  int first = 0, second = 0;
  for (int row = 0; row < kRows && table.next(); ++row) {
    if (table.fields().size() < 2) continue;
    const bool a = is_product(table.fields()[0]), b = is_product(table.fields()[1]);
    first += a && !b;
    second += b && !a;
  }
  if (first == second)
    throw data_error(path.string(), 0, "", "cannot tell whether the user or the item comes first",
                     "Give edition = 2014 (user first) or edition = 2018 (item first).");
  return first > second ? Edition::k2018 : Edition::k2014;
}

void read_ratings(const fs::path& path, Edition edition, const CsvColumns& told, bool header,
                  const Context& context, RawInteractions& raw) {
  CsvColumns columns = told;
  columns.format = "amazon";
  columns.separator = ",";
  if (header) {
    columns.header = Header::kYes;
    if (columns.user.empty()) columns.user = kNewFields.user;
    if (columns.item.empty()) columns.item = kNewFields.item;
    if (columns.rating.empty()) columns.rating = kNewFields.rating;
    if (columns.timestamp.empty()) columns.timestamp = kNewFields.timestamp;
  } else {
    if (edition == Edition::kAuto) edition = edition_of_ratings(path);
    columns.header = Header::kNo;
    if (columns.user.empty()) columns.user = edition == Edition::k2018 ? "2" : "1";
    if (columns.item.empty()) columns.item = edition == Edition::k2018 ? "1" : "2";
  }
  read_ratings_csv(path, columns, context, raw);
}

}  // namespace

bool looks_like_amazon(const fs::path& path, const std::string& encoding) {
  if (const json review = first_object(path, encoding); review.is_object())
    return (review.contains(kOldFields.user) && review.contains(kOldFields.item)) ||
           (review.contains(kNewFields.user) && review.contains(kNewFields.item));
  const std::string line = first_row(path, encoding);
  if (line.starts_with("user_id,parent_asin,")) return true;
  const std::size_t comma = line.find(','), second = comma == line.npos ? comma : line.find(',', comma + 1);
  if (second == line.npos) return false;
  return is_product(line.substr(0, comma)) != is_product(line.substr(comma + 1, second - comma - 1));
}

void read_amazon(const fs::path& path, Edition edition, const CsvColumns& columns, const Context& context,
                 RawInteractions& raw) {
  if (!looks_like_json(path, columns.encoding)) {
    const std::string line = first_row(path, columns.encoding);
    if (line.empty()) throw data_error(path.string(), 0, "", "the file is empty", kReviewRemedy);
    return read_ratings(path, edition, columns, line.starts_with("user_id,"), context, raw);
  }
  const bool told =
      !(columns.user + columns.item + columns.rating + columns.timestamp + columns.label + columns.split)
           .empty();
  if (told) return read_ratings_jsonl(path, columns, context, raw);
  raw.has_rating = raw.has_timestamp = true;
  ReviewReader(path, columns, context, raw).read();
}

void read_amazon(const fs::path& path, Edition edition, const Context& context, RawInteractions& raw) {
  read_amazon(path, edition, CsvColumns(), context, raw);
}

Importer amazon_importer() {
  Importer importer{"amazon", column_options(), nullptr, nullptr, nullptr};
  importer.options.push_back("edition");
  importer.recognise = [](const fs::path& path, const std::string& encoding) {
    return !data::is_folder(path) && looks_like_amazon(path, encoding);
  };
  importer.read = [](const ImportOptions& options, const Context& context, Source& source) {
    const Edition edition = options.edition == "2014"   ? Edition::k2014
                            : options.edition == "2018" ? Edition::k2018
                            : options.edition == "2023" ? Edition::k2023
                                                        : Edition::kAuto;
    read_inputs(options, source.raw, [&](const fs::path& path) {
      read_amazon(path, edition, options.columns(), context, source.raw);
    });
  };
  importer.read_items = [](const fs::path& path, const ImportOptions& options, const Context& context,
                           ItemCollector& items, bool own) {
    if (!own) return false;
    const json object = first_object(path, options.encoding);
    const bool own_id = options.item_column == kOldFields.item || options.item_column == kNewFields.item;
    if (!object.is_object() || (!own_id && object.contains(options.item_column))) return false;
    read_amazon_items(path, context, items, options.encoding);
    return true;
  };
  return importer;
}

}  // namespace hyperllm::importers
