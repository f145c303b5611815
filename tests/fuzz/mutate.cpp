#include <algorithm>
#include <string_view>

#include "tests/fuzz/fuzz.h"

namespace hyperllm::fuzz {
namespace {

using namespace std::string_view_literals;

// Numbers and words at which readers turn off the road.
constexpr std::string_view kTelling[] = {"-1"sv,
                                         "0"sv,
                                         "4294967295"sv,
                                         "2147483648"sv,
                                         "9223372036854775807"sv,
                                         "18446744073709551616"sv,
                                         "1e999"sv,
                                         "-1e-999"sv,
                                         "nan"sv,
                                         "null"sv,
                                         "true"sv,
                                         "\"\""sv,
                                         "[]"sv,
                                         "{}"sv,
                                         "\\ud800"sv,
                                         "\xff"sv,
                                         "\xef\xbb\xbf"sv,
                                         "\r\n"sv,
                                         "\t"sv,
                                         "\""sv,
                                         "'"sv,
                                         "\0"sv,
                                         "\0\0\0\0"sv,
                                         "\xff\xff\xff\xff"sv,
                                         "\x7f\xff\xff\xff"sv,
                                         "\x80\x00\x00\x00"sv,
                                         "\x00\x00\x00\xfe"sv,
                                         "\x00\x00\x02\x13"sv,
                                         "${HOME}"sv,
                                         "/*"sv,
                                         "<!--"sv};

constexpr std::string_view kOpen[] = {"["sv,
                                      "{"sv,
                                      "("sv,
                                      "{\"a\":"sv,
                                      "[{\"a\":"sv,
                                      "{'a':("sv,
                                      "a."sv,
                                      "<a>"sv,
                                      "\x00\x00\x00\x13\x00\x00\x00\x01"sv,
                                      "\x00\x00\x00\x02"sv,
                                      "\x00\x00\x04\x02"sv,
                                      "/*"sv,
                                      "\""sv};

constexpr std::size_t kLongest = 1 << 20;

std::string repeated(std::string_view text, std::size_t times) {
  std::string result;
  result.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

std::string closing(std::string_view open) {
  std::string result;
  for (auto letter = open.rbegin(); letter != open.rend(); ++letter) {
    if (*letter == '[') result += ']';
    if (*letter == '{') result += '}';
    if (*letter == '(') result += ')';
  }
  return result;
}

std::string nest(std::string_view open, std::size_t depth) {
  return repeated(open, depth) + "1" + repeated(closing(open), depth);
}

}  // namespace

std::string mutant(const std::vector<std::string>& corpus, Random& random) {
  std::string bytes = corpus[random.below(corpus.size())];
  const auto place = [&] { return random.below(bytes.size() + 1); };
  for (std::uint64_t left = 1 + random.below(4); left > 0; --left) {
    const std::size_t at = place();
    switch (random.below(9)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(random.below(256));
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.erase(at, random.below(16));
        break;
      case 4: {  // of another text, or of its own
        const std::string& other = corpus[random.below(corpus.size())];
        const std::size_t from = random.below(other.size() + 1);
        bytes.replace(at, random.below(16), other.substr(from, random.below(64)));
        break;
      }
      case 5: {
        const std::string part = bytes.substr(at, 1 + random.below(32));
        bytes.insert(at, repeated(part, 1 + random.below(random.below(8) == 0 ? 4000 : 8)));
        break;
      }
      case 6:
      case 7: {
        const std::string_view word = kTelling[random.below(std::size(kTelling))];
        bytes.replace(at, random.below(2) * std::min<std::size_t>(word.size(), bytes.size() - at), word);
        break;
      }
      default:
        bytes.insert(at, nest(kOpen[random.below(std::size(kOpen))],
                              1 + random.below(random.below(8) == 0 ? 50'000 : 300)));
    }
    if (bytes.size() > kLongest) bytes.resize(kLongest);
  }
  return bytes;
}

std::vector<std::string> nested(const std::vector<std::string>& corpus) {
  std::vector<std::string> inputs;
  for (const std::string_view open : kOpen)
    for (const std::size_t depth : {std::size_t{300}, std::size_t{200'000}}) {
      const std::string value = nest(open, depth);
      inputs.push_back(value);
      const std::string& text = corpus.front();
      inputs.push_back(value + text);  // "a.a.a.name = 1"
      inputs.push_back(text.substr(0, text.size() / 2) + value + text.substr(text.size() / 2));
      const std::size_t colon = text.find_last_of(":=");  // a value of an object, of a table
      if (colon != text.npos)
        inputs.push_back(text.substr(0, colon + 1) + value +
                         text.substr(std::min(text.find_first_of(",}\n", colon), text.size())));
    }
  return inputs;
}

}  // namespace hyperllm::fuzz
