#include "hyperllm/llm/text_checks.h"

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

#include "hyperllm/llm/unicode.h"

namespace hyperllm::llm {
namespace {

constexpr std::size_t kFewWords = 8;

struct WordLanguage {
  std::string_view name;
  std::string_view words;  // small words, blank-separated, with a blank at both ends
};

// Words that are frequent in one of these languages and absent or rare in the others.
constexpr std::array<WordLanguage, 7> kWordLanguages = {{
    {"english", " the and of with for is that this from are it by your its to which has an "},
    {"german", " der die und das ist mit für von ein eine den dem sich auch nicht auf wird zu oder "},
    {"french", " le les et des une est pour avec dans du qui sur au aux cette ce par vous plus "},
    {"spanish", " el los las y del una es para con por que su se como más lo al este esta "},
    {"italian", " il gli e di un è per con che del della sono questo nel alla dei anche più lo "},
    {"portuguese", " o os as e do da um uma é para com não em dos que se ao na no mais "},
    {"dutch", " de het een en van is voor met op dat zijn te niet aan ook door naar deze "},
}};

struct ScriptLanguage {
  std::string_view name;
  char32_t first, last;
};

constexpr std::array<ScriptLanguage, 13> kScripts = {{
    {"russian", 0x400, 0x52F},
    {"greek", 0x370, 0x3FF},
    {"arabic", 0x600, 0x6FF},
    {"hebrew", 0x590, 0x5FF},
    {"hindi", 0x900, 0x97F},
    {"thai", 0xE00, 0xE7F},
    {"chinese", 0x4E00, 0x9FFF},
    {"chinese", 0x3400, 0x4DBF},
    {"japanese", 0x3040, 0x30FF},
    {"japanese", 0x4E00, 0x9FFF},
    {"korean", 0xAC00, 0xD7AF},
    {"korean", 0x1100, 0x11FF},
    {"japanese", 0x31F0, 0x31FF},
}};

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream stream(folded(text));
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

bool in_script(char32_t c, std::string_view language) {
  return std::any_of(kScripts.begin(), kScripts.end(),
                     [&](const auto& s) { return s.name == language && c >= s.first && c <= s.last; });
}

bool is_latin(char32_t c) { return is_letter(c) && c < 0x250; }

std::size_t small_words(const std::vector<std::string>& words, const WordLanguage& language) {
  return static_cast<std::size_t>(std::count_if(words.begin(), words.end(), [&](const std::string& word) {
    return language.words.find(" " + word + " ") != std::string_view::npos;
  }));
}

// `length` words starting at `at` come `times` times in a row.
bool repeats(const std::vector<std::string>& words, std::size_t at, std::size_t length, std::size_t times) {
  if (at + length * times > words.size()) return false;
  for (std::size_t i = at + length; i < at + length * times; ++i)
    if (words[i] != words[i - length]) return false;
  return true;
}

}  // namespace

std::vector<std::string> known_languages() {
  std::set<std::string> names;
  for (const auto& language : kWordLanguages) names.emplace(language.name);
  for (const auto& script : kScripts) names.emplace(script.name);
  return {names.begin(), names.end()};
}

bool wrong_language(std::string_view text, std::string_view language) {
  const std::string wanted = folded(language);
  std::size_t letters = 0, latin = 0, native = 0;
  for (const char32_t c : to_code_points(text)) {
    if (!is_letter(c)) continue;
    ++letters;
    latin += is_latin(c);
    native += in_script(c, wanted);
  }
  if (letters < 20) return false;
  const bool by_script =
      std::any_of(kScripts.begin(), kScripts.end(), [&](const auto& s) { return s.name == wanted; });
  if (by_script) return native * 2 < letters;
  const auto* own = std::find_if(kWordLanguages.begin(), kWordLanguages.end(),
                                 [&](const auto& l) { return l.name == wanted; });
  if (own == kWordLanguages.end()) return false;
  if (latin * 2 < letters) return true;
  const std::vector<std::string> words = words_of(text);
  if (words.size() < kFewWords) return false;
  const std::size_t mine = small_words(words, *own);
  return std::any_of(kWordLanguages.begin(), kWordLanguages.end(), [&](const auto& other) {
    return other.name != wanted && small_words(words, other) >= 3 * mine + 3;
  });
}

bool repetition_loop(std::string_view text) {
  const std::vector<std::string> words = words_of(text);
  for (std::size_t at = 0; at < words.size(); ++at)
    for (std::size_t length = 1; length <= 40; ++length)
      if (repeats(words, at, length, length == 1 ? 6 : 4)) return true;
  if (words.size() < 24) return false;
  std::set<std::string> triples;
  for (std::size_t i = 0; i + 2 < words.size(); ++i)
    triples.insert(words[i] + ' ' + words[i + 1] + ' ' + words[i + 2]);
  return triples.size() * 3 < words.size() - 2;
}

}  // namespace hyperllm::llm
