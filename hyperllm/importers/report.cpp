#include "hyperllm/importers/report.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "hyperllm/data/utf8.h"

namespace hyperllm::importers {
namespace {

std::string number_text(double value) {
  std::array<char, 40> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), static_cast<float>(value)).ptr;
  return {buffer.data(), end};
}

std::string joined(const std::vector<std::string>& words) {
  std::string result;
  for (const std::string& word : words) result.append(result.empty() ? "" : ", ").append(word);
  return result;
}

std::string shown_separator(const std::string& separator) {
  return separator == "\t"     ? "tab"
         : separator == " "    ? "blanks"
         : separator == "\x01" ? "control character 1"
                               : "'" + separator + "'";
}

// "r.csv:7: field 'rating': 'x' is not a number. Give ..." as "field 'rating': not a number".
std::string reason_of(const std::string& message) {
  std::size_t begin = 0;
  for (std::size_t at = message.find(": "); at != message.npos; at = message.find(": ", at + 1)) {
    std::size_t digits = at;
    while (digits > 0 && message[digits - 1] >= '0' && message[digits - 1] <= '9') --digits;
    if (digits < at && digits > 0 && message[digits - 1] == ':') {
      begin = at + 2;
      break;
    }
  }
  std::string text = message.substr(begin);
  std::string field;
  if (text.starts_with("field '")) {
    const std::size_t end = text.find("': ");
    if (end != text.npos) {
      field = text.substr(0, end + 3);
      text = text.substr(end + 3);
    }
  }
  if (const std::size_t is = text.find("' is "); text.starts_with('\'') && is != text.npos)
    text = text.substr(is + 5);
  if (const std::size_t byte = text.find(": at byte "); byte != text.npos) text.resize(byte);
  if (const std::size_t end = text.find(". "); end != text.npos) text = text.substr(0, end);
  return field + text;
}

}  // namespace

std::int64_t FileReport::left_out_rows() const {
  std::int64_t sum = 0;
  for (const auto& [reason, some] : left_out) sum += some.count;
  return sum;
}

void FileReport::opened(const data::LineReader& lines) {
  packing = lines.packing();
  encoding = lines.encoding();
}

std::string time_text(double seconds) {
  if (!(std::abs(seconds) < 1e12)) return number_text(seconds);
  const auto whole = static_cast<std::time_t>(std::floor(seconds));
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  std::array<char, 64> buffer;
  const std::size_t size = std::strftime(buffer.data(), buffer.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return {buffer.data(), size};
}

std::string describe(const FileReport& r) {
  std::string text = r.path.string() + ": " + r.format;
  if (!r.packing.empty()) text += " out of " + r.packing;
  if (!r.separator.empty()) text += ", separator " + shown_separator(r.separator);
  text += ", " + r.encoding + ". ";
  std::vector<std::string> used;
  for (const auto& [role, column] : r.used) used.push_back(role + " = " + column);
  text += "Columns: " + joined(used) + "; unused: " + (r.unused.empty() ? "none" : joined(r.unused)) + ". ";
  text += std::to_string(r.rows) + " rows";
  if (r.left_out_rows() > 0) {
    std::vector<std::string> reasons;
    for (const auto& [reason, rows] : r.left_out)
      reasons.push_back(std::to_string(rows.count) + " " + reason);
    text += ", " + std::to_string(r.left_out_rows()) + " left out (" + joined(reasons) + ")";
  }
  if (r.ratings.count > 0)
    text += "; ratings " + number_text(r.ratings.least) + " to " + number_text(r.ratings.most);
  if (r.times.count > 0) text += "; times " + time_text(r.times.least) + " to " + time_text(r.times.most);
  for (const std::string& note : r.notes) text += "; " + note;
  return text + ".";
}

std::string to_json(const FileReport& r) {
  nlohmann::ordered_json object;
  object["file"] = r.path.string();
  object["format"] = r.format;
  if (!r.packing.empty()) object["packing"] = r.packing;
  object["encoding"] = r.encoding;
  if (!r.separator.empty()) object["separator"] = r.separator;
  for (const auto& [role, column] : r.used) object["columns"][role] = data::to_utf8(column);
  object["unused"] = nlohmann::ordered_json::array();
  for (const std::string& column : r.unused) object["unused"].push_back(data::to_utf8(column));
  object["rows"] = r.rows;
  if (!r.notes.empty()) object["notes"] = r.notes;
  for (const auto& [reason, rows] : r.left_out) object["left_out"][data::to_utf8(reason)] = rows.count;
  if (r.ratings.count > 0) object["ratings"] = {r.ratings.least, r.ratings.most};
  if (r.times.count > 0) object["times"] = {r.times.least, r.times.most};
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void BadRows::leave_out(const std::string& reason, const std::string& message) {
  FileReport::LeftOut& rows = report_.left_out[reason];
  if (rows.count++ == 0) rows.first = message;
}

void BadRows::bad(const Error& error) {
  if (error.code() != ErrorCode::kInvalidData) throw error;
  const std::string message = error.what();
  if (!rule_.skip)
    throw Error(error.code(), message + " Or leave such rows out, and have them counted: bad_rows = skip.");
  leave_out(reason_of(message), message);
  ++bad_;
  constexpr std::int64_t kMany = 100'000;
  if (bad_ % kMany == 0) check();
}

void BadRows::check() const {
  if (bad_ == 0 || static_cast<double>(bad_) <= rule_.largest_share * static_cast<double>(report_.rows))
    return;
  std::string reasons;
  for (const auto& [reason, rows] : report_.left_out)
    reasons += (reasons.empty() ? "" : ", ") + std::to_string(rows.count) + " " + reason;
  throw data_error(report_.path.string(), 0, "",
                   std::to_string(bad_) + " of " + std::to_string(report_.rows) +
                       " rows cannot be read, more than bad_rows_share allows: " + reasons +
                       "; the first: " + report_.left_out.begin()->second.first,
                   "Check columns, separator and encoding, or give a larger bad_rows_share.");
}

}  // namespace hyperllm::importers
