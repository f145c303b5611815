#include "hyperllm/llm/unicode.h"

#include <algorithm>
#include <array>
#include <clocale>
#include <cwctype>
#include <tuple>

namespace hyperllm::llm {
namespace {

struct Composition {
  char16_t letter, mark, composed;
  auto key() const { return std::tuple(letter, mark); }
};

// clang-format off
constexpr Composition kCompositions[] = {
#include "hyperllm/llm/composition.inc"
};
// clang-format on

char32_t compose(char32_t letter, char32_t mark) {
  if (letter > 0xFFFF || mark > 0xFFFF) return 0;
  const Composition wanted{static_cast<char16_t>(letter), static_cast<char16_t>(mark), 0};
  const auto* found = std::lower_bound(std::begin(kCompositions), std::end(kCompositions), wanted,
                                       [](const auto& a, const auto& b) { return a.key() < b.key(); });
  return found != std::end(kCompositions) && found->key() == wanted.key() ? found->composed : 0;
}

// The C library's tables of letters; C.UTF-8 is built into glibc.
locale_t unicode_locale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

// The plain form of one character; 0 if it is to be dropped.
char32_t plain(char32_t c) {
  if (c >= 0xFF01 && c <= 0xFF5E) return c - 0xFF01 + '!';
  if (c == 0xA0 || c == 0x202F || c == 0x205F || c == 0x3000 || (c >= 0x2000 && c <= 0x200A)) return ' ';
  if ((c >= 0x200B && c <= 0x200F) || c == 0x2060 || c == 0xFEFF || c == 0xAD) return 0;
  if (c >= 0x2010 && c <= 0x2015) return '-';
  if (c == 0x2018 || c == 0x2019 || c == 0x201B || c == 0x2032) return '\'';
  if (c == 0x201C || c == 0x201D || c == 0x201E || c == 0x2033) return '"';
  return c;
}

// Length of the UTF-8 sequence that a byte opens, 0 if none.
int sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

bool is_word_character(char32_t c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '&' || c == '+' || c == '#' ||
         (c > 0x7F && c != 0xFFFD);
}

}  // namespace

std::u32string to_code_points(std::string_view utf8) {
  static constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  std::u32string out;
  out.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    const int length = sequence_length(lead);
    bool valid = length > 0 && i + static_cast<std::size_t>(length) <= utf8.size();
    char32_t c = length <= 1 ? lead : lead & (0xFFu >> (length + 1));
    for (int k = 1; valid && k < length; ++k) {
      const auto byte = static_cast<unsigned char>(utf8[i + static_cast<std::size_t>(k)]);
      valid = (byte & 0xC0) == 0x80;
      c = (c << 6) | (byte & 0x3F);
    }
    valid = valid && c >= kSmallest[static_cast<std::size_t>(length)] && c <= 0x10FFFF &&
            (c < 0xD800 || c > 0xDFFF);
    out += valid ? c : 0xFFFD;
    i += valid ? static_cast<std::size_t>(length) : 1;
  }
  return out;
}

std::string to_utf8(std::u32string_view code_points) {
  std::string out;
  for (const char32_t c : code_points) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
    } else if (c < 0x10000) {
      out += {static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)),
              static_cast<char>(0x80 | (c & 0x3F))};
    } else {
      out += {static_cast<char>(0xF0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 0x3F)),
              static_cast<char>(0x80 | ((c >> 6) & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
    }
  }
  return out;
}

std::string valid_utf8(std::string_view bytes) {
  std::u32string points = to_code_points(bytes);
  std::erase(points, U'\0');  // PostgreSQL's text holds no NUL
  return to_utf8(points);
}

std::u32string composed(std::u32string_view code_points) {
  std::u32string out;
  for (const char32_t original : code_points) {
    const char32_t c = plain(original);
    if (c == 0) continue;
    const char32_t whole = out.empty() || c < 0x300 ? 0 : compose(out.back(), c);
    if (whole != 0)
      out.back() = whole;
    else
      out += c;
  }
  return out;
}

char32_t lower(char32_t c) {
  return static_cast<char32_t>(towlower_l(static_cast<wint_t>(c), unicode_locale()));
}

bool is_letter(char32_t c) { return iswalpha_l(static_cast<wint_t>(c), unicode_locale()) != 0; }

std::string folded(std::string_view utf8) {
  const std::u32string points = composed(to_code_points(utf8));
  std::u32string out;
  bool gap = false;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const char32_t c = points[i];
    const bool joins = (c == '\'' || c == '-') && i > 0 && i + 1 < points.size() &&
                       is_word_character(points[i - 1]) && is_word_character(points[i + 1]);
    if (!is_word_character(c) && !joins) {
      gap = true;
      continue;
    }
    if (gap && !out.empty()) out += U' ';
    gap = false;
    out += lower(c);
  }
  return to_utf8(out);
}

}  // namespace hyperllm::llm
