#include "hyperllm/importers/columns.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "hyperllm/base/error.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/data/shell.h"
#include "hyperllm/importers/roles.h"
#include "hyperllm/importers/sample.h"

namespace hyperllm::importers {
namespace {

std::string joined(const std::vector<std::string>& fields) {
  std::string result;
  for (const std::string& field : fields)
    result.append(result.empty() ? "" : ", ").append(field.substr(0, 40));
  return result;
}

Names views(const std::vector<std::string>& fields) { return {fields.begin(), fields.end()}; }

class Finder {
 public:
  Finder(const Probe& probe, const CsvColumns& wanted)
      : probe_(probe), wanted_(wanted), first_(probe.rows.front()), header_(views(first_)) {}

  Layout find() {
    if (!probe_.header_known) check_first_line();
    found_.header = is_header();
    if (found_.header && has_row_names()) {
      first_.insert(first_.begin(), "");
      header_ = views(first_);
    }
    found_.count = first_.size();
    samples_ = sample(probe_.rows, found_.header ? 1 : 0, first_.size());
    for (std::size_t i = 0; i < first_.size(); ++i)
      found_.names.push_back(found_.header ? first_[i] : "column " + std::to_string(i + 1));
    if (found_.header)
      by_names();
    else
      by_places();
    if (found_.user == found_.item)
      throw error("", "user and item are the same column",
                  "Set user_column and item_column to different columns.");
    find_forms();
    return found_;
  }

 private:
  Error error(std::string_view field, const std::string& problem, const std::string& remedy) const {
    return data_error(probe_.path.string(), probe_.line, field, problem, remedy);
  }

  bool is_header() const {
    if (probe_.header_known) return probe_.header;
    if (wanted_.header != Header::kAuto) return wanted_.header == Header::kYes;
    for (const std::string* name :
         {&wanted_.user, &wanted_.item, &wanted_.rating, &wanted_.timestamp, &wanted_.label, &wanted_.split})
      if (!name->empty() && !data::to_integer(*name) &&
          std::find(header_.begin(), header_.end(), *name) != header_.end())
        return true;
    std::size_t known = 0;
    for (const Role* role : {&kUser, &kItem, &kRating, &kTimestamp})
      known += std::any_of(header_.begin(), header_.end(), [&](std::string_view field) {
        return names(*role, column_key(field)) || column_key(field) == "id";
      });
    const bool values = std::any_of(header_.begin(), header_.end(), [](std::string_view field) {
      return data::to_number(field) || data::to_timestamp(field) || data::is_ambiguous_date(field) ||
             data::order_of(field) != data::TimeFormat::Order::kUnknown;
    });
    if (known > 0 && (known > 1 || !values)) return true;  // a movie may be called Book
    if (values) return false;
    if (first_.size() == 1 && first_[0].find_first_of(",;\t") != std::string::npos)
      throw error(
          "", "the whole line stands in quotes: " + joined(first_),
          "Take them off: " + data::text_command(probe_.path) + " | sed 's/^\"//; s/\"$//' > plain.csv.");
    if (first_.size() == 1)
      throw error("", "the first line is one field, with no separator that is known: " + joined(first_),
                  "Give the separator, for example separator = ~ (or space, tab).");
    if (std::any_of(header_.begin(), header_.end(), names_an_id)) return true;
    const bool numbers = wanted_.user.size() + wanted_.item.size() > 0;
    throw error(
        "", "cannot tell whether the first line is a header: " + joined(first_),
        numbers ? "Say header = yes or header = no."
                : "Say header = yes and name the columns with user_column and item_column, or header = no.");
  }

  // A title above the table, or a header with marks of its own between its words.
  void check_first_line() const {
    constexpr std::size_t kFewest = 3;
    if (probe_.rows.size() < kFewest) return;
    const std::size_t fields = probe_.rows[1].size();
    const bool alike = std::all_of(probe_.rows.begin() + 1, probe_.rows.end(),
                                   [&](const auto& row) { return row.size() == fields; });
    const std::size_t difference = fields > first_.size() ? fields - first_.size() : first_.size() - fields;
    if (!alike || difference < 2) return;
    throw error(
        "",
        "the first line has " + std::to_string(first_.size()) + " fields and the rows have " +
            std::to_string(fields) + ": " + joined(first_),
        "It is a title, or a header with other marks between its words than the rows have. Delete it: " +
            data::text_command(probe_.path) +
            " | sed 1d > rows.csv; name columns by their numbers if no header is left.");
  }

  // R writes the numbers of the rows without a name for their column.
  bool has_row_names() const {
    if (probe_.rows.size() < 2) return false;
    for (std::size_t r = 1; r < probe_.rows.size(); ++r)
      if (probe_.rows[r].size() != first_.size() + 1 || data::trimmed(probe_.rows[r][0]) != std::to_string(r))
        return false;
    return true;
  }

