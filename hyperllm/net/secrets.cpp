#include "hyperllm/net/secrets.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>

namespace hyperllm::net {
namespace {

constexpr std::size_t kShortest = 8;      // letters of a secret that no text holds by chance
constexpr std::size_t kMostEscapes = 16;  // in front of one letter; a bound, since replies may be hostile

// The value of `digits` hexadecimal digits at `at`, -1 if they are none.
int hex_at(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  int value = 0;
  const char* end = text.data() + at + digits;
  return std::from_chars(text.data() + at, end, value, 16).ptr == end && text[at] != '-' ? value : -1;
}

bool is_at(std::string_view text, std::size_t at, std::string_view what) {
  return text.substr(std::min(at, text.size()), what.size()) == what;
}

// How many letters of `text` at `at` stand for the byte `c`, however it is written; 0 if they do not.
std::size_t letters_of(std::string_view text, std::size_t at, unsigned char c) {
  if (at >= text.size()) return 0;
  const std::size_t plain = static_cast<unsigned char>(text[at]) == c;  // also where c is itself an escape
  std::size_t i = at;
  if (text[at] == '\\') {
    while (is_at(text, i, "\\") && i < at + kMostEscapes) ++i;
    if (i < text.size() && static_cast<unsigned char>(text[i]) == c) return i + 1 - at;
    if (is_at(text, i, "u") && hex_at(text, i + 1, 4) == c) return i + 5 - at;
    if (is_at(text, i, "x") && hex_at(text, i + 1, 2) == c) return i + 3 - at;
  } else if (text[at] == '%') {
    for (++i; is_at(text, i, "25") && hex_at(text, i, 2) != c && i < at + kMostEscapes;) i += 2;
    if (hex_at(text, i, 2) == c) return i + 2 - at;
  } else if (text[at] == '&') {
    static constexpr std::pair<std::string_view, unsigned char> kNames[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (const auto& [name, letter] : kNames)
      if (letter == c && is_at(text, at, name)) return name.size();
    const std::size_t end = at + std::min(text.substr(at, 9).find(';'), text.size());
    if (!is_at(text, at, "&#") || end >= text.size()) return plain;
    const bool hex = is_at(text, at + 2, "x") || is_at(text, at + 2, "X");
    int value = -1;
    std::from_chars(text.data() + at + (hex ? 3 : 2), text.data() + end, value, hex ? 16 : 10);
    if (value == c) return end + 1 - at;
  }
  return plain;
}

// Length of `secret` as it stands in `text` at `at`, 0 if it does not.
std::size_t secret_at(std::string_view text, std::size_t at, std::string_view secret) {
  std::size_t i = at;
  for (const char c : secret) {
    const std::size_t letters = letters_of(text, i, static_cast<unsigned char>(c));
    if (letters == 0) return 0;
    i += letters;
  }
  return i - at;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; }

bool stands_alone(std::string_view text, std::size_t at, std::size_t length, bool answer) {
  if (at > 0 && is_word(text[at - 1])) return false;
  if (at + length < text.size() && is_word(text[at + length])) return false;
  return !answer || text.substr(0, at).ends_with("Bearer ") || text.substr(0, at).ends_with("Basic ");
}

void mask(std::string& text, std::string_view secret, bool answer) {
  if (secret.empty()) return;
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != secret[0] && c != '\\' && c != '%' && c != '&') continue;
    const std::size_t length = secret_at(text, at, secret);
    if (length == 0 || (secret.size() < kShortest && !stands_alone(text, at, length, answer))) continue;
    out.append(text, copied, at - copied).append("***");
    copied = at + length;
    at = copied - 1;
  }
  if (copied > 0) text = out.append(text, copied);
}

// User and password of an address, as they stand there; empty if it names none.
std::string_view user_info(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::string_view host = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  const std::size_t at = host.rfind('@');
  return at == std::string_view::npos ? std::string_view() : host.substr(0, at);
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int value = text[i] == '%' ? hex_at(text, i + 1, 2) : -1;
    out += value >= 0 ? static_cast<char>(value) : text[i];
    if (value >= 0) i += 2;
  }
  return out;
}

}  // namespace

std::string shown_url(std::string_view url) {
  const std::string_view secret = user_info(url);
  std::string out(url);
  if (!secret.empty())
    out.replace(static_cast<std::size_t>(secret.data() - url.data()), secret.size(), "***");
  return out;
}

std::vector<std::string> url_secrets(std::string_view url) {
  const std::string_view both = user_info(url);
  if (both.empty()) return {};
  const std::size_t colon = std::min(both.find(':'), both.size());
  const std::string user = percent_decoded(both.substr(0, colon));
  const std::string password = percent_decoded(both.substr(std::min(colon + 1, both.size())));
  std::vector<std::string> secrets = {base64_of(user + ":" + password), user + ":" + password};
  if (!password.empty()) secrets.push_back(password);
  if (!user.empty()) secrets.push_back(user);
  return secrets;
}

std::vector<std::string> url_passwords(std::string_view url) {
  const std::string_view both = user_info(url);
  const std::size_t colon = both.find(':');
  if (colon == std::string_view::npos || colon + 1 == both.size()) return {};
  return {std::string(both.substr(colon + 1)), percent_decoded(both.substr(colon + 1))};
}

std::string masked(std::string text, std::span<const std::string> secrets, bool answer) {
  for (const std::string& secret : secrets) mask(text, secret, answer);
  return text;
}

std::string base64_of(std::string_view bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : bytes) {
    group = group << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6) out += kDigits[(group >> (bits - 6)) & 63];
  }
  if (bits > 0) out += kDigits[(group << (6 - bits)) & 63];
  return out;
}

}  // namespace hyperllm::net
