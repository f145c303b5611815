#include "hyperllm/base/text_table.h"

#include "tests/support/folder.h"

namespace hyperllm {
namespace {

TextTable sample() {
  TextTable table;
  table.header = {"run", "recall@10"};
  table.rows = {{"a_b & \"c\"", {"0.25 \u00b1 0.01", true}}, {"d, e", "-"}};
  return table;
}

TEST(TextTable, EachStyle) {
  EXPECT_EQ(format_table(sample(), TableStyle::kText),
            "run           recall@10\n"
            "---------  ------------\n"
            "a_b & \"c\"  0.25 \u00b1 0.01*\n"
            "d, e                 -\n");
  EXPECT_EQ(format_table(sample(), TableStyle::kMarkdown),
            "| run       |       recall@10 |\n"
            "| --------- | --------------: |\n"
            "| a_b & \"c\" | **0.25 \u00b1 0.01** |\n"
            "| d, e      |               - |\n");
  EXPECT_EQ(format_table(sample(), TableStyle::kLatex),
            "\\begin{tabular}{lr}\n\\toprule\nrun & recall@10 \\\\\n\\midrule\n"
            "a\\_b \\& \"c\" & \\textbf{0.25 $\\pm$ 0.01} \\\\\nd, e & -- \\\\\n"
            "\\bottomrule\n\\end{tabular}\n");
  EXPECT_EQ(format_table(sample(), TableStyle::kCsv),
            "run,recall@10\n\"a_b & \"\"c\"\"\",0.25 \u00b1 0.01\n\"d, e\",-\n");
  EXPECT_EQ(format_table(sample(), TableStyle::kTsv),
            "run\trecall@10\na_b & \"c\"\t0.25 \u00b1 0.01\nd, e\t-\n");
}

TEST(TextTable, LatexCommandsAreEscaped) {
  TextTable table;
  table.header = {"x"};
  table.rows = {{"50% {$#} \\ ~ ^ <1e-10"}};
  EXPECT_NE(format_table(table, TableStyle::kLatex)
                .find("50\\% \\{\\$\\#\\} \\textbackslash{} \\~{} \\^{} $<$1e-10 \\\\"),
            std::string::npos);
}

TEST(TextTable, WithoutRule) {
  TextTable table = sample();
  table.rule = false;
  table.header = {"a", "b"};
  table.rows = {{"1", "2"}};
  EXPECT_EQ(format_table(table, TableStyle::kText), "a  b\n1  2\n");
}

TEST(TextTable, Numbers) {
  EXPECT_EQ(count_text(1234567, TableStyle::kText), "1,234,567");
  EXPECT_EQ(count_text(-123, TableStyle::kText), "-123");
  EXPECT_EQ(count_text(-1234, TableStyle::kText), "-1,234");
  EXPECT_EQ(count_text(1234567, TableStyle::kCsv), "1234567");
  EXPECT_EQ(fixed(0.12345, 3), "0.123");
}

TEST(TextTable, UnknownStyle) {
  EXPECT_EQ(table_style("latex"), TableStyle::kLatex);
  test::expect_error(ErrorCode::kInvalidArgument, {"'latx'", "did you mean 'latex'"},
                     [] { table_style("latx"); });
  test::expect_error(ErrorCode::kInvalidArgument, {"'docx-file'", "text, markdown"},
                     [] { table_style("docx-file"); });
}

}  // namespace
}  // namespace hyperllm