  // The column that the option names, by header or by number.
  int named(const std::string& wanted, const Role& role) const {
    if (wanted == "none") return -1;
    if (found_.header) {
      const auto found = std::find(header_.begin(), header_.end(), wanted);
      if (found != header_.end()) return static_cast<int>(found - header_.begin());
    }
    const auto number = data::to_integer(wanted);
    if (number && *number >= 1 && *number <= static_cast<std::int64_t>(first_.size()))
      return static_cast<int>(*number - 1);
    const std::string near = nearest_word(wanted, first_);
    throw error(wanted,
                std::string("no such column (") + role.option + "); the first line is: " + joined(first_),
                near.empty() || !found_.header ? "Give a name of the header or a number from 1."
                                               : "Did you mean '" + near + "'?");
  }

  int by_name(const std::string& wanted, const Role& role, bool required) const {
    if (!wanted.empty()) {
      const int at = named(wanted, role);
      if (at < 0 && required)
        throw error("", std::string(role.option) + " = none, but every row needs it", "Name a column.");
      return at;
    }
    const int at = recognised(header_, role);
    if (at < 0 && required)
      throw error("",
                  std::string("no column for the ") + (&role == &kUser ? "user" : "item") +
                      "; the first line is: " + joined(first_),
                  std::string("Name it with ") + role.option +
                      (probe_.header_known ? "." : ", or check the separator."));
    return at;
  }

  bool taken(int at) const { return at == found_.user || at == found_.item; }

  void by_names() {
    found_.user = by_name(wanted_.user, kUser, true);
    found_.item = by_name(wanted_.item, kItem, true);
    found_.rating = by_name(wanted_.rating, kRating, false);
    found_.timestamp = by_name(wanted_.timestamp, kTimestamp, false);
    found_.label = by_name(wanted_.label, kLabel, false);
    found_.split = by_name(wanted_.split, kSplit, false);
    if (wanted_.rating.empty() && found_.rating >= 0 && taken(found_.rating)) found_.rating = -1;
    if (wanted_.timestamp.empty() && found_.timestamp >= 0) {
      const ColumnSample& times = samples_[static_cast<std::size_t>(found_.timestamp)];
      const bool exact = names(kTimestamp, column_key(found_.name(found_.timestamp)));
      if (taken(found_.timestamp) || (!exact && !times.is_time())) found_.timestamp = -1;
    }
    if (wanted_.rating.empty() && found_.rating >= 0 &&
        !names(kRating, column_key(found_.name(found_.rating))) &&
        !at(found_.rating).all(at(found_.rating).numbers))
      found_.rating = -1;
    if (wanted_.label.empty() && found_.label >= 0 &&
        (!at(found_.label).all(at(found_.label).numbers + at(found_.label).truths) ||
         at(found_.label).least < 0 || at(found_.label).most > 1))
      found_.label = -1;
    if (wanted_.item.empty() && column_key(found_.name(found_.item)) == "id" && at(found_.item).counts())
      contradicted(found_.item, "the numbers of the rows");
    if (wanted_.rating.empty() && found_.rating >= 0 && at(found_.rating).all(at(found_.rating).epochs))
      contradicted(found_.rating, "times where the rating should be");
    if (wanted_.split.empty() && found_.split >= 0 && !at(found_.split).distinct.empty() &&
        !std::all_of(at(found_.split).distinct.begin(), at(found_.split).distinct.end(),
                     [](const std::string& word) { return part_of(word).has_value(); }))
      found_.split = -1;
  }

  const ColumnSample& at(int column) const { return samples_[static_cast<std::size_t>(column)]; }

  void by_places() {
    const auto told = [&](const std::string& wanted, const Role& role) {
      return wanted.empty() ? -1 : named(wanted, role);
    };
    found_.user = told(wanted_.user, kUser);
    found_.item = told(wanted_.item, kItem);
    found_.rating = told(wanted_.rating, kRating);
    found_.timestamp = told(wanted_.timestamp, kTimestamp);
    found_.label = told(wanted_.label, kLabel);
    found_.split = told(wanted_.split, kSplit);
    const auto place = [&](int& column, const std::string& wanted, int at) {
      const bool free = at != found_.user && at != found_.item && at != found_.rating &&
                        at != found_.timestamp && at != found_.label && at != found_.split;
      if (wanted.empty() && free && at < static_cast<int>(first_.size())) column = at;
    };
    place(found_.user, wanted_.user, 0);
    place(found_.item, wanted_.item, 1);
    if (found_.user < 0 || found_.item < 0)
      throw error("",
                  std::string("no column for the ") + (found_.user < 0 ? "user" : "item") +
                      "; the first line is: " + joined(first_),
                  std::string("Give its number with ") + (found_.user < 0 ? "user_column" : "item_column") +
                      ", or check the separator.");
    place(found_.rating, wanted_.rating, 2);
    place(found_.timestamp, wanted_.timestamp, 3);
    check_places();
  }

