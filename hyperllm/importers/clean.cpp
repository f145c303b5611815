#include "hyperllm/importers/clean.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include "hyperllm/data/utf8.h"

namespace hyperllm::importers {
namespace {

bool starts_with_word(std::string_view text, std::string_view word) {
  if (text.size() < word.size()) return false;
  return std::equal(word.begin(), word.end(), text.begin(),
                    [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

std::size_t find_word(std::string_view text, std::string_view word, std::size_t from) {
  for (std::size_t i = from; i + word.size() <= text.size(); ++i)
    if (starts_with_word(text.substr(i), word)) return i;
  return text.npos;
}

// Bytes of the HTML tag or comment at the start of `text`, which begins with '<'; 0 if it is a mere "less
// than".
std::size_t tag_length(std::string_view text) {
  if (text.starts_with("<!--")) {
    const std::size_t end = text.find("-->");
    return end == text.npos ? text.size() : end + 3;
  }
  const auto letter = [&](std::size_t i) {
    return i < text.size() && std::isalpha(static_cast<unsigned char>(text[i]));
  };
  if (!letter(1) && !(text.size() > 1 && text[1] == '/' && letter(2)) && !text.starts_with("<!")) return 0;
  for (const auto& [open, close] :
       {std::pair<std::string_view, std::string_view>{"<script", "</script"}, {"<style", "</style"}}) {
    if (!starts_with_word(text, open)) continue;
    const std::size_t end = find_word(text, close, open.size());
    if (end == text.npos) return text.size();
    const std::size_t bracket = text.find('>', end);
    return bracket == text.npos ? text.size() : bracket + 1;
  }
  const std::size_t end = text.find('>');
  return end == text.npos ? text.size() : end + 1;
}

std::string without_tags(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = text[i] == '<' ? tag_length(text.substr(i)) : 0;
    if (length == 0) {
      result += text[i++];
    } else {
      result += ' ';
      i += length;
    }
  }
  return result;
}

constexpr std::array<std::pair<std::string_view, char32_t>, 22> kEntities{{
    {"amp", '&'},      {"lt", '<'},       {"gt", '>'},       {"quot", '"'},     {"apos", '\''},
    {"nbsp", ' '},     {"copy", 0xA9},    {"reg", 0xAE},     {"trade", 0x2122}, {"deg", 0xB0},
    {"eacute", 0xE9},  {"egrave", 0xE8},  {"ndash", 0x2013}, {"mdash", 0x2014}, {"lsquo", 0x2018},
    {"rsquo", 0x2019}, {"ldquo", 0x201C}, {"rdquo", 0x201D}, {"bull", 0x2022},  {"hellip", 0x2026},
    {"frac12", 0xBD},  {"uuml", 0xFC},
}};

// The code point that "&name;" stands for; 0 if it is not an entity.
char32_t entity(std::string_view name) {
  if (name.starts_with('#')) {
    const bool hexadecimal = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
    name.remove_prefix(hexadecimal ? 2 : 1);
    std::uint32_t code = 0;
    const auto [end, error] =
        std::from_chars(name.data(), name.data() + name.size(), code, hexadecimal ? 16 : 10);
    if (error != std::errc() || end != name.data() + name.size()) return 0;
    return code == 0xA0 || code < 0x20 ? U' ' : code;
  }
  const auto* found =
      std::find_if(kEntities.begin(), kEntities.end(), [&](const auto& e) { return e.first == name; });
  return found == kEntities.end() ? 0 : found->second;
}

std::string decoded(std::string_view text) {
  constexpr std::size_t kLongestName = 10;
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = text[i] == '&' ? text.substr(i, kLongestName + 2).find(';') : text.npos;
    const char32_t code = end == text.npos ? 0 : entity(text.substr(i + 1, end - 1));
    if (code == 0) {
      result += text[i++];
    } else {
      data::append_code_point(result, code);
      i += end + 1;
    }
  }
  return result;
}

std::string one_spaced(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    const bool space =
        std::isspace(static_cast<unsigned char>(letter)) || static_cast<unsigned char>(letter) < 0x20;
    if (!space) {
      result += letter;
    } else if (!result.empty() && result.back() != ' ') {
      result += ' ';
    }
  }
  if (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

}  // namespace

std::string clean_text(std::string_view text) {
  std::string result = data::to_utf8(text);
  // Once for the tags of the page, once for those that were entities; text that was encoded twice is common.
  for (int round = 0; round < 2; ++round) result = decoded(without_tags(result));
  return one_spaced(result);
}

}  // namespace hyperllm::importers
