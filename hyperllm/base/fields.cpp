#include "hyperllm/base/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "hyperllm/base/error.h"

namespace hyperllm {
namespace {

[[noreturn]] void reject(const Field& field, std::string_view text, std::string_view expected) {
  throw Error(ErrorCode::kInvalidArgument, "option '" + field.name + "': expected " + std::string(expected) +
                                               ", got '" + std::string(text) + "'");
}

template <typename Number>
Number parse_number(const Field& field, std::string_view text, std::string_view expected) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) reject(field, text, expected);
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(value)) reject(field, text, "a finite number");
  }
  return value;
}

template <typename Number>
std::string number_text(Number value) {
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, result.ptr};
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  if (!text.empty()) parts.emplace_back();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped =
        text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == ',' || text[i + 1] == '\\');
    if (escaped)
      parts.back() += text[++i];
    else if (text[i] == ',')
      parts.emplace_back();
    else
      parts.back() += text[i];
  }
  if (!parts.empty() && parts.back().empty()) parts.pop_back();
  return parts;
}

void check_range(const Field& field, double value, std::string_view text) {
  const Range& range = field.range;
  const bool inside =
      (range.least_excluded ? value > range.least : value >= range.least) && value <= range.most;
  if (!inside) reject(field, text, range_text(range));
}

std::string choices_text(const std::vector<std::string>& choices) {
  std::string text = "one of ";
  for (std::size_t i = 0; i < choices.size(); ++i) text += (i ? ", " : "") + choices[i];
  return text;
}

}  // namespace

void assign_field(const Field& field, std::string_view text) {
  if (!field.choices.empty() &&
      std::find(field.choices.begin(), field.choices.end(), text) == field.choices.end())
    reject(field, text, choices_text(field.choices));
  std::visit(
      [&](auto* target) {
        using T = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<T, bool>) {
          if (text != "true" && text != "false") reject(field, text, "true or false");
          *target = text == "true";
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          const auto value = parse_number<std::int64_t>(field, text, "a whole number");
          check_range(field, static_cast<double>(value), text);
          *target = value;
        } else if constexpr (std::is_same_v<T, double>) {
          const auto value = parse_number<double>(field, text, "a number");
          check_range(field, value, text);
          *target = value;
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          *target = split_list(text);
        } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
          std::vector<std::int64_t> values;
          for (const std::string& part : split_list(text)) {
            values.push_back(parse_number<std::int64_t>(field, part, "whole numbers separated by commas"));
            check_range(field, static_cast<double>(values.back()), part);
          }
          *target = std::move(values);
        } else {
          *target = T(text);
        }
      },
      field.target);
}

const Field& find_field(const FieldList& fields, std::string_view name, std::string_view where) {
  std::vector<std::string> names;
  for (const Field& field : fields) {
    if (field.name == name) return field;
    names.push_back(field.name);
  }
  std::string message = std::string(where) + ": unknown key '" + std::string(name) + "'";
  if (const std::string near = nearest_word(name, names); !near.empty())
    message += "; did you mean '" + near + "'?";
  throw Error(ErrorCode::kInvalidArgument, message);
}

bool counts(const Field& field, const FieldList& fields) {
  if (!field.owner) return true;
  return std::any_of(fields.begin(), fields.end(), [&](const Field& other) {
    const std::vector<std::string>& chosen_by = field.owner->chosen_by;
    if (std::find(chosen_by.begin(), chosen_by.end(), other.name) == chosen_by.end()) return false;
    const std::string chosen = field_text(other);
    return (chosen == "auto" && field.owner->automatic ? field.owner->automatic() : chosen) ==
           field.owner->name;
  });
}

void check_owners(const FieldList& fields) {
  for (const Field& field : fields) {
    if (counts(field, fields) || field_text(field) == field.owner->untouched) continue;
    const FieldOwner& owner = *field.owner;
    const Field& chosen = find_field(fields, owner.chosen_by.front(), owner.kind);
    std::string is = field_text(chosen);
    if (is == "auto" && owner.automatic) is += ", which is " + owner.automatic();
    throw Error(ErrorCode::kInvalidArgument, "option '" + field.name + "' belongs to the " + owner.kind +
                                                 " " + owner.name + ", but '" + chosen.name + "' is " + is +
                                                 "; leave it out, or set '" + chosen.name + "' to " +
                                                 owner.name);
  }
}

void check_fields(const FieldList& fields) {
  for (const Field& field : fields) assign_field(field, field_text(field));
  check_owners(fields);
}

FieldList result_fields(const FieldList& fields) {
  FieldList result;
  for (const Field& field : fields)
    if (field.effect == Effect::kResult && counts(field, fields)) result.push_back(field);
  return result;
}

std::string range_text(const Range& range) {
  // 1000000, not 1e+06
  const auto text = [](double end) {
    return end == std::floor(end) && std::abs(end) < 1e15 ? number_text(static_cast<std::int64_t>(end))
                                                          : number_text(end);
  };
  const bool top = std::isfinite(range.most);
  if (!std::isfinite(range.least)) return top ? "at most " + text(range.most) : "";
  if (range.least_excluded)
    return "above " + text(range.least) + (top ? ", at most " + text(range.most) : "");
  return text(range.least) + (top ? " to " + text(range.most) : " or more");
}

std::string escape_entry(std::string_view entry) {
  std::string text;
  for (const char c : entry) {
    if (c == ',' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

std::string field_text(const Field& field) {
  return std::visit(
      [](auto* target) -> std::string {
        using T = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<T, bool>) {
          return *target ? "true" : "false";
        } else if constexpr (std::is_arithmetic_v<T>) {
          return number_text(*target);
        } else if constexpr (std::is_same_v<T, std::string>) {
          return *target;
        } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
          return target->string();
        } else {
          std::string text;
          for (const auto& value : *target) {
            if (!text.empty()) text += ",";
            if constexpr (std::is_same_v<T, std::vector<std::string>>)
              text += escape_entry(value);
            else
              text += number_text(value);
          }
          return text;
        }
      },
      field.target);
}

}  // namespace hyperllm