  // The guess by places, against what the columns hold.
  void check_places() {
    const bool guessed_rating = found_.rating >= 0 && wanted_.rating.empty();
    const bool guessed_time = found_.timestamp >= 0 && wanted_.timestamp.empty();
    if (guessed_rating && !guessed_time && found_.timestamp < 0 && wanted_.timestamp.empty() &&
        at(found_.rating).is_time())
      std::swap(found_.rating, found_.timestamp);
    if (wanted_.item.empty() && at(found_.item).dates * 10 > at(found_.item).filled() * 9)
      contradicted(found_.item, "times where the item should be");
    if (wanted_.item.empty() && is_all_times(found_.item))
      contradicted(found_.item, "times where the item should be");
    if (wanted_.user.empty() && at(found_.user).counts())
      contradicted(found_.user, "the numbers of the rows where the user should be");
    if (wanted_.user.empty() && is_matrix())
      throw error(
          "", "all " + std::to_string(samples_.size()) + " columns hold a few numbers: a matrix, most likely",
          "Write one line for each rating: user, item, rating; or name the columns with user_column and "
          "item_column.");
    if (wanted_.user.empty() && looks_like_ratings(found_.user))
      contradicted(found_.user, "a few numbers, like ratings, where the user should be");
    if (found_.rating >= 0 && wanted_.rating.empty()) {
      if (at(found_.rating).is_time()) contradicted(found_.rating, "times where the rating should be");
      if (at(found_.rating).filled() > 0 && at(found_.rating).numbers == 0)
        contradicted(found_.rating, "words where the rating should be");
      if (depends_on_item(found_.rating))
        contradicted(found_.rating, "one number for each item, like a category, where the rating should be");
    }
    if (found_.timestamp >= 0 && wanted_.timestamp.empty() && at(found_.timestamp).filled() > 0 &&
        at(found_.timestamp).numbers + at(found_.timestamp).dates == 0)
      contradicted(found_.timestamp, "words where the time should be");
    if (found_.timestamp >= 0 && wanted_.timestamp.empty() && !at(found_.timestamp).is_time())
      for (int c = found_.timestamp + 1; c < static_cast<int>(samples_.size()); ++c)
        if (at(c).is_time())
          contradicted(found_.timestamp, "no times, as column " + std::to_string(c + 1) + " does");
  }

  // Many numbers, and whenever an item is there again, so is its number.
  bool depends_on_item(int column) const {
    if (at(column).is_scale() || at(column).distinct.size() < ColumnSample::kEnough) return false;
    std::map<std::string_view, std::string_view> number;
    std::size_t again = 0;
    for (const auto& row : probe_.rows) {
      if (row.size() != found_.count) continue;
      const auto [seen, first] =
          number.emplace(row[static_cast<std::size_t>(found_.item)], row[static_cast<std::size_t>(column)]);
      if (!first && seen->second != row[static_cast<std::size_t>(column)]) return false;
      again += !first;
    }
    return again >= ColumnSample::kEnough;
  }
  bool is_matrix() const {
    constexpr std::size_t kWide = 8;
    return samples_.size() >= kWide &&
           std::all_of(samples_.begin(), samples_.end(), [](const ColumnSample& s) {
             return s.all(s.numbers) && s.least >= -1 && s.most <= 100;
           });
  }
  bool is_all_times(int column) const {
    return at(column).all(at(column).epochs) && at(column).rows > 3 && at(column).distinct.size() > 3 &&
           (found_.timestamp < 0 || !at(found_.timestamp).is_time());
  }
  bool looks_like_ratings(int column) const {
    constexpr std::size_t kEnough = 20;
    const ColumnSample& s = at(column);
    if (s.rows < kEnough || found_.rating < 0 || !s.is_scale() || at(found_.rating).is_scale()) return false;
    return s.whole < s.numbers || at(found_.rating).distinct.size() > s.distinct.size();
  }

