#include "hyperllm/text/tokenizer.h"

#include <gtest/gtest.h>

#include "hyperllm/text/unicode.h"

namespace hyperllm::text {
namespace {

using Strings = std::vector<std::string>;

TEST(Words, AreLowerCaseAndPhrasesEndAtPunctuation) {
  EXPECT_EQ(words("Top & Base Coats, Nail-Polish"), (Strings{"top", "base", "coats", "", "nail", "polish"}));
  EXPECT_EQ(words("  (Sale!) one\ntwo... "), (Strings{"sale", "", "one", "", "two"}));
  EXPECT_EQ(words(""), Strings{});
  EXPECT_EQ(words(" .,;!? "), Strings{});
}

TEST(Words, KeepDecimalsAndJoinAcrossApostrophes) {
  EXPECT_EQ(words("3.4 oz. SPF 15."), (Strings{"3.4", "oz", "", "spf", "15"}));
  EXPECT_EQ(words("v1.x 2."), (Strings{"v1", "", "x", "2"}));
  EXPECT_EQ(words("Women's L'Oreal don't 'quoted' men\u2019s"),
            (Strings{"women", "loreal", "dont", "", "quoted", "", "men"}));
  EXPECT_EQ(words("it's"), Strings{"it"});
  EXPECT_EQ(words("o'sullivan"), Strings{"osullivan"});
}

TEST(Words, LowerCaseBeyondAscii) {
  EXPECT_EQ(words("CRÈME Ĉapelo ŽENA"), (Strings{"crème", "ĉapelo", "žena"}));
  EXPECT_EQ(words("ΆΛΦΑ ΩΜΈΓΑ ΛΌΓΟΣ λόγος"), (Strings{"άλφα", "ωμέγα", "λόγοσ", "λόγοσ"}));
  EXPECT_EQ(words("ЁЛКА Щука Ѝ"), (Strings{"ёлка", "щука", "ѝ"}));
  EXPECT_EQ(words("Ｆｕｌｌ　Ｗｉｄｔｈ"), (Strings{"ｆｕｌｌ", "ｗｉｄｔｈ"}));
  EXPECT_EQ(words("हिन्दी عربى"), (Strings{"हिन्दी", "عربى"}));
}

TEST(Words, IdeographsStandAlone) {
  EXPECT_EQ(words("美容液Cカナ。한국어"), (Strings{"美", "容", "液", "c", "カ", "ナ", "", "한국어"}));
}

TEST(Words, SymbolsEmojiAndInvalidBytesSeparate) {
  EXPECT_EQ(words("a\U0001F484b"), (Strings{"a", "", "b"}));
  EXPECT_EQ(words("a\xFF\xC3"
                  "b"),
            (Strings{"a", "", "b"}));
  EXPECT_EQ(words("x\xE2\x82"), Strings{"x"});
  EXPECT_EQ(words("Brand™ gel®"), (Strings{"brand", "gel"}));
}

TEST(CodePoints, InvalidUtf8IsOneReplacementPerByte) {
  for (const std::string bad : {"\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "\xE0\x80\xAF"}) {
    std::size_t at = 0;
    EXPECT_TRUE(next_code_point(bad, at) == 0xFFFD) << bad.size();
    EXPECT_EQ(at, 1u);
  }
  for (const char32_t code : {U'a', U'é', U'€', U'\U0001F600', char32_t{0x10FFFF}, char32_t{0x800}}) {
    std::string bytes;
    append_utf8(bytes, code);
    std::size_t at = 0;
    EXPECT_TRUE(next_code_point(bytes, at) == code);
    EXPECT_EQ(at, bytes.size());
  }
}

TEST(CodePoints, LowerCaseIsIdempotent) {
  for (char32_t code = 0; code < 0x20000; ++code)
    ASSERT_TRUE(to_lower(to_lower(code)) == to_lower(code)) << static_cast<unsigned>(code);
}

TEST(Terms, AreWordsThenPairsWithinPhrasesWithoutStopWords) {
  EXPECT_EQ(terms("Shampoo and Conditioner for Dry Hair, Hair"),
            (Strings{"shampoo", "conditioner", "dry", "hair", "hair", "dry hair"}));
  EXPECT_EQ(terms("dry hair", false), (Strings{"dry", "hair"}));
  EXPECT_EQ(terms("the of and"), Strings{});
}

TEST(NormalForm, IgnoresCaseSpacesAndPunctuation) {
  EXPECT_EQ(normal_form("  Top & Base  COATS"), "top base coats");
  EXPECT_EQ(normal_form("top-base coats!"), normal_form("Top Base Coats"));
  EXPECT_EQ(normal_form("Creams & The Rest"), "creams the rest");
  EXPECT_EQ(normal_form("!!"), "");
}

}  // namespace
}  // namespace hyperllm::text
