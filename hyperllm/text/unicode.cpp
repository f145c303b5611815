#include "hyperllm/text/unicode.h"

#include <algorithm>
#include <iterator>

namespace hyperllm::text {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Range {
  char32_t first, last;
};

template <std::size_t N>
bool in_ranges(const Range (&ranges)[N], char32_t code) {
  const auto* end = std::end(ranges);
  const auto* at =
      std::lower_bound(std::begin(ranges), end, code, [](const Range& r, char32_t c) { return r.last < c; });
  return at != end && code >= at->first;
}

// Blocks of spaces, punctuation, symbols, private use and emoji, ascending (Unicode 15 block names).
constexpr Range kSeparators[] = {
    {0x00, 0x2F},     {0x3A, 0x40},       {0x5B, 0x60},       {0x7B, 0xA9},     {0xAB, 0xB4},
    {0xB6, 0xB9},     {0xBB, 0xBF},       {0xD7, 0xD7},       {0xF7, 0xF7},     {0x2C2, 0x2C5},
    {0x37E, 0x37E},   {0x387, 0x387},     {0x55A, 0x55F},     {0x589, 0x58A},   {0x5BE, 0x5BE},
    {0x60C, 0x60C},   {0x61B, 0x61F},     {0x6D4, 0x6D4},     {0x964, 0x965},   {0x1680, 0x1680},
    {0x2000, 0x200B}, {0x200E, 0x206F},   {0x20A0, 0x20CF},   {0x2100, 0x2101}, {0x2120, 0x2123},
    {0x2190, 0x2BFF}, {0x2E00, 0x2E7F},   {0x3000, 0x3004},   {0x3008, 0x3020}, {0x3030, 0x3030},
    {0x303D, 0x303F}, {0x30FB, 0x30FB},   {0xE000, 0xF8FF},   {0xFE10, 0xFE1F}, {0xFE30, 0xFE6F},
    {0xFEFF, 0xFEFF}, {0xFF00, 0xFF0F},   {0xFF1A, 0xFF20},   {0xFF3B, 0xFF40}, {0xFF5B, 0xFF65},
    {0xFFE0, 0xFFFF}, {0x1F000, 0x1FAFF}, {0xF0000, 0x10FFFF}};

constexpr Range kIdeographs[] = {{0x3005, 0x3007}, {0x3041, 0x3096}, {0x30A1, 0x30FA}, {0x3400, 0x4DBF},
                                 {0x4E00, 0x9FFF}, {0xF900, 0xFAFF}, {0xFF66, 0xFF9D}, {0x20000, 0x323AF}};

// Blocks in which capitals are even and their small letters follow at once.
constexpr Range kEvenPairs[] = {{0x100, 0x12F},   {0x132, 0x137},   {0x14A, 0x177},
                                {0x1E00, 0x1E95}, {0x1EA0, 0x1EFF}, {0x460, 0x481},
                                {0x48A, 0x4BF},   {0x4D0, 0x52F},   {0x3D8, 0x3EF}};
constexpr Range kOddPairs[] = {{0x139, 0x148}, {0x179, 0x17E}, {0x4C1, 0x4CE}};

template <std::size_t N>
bool in_any(const Range (&ranges)[N], char32_t code) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [code](const Range& r) { return code >= r.first && code <= r.last; });
}

}  // namespace

char32_t next_code_point(std::string_view text, std::size_t& position) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(position++);
  if (lead < 0x80) return lead;
  const int extra = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4 || position + extra > text.size()) return kReplacement;
  char32_t code = lead & (0x3F >> extra);
  for (int i = 0; i < extra; ++i) {
    if ((byte(position + i) & 0xC0) != 0x80) return kReplacement;
    code = (code << 6) | (byte(position + i) & 0x3F);
  }
  constexpr char32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  if (code < kLeast[extra] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return kReplacement;
  position += extra;
  return code;
}

void append_utf8(std::string& out, char32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
    return;
  }
  const int extra = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr unsigned char kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out += static_cast<char>(kLead[extra] | (code >> (6 * extra)));
  for (int i = extra - 1; i >= 0; --i) out += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F));
}

char32_t to_lower(char32_t code) {
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + 32 : code;
  if (code >= 0xC0 && code <= 0xDE) return code == 0xD7 ? code : code + 32;
  if (code == 0x130) return 'i';
  if (code == 0x178) return 0xFF;
  if (code == 0x1E9E) return 0xDF;
  if (code == 0x386) return 0x3AC;
  if (code >= 0x388 && code <= 0x38A) return code + 37;
  if (code == 0x38C) return 0x3CC;
  if (code == 0x38E || code == 0x38F) return code + 63;
  if (code >= 0x391 && code <= 0x3AB && code != 0x3A2) return code + 32;
  if (code == 0x3C2) return 0x3C3;  // final sigma
  if (code >= 0x400 && code <= 0x40F) return code + 80;
  if (code >= 0x410 && code <= 0x42F) return code + 32;
  if (code == 0x4C0) return 0x4CF;
  if (code >= 0x531 && code <= 0x556) return code + 48;
  if (code >= 0xFF21 && code <= 0xFF3A) return code + 32;
  if (code % 2 == 0 && in_any(kEvenPairs, code)) return code + 1;
  if (code % 2 == 1 && in_any(kOddPairs, code)) return code + 1;
  return code;
}

bool is_digit(char32_t code) { return (code >= '0' && code <= '9') || (code >= 0xFF10 && code <= 0xFF19); }

bool is_word(char32_t code) { return !in_ranges(kSeparators, code); }

bool is_ideograph(char32_t code) { return code >= 0x3005 && in_ranges(kIdeographs, code); }

}  // namespace hyperllm::text