  // "--user-column 1 --item-column 3 ...", by what the columns hold.
  std::string options() const {
    int user = -1, item = -1, rating = -1, time = -1;
    for (int c = 0; c < static_cast<int>(samples_.size()); ++c)
      if (time < 0 && at(c).is_time()) time = c;
    for (int c = 0; c < static_cast<int>(samples_.size()); ++c)
      if (rating < 0 && c != time && at(c).is_scale() &&
          (at(c).whole < at(c).numbers || at(c).distinct.size() > 2))
        rating = c;
    // Texts and whole numbers first, then what may be the numbers of rows, decimals last.
    for (const int pass : {0, 1, 2})
      for (int c = 0; c < static_cast<int>(samples_.size()); ++c) {
        if (c == time || c == rating || c == user || c == item || at(c).distinct.size() < 2) continue;
        if (pass < 2 && at(c).whole < at(c).numbers) continue;
        if (pass < 1 && at(c).counts()) continue;
        if (user < 0)
          user = c;
        else if (item < 0)
          item = c;
      }
    if (item >= 0 && item < user) std::swap(user, item);
    if (user < 0) user = 0;
    if (item < 0) return "";
    const auto text = [](int column) {
      return column < 0 ? std::string("none") : std::to_string(column + 1);
    };
    return "--user-column " + text(user) + " --item-column " + text(item) + " --rating-column " +
           text(rating) + " --timestamp-column " + text(time);
  }

  [[noreturn]] void contradicted(int column, const std::string& what) const {
    throw error("",
                (found_.header ? "column '" + found_.name(column) + "'"
                               : "there is no header, and column " + std::to_string(column + 1)) +
                    " holds " + what + ": " + joined(first_),
                options().empty()
                    ? "None looks like an item; check the separator, or name the columns with user_column "
                      "and item_column."
                    : "Say which column is what, for example " + options() + ".");
  }

  void find_forms() {
    found_.comma = wanted_.decimal == "comma" ||
                   (wanted_.decimal == "auto" && found_.rating >= 0 && at(found_.rating).decimal_commas > 0);
    found_.numbered_user = at(found_.user).is_numbered();
    found_.numbered_item = at(found_.item).is_numbered();
    found_.floats = (found_.numbered_user && at(found_.user).floats > 0) ||
                    (found_.numbered_item && at(found_.item).floats > 0);
    found_.times.pattern = wanted_.timestamp_format;
    if (found_.timestamp < 0 || !wanted_.timestamp_format.empty()) return;
    const ColumnSample& times = at(found_.timestamp);
    if (times.all(times.digit_dates)) found_.times.digits = data::TimeFormat::Digits::kDate;
    using Order = data::TimeFormat::Order;
    if (times.day_first > 0 && times.month_first > 0)
      refuse_dates("dates with the day first and dates with the month first");
    found_.times.order = times.day_first > 0     ? Order::kDayFirst
                         : times.month_first > 0 ? Order::kMonthFirst
                                                 : Order::kUnknown;
    if (found_.times.order == Order::kUnknown && times.ambiguous > 0)
      refuse_dates("dates of which nobody can tell whether day or month comes first");
  }
  [[noreturn]] void refuse_dates(const std::string& what) const {
    throw error(
        found_.name(found_.timestamp), what + ": " + *at(found_.timestamp).distinct.begin(),
        "Say how they are written, for example timestamp_format = %d/%m/%Y or %m/%d/%Y (the letters of "
        "strptime), or give timestamp_column = none.");
  }

  const Probe& probe_;
  const CsvColumns& wanted_;
  std::vector<std::string> first_;
  Names header_;
  Layout found_;
  std::vector<ColumnSample> samples_;
};

}  // namespace

std::optional<Part> part_of(std::string_view word) {
  const std::string key = column_key(word);
  for (const char* name : {"train", "training", "tr", "trn"})
    if (key == name) return Part::kTrain;
  for (const char* name : {"valid", "validation", "val", "dev", "eval", "vali"})
    if (key == name) return Part::kValid;
  for (const char* name : {"test", "testing", "te", "tst"})
    if (key == name) return Part::kTest;
  return std::nullopt;
}

Layout find_layout(const Probe& probe, const CsvColumns& wanted) { return Finder(probe, wanted).find(); }

std::size_t find_item_id(const Probe& probe, const std::string& wanted) {
  const std::vector<std::string>& header = probe.rows.front();
  const auto found = wanted.empty() || data::to_integer(wanted)
                         ? header.end()
                         : std::find(header.begin(), header.end(), wanted);
  if (found != header.end()) return static_cast<std::size_t>(found - header.begin());
  if (const int at = recognised(views(header), kItem, Table::kItems); at >= 0)
    return static_cast<std::size_t>(at);
  throw data_error(probe.path.string(), probe.line, "",
                   "no column for the item; the first line is: " + joined(header),
                   "Name it with item_column, or check the separator.");
}

std::string json_id_field(const nlohmann::json& object, const std::string& wanted) {
  if (!wanted.empty() && object.contains(wanted)) return wanted;
  if (object.contains("id")) return "id";
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  const int at = recognised(views(keys), kItem, Table::kItems);
  return at < 0 ? "id" : keys[static_cast<std::size_t>(at)];
}

}  // namespace hyperllm::importers
