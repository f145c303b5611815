#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "hyperllm/base/random.h"
#include "hyperllm/importers/clean.h"
#include "hyperllm/importers/movielens.h"
#include "hyperllm/importers/python_literal.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/data/times.h"
#include "hyperllm/data/utf8.h"

namespace hyperllm::data {
namespace {

TEST(Numbers, AreReadStrictly) {
  EXPECT_EQ(to_number(" +3.5\t"), 3.5);
  EXPECT_EQ(to_number("-1e-3"), -1e-3);
  EXPECT_EQ(to_number("1e-999"), 0.0);
  EXPECT_TRUE(std::isinf(to_number("1e999").value()));
  EXPECT_TRUE(std::isnan(to_number("nan").value()));
  for (const char* text : {"", " ", "3,5", "4x", "x4", "0x10", "--1", "+-1", "1 2", "four"})
    EXPECT_FALSE(to_number(text)) << text;
  EXPECT_EQ(to_integer("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  for (const char* text : {"9223372036854775808", "1.0", ""}) EXPECT_FALSE(to_integer(text)) << text;
}

TEST(Numbers, ReadBackEqual) {
  Random random(1, "numbers");
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t bits = random();
    double wide;
    float narrow;
    std::memcpy(&wide, &bits, sizeof wide);
    std::memcpy(&narrow, &bits, sizeof narrow);
    if (!std::isfinite(wide) || !std::isfinite(narrow)) continue;
    std::string a, b;
    append_number(a, wide);
    append_number(b, narrow);
    EXPECT_EQ(to_number(a), wide);
    EXPECT_EQ(static_cast<float>(to_number(b).value()), narrow);
  }
}

TEST(Numbers, PointsInTime) {
  EXPECT_EQ(to_timestamp("1391040000"), 1391040000);
  EXPECT_EQ(to_timestamp("1628643414042"), 1628643414.042);
  EXPECT_EQ(to_timestamp("1628643414042000"), 1628643414.042);
  EXPECT_EQ(to_timestamp("1970-01-02"), 86400);
  EXPECT_EQ(to_timestamp("2023-04-30T17:05:09Z"), 1682874309);  // date -u -d ... +%s
  EXPECT_EQ(to_timestamp("2023-04-30 17:05:09.25"), 1682874309.25);
  EXPECT_EQ(to_timestamp("2023-04-30T19:05:09+02:00"), 1682874309);
  EXPECT_EQ(to_timestamp("1969-12-31 23:59"), -60);
  for (const char* text : {"", "2023", "2023-13-01", "2023-02-29", "2023-04-30T25:00",
                           "2023-04-30T17:05:09 PM", "30.04.2023", "-2023-01-01"})
    EXPECT_TRUE(!to_timestamp(text) || std::string(text) == "2023") << text;
}

TEST(Utf8, ValidStaysAndLatin1Converts) {
  EXPECT_EQ(to_utf8("Caf\xE9"), "Café");
  EXPECT_EQ(to_utf8("Café €𝄞"), "Café €𝄞");
  for (const char* bad : {"\x80", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                          "\xF5\x80\x80\x80", "\xE2\x82", "\xFF"})
    EXPECT_FALSE(is_utf8(bad));
  std::string text;
  for (const char32_t code : {U'a', U'é', U'€', U'𝄞'}) append_code_point(text, code);
  EXPECT_EQ(text, "aé€𝄞");
}

TEST(CleanText, HtmlDebrisGoes) {
  using importers::clean_text;
  EXPECT_EQ(clean_text("<p>Very<br/>mild &amp; <b>green</b></p>"), "Very mild & green");
  EXPECT_EQ(clean_text("a < b and 3<4 > 2"), "a < b and 3<4 > 2");
  EXPECT_EQ(clean_text("x<script type='t'>var a = '<b>';</script>y<STYLE>p{}</Style>z<!-- c -->"), "x y z");
  EXPECT_EQ(clean_text("&lt;b&gt;bold&lt;/b&gt; &amp;amp; &#39;q&#x27; &eacute;"), "bold & 'q' é");
  EXPECT_EQ(clean_text("AT&T; R&D &nosuch; &"), "AT&T; R&D &nosuch; &");
  EXPECT_EQ(clean_text(" \n a\t\t b \x01"), "a b");
  EXPECT_EQ(clean_text("cut <span class="), "cut");
  EXPECT_EQ(clean_text("caf\xE9"), "café");
}

TEST(PythonLiteral, ReadsWhatPythonWrites) {
  using importers::parse_python_literal;
  const auto value = parse_python_literal(
      "{'a': 'it\\'s', \"b\": \"say \\\"x\\\"\", 'c': [1, -2.5, None, True], 'd': (False,), 'e': {3: "
      "u'\\u00e9\\xe9\\U0001d11e'}, 'f': {}, 'g': '\\ud834\\udd1e'}");
  ASSERT_TRUE(value);
  EXPECT_EQ((*value)["a"], "it's");
  EXPECT_EQ((*value)["b"], "say \"x\"");
  EXPECT_EQ((*value)["c"], nlohmann::json::parse("[1, -2.5, null, true]"));
  EXPECT_EQ((*value)["d"], nlohmann::json::parse("[false]"));
  EXPECT_EQ((*value)["e"]["3"], "éé𝄞");
  EXPECT_EQ((*value)["f"], nlohmann::json::object());
  EXPECT_EQ((*value)["g"], "𝄞");
  for (const char* bad : {"", "{", "{'a'}", "{'a': }", "{'a': 1", "{'a': 1}x", "['a' 'b']", "open('x')",
                          "{'a': 1 + 1}", "'abc", "'\\x4'", "'\\", "{[1]: 2}", "1.2.3"})
    EXPECT_FALSE(parse_python_literal(bad)) << bad;
  EXPECT_FALSE(parse_python_literal(std::string(100000, '[')));
}

TEST(MovieTitles, TheYearIsSplitOff) {
  using importers::split_year;
  using Pair = std::pair<std::string, std::string>;
  EXPECT_EQ(split_year("Mill, The (1931) "), (Pair{"Mill, The", "1931"}));
  EXPECT_EQ(split_year("2001 (a) (1968)"), (Pair{"2001 (a)", "1968"}));
  for (const char* title : {"Mill", "Mill (abcd)", "(1931)", "Mill(1931)", "Mill (193)", ""})
    EXPECT_EQ(split_year(title).second, "") << title;
}

}  // namespace
}  // namespace hyperllm::data
