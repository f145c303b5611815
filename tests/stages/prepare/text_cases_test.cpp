// Packed files, encodings, quoting, lists, bad rows, dates.
#include <zip.h>
#include <zlib.h>

#include <cstdlib>

#include "tests/stages/prepare/import_case.h"

namespace hyperllm::stages::prepare {
namespace {

using Paths = std::vector<std::vector<std::string>>;
constexpr double kDay = 1599955200;  // date -u -d 2020-09-13 +%s
const std::string kHead = "user,item,rating,timestamp\n";

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 200, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void pack_zip(const std::filesystem::path& path, const std::map<std::string, std::string>& members) {
  int code = 0;
  zip_t* const archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  for (const auto& [name, text] : members)
    zip_file_add(archive, name.c_str(), zip_source_buffer(archive, text.data(), text.size(), 0),
                 ZIP_FL_OVERWRITE);
  zip_close(archive);
}

TEST_F(ImportCase, PackedFilesAreReadInPlace) {
  const std::string log = kHead + "u,x,4,7\n";
  const Rows rows{{"u", "x", 4, 7}};
  EXPECT_EQ(read(gzip(log)), rows);
  EXPECT_EQ(read(gzip(gzip(log))), rows) << "twice packed";
  EXPECT_EQ(read(gzip(kHead) + gzip("u,x,4,7\n")), rows) << "one behind the other";
  refuse({"zcat ", "r.csv | jq -c"}, gzip(R"({"n":1,"data":[{"a":1},{"a":2}]})"));
  pack_zip(folder_ / "m.zip", {{"ml/r.csv", log}, {"__MACOSX/ml/._r.csv", "x"}});
  EXPECT_EQ(read(options("m.zip")), rows);
  pack_zip(folder_ / "l.zip", {{"ml/ratings.csv", "userId,movieId,rating,timestamp\n1,10,3.5,900\n"},
                               {"ml/movies.csv", "movieId,title,genres\n10,Mill (1931),Drama\n"},
                               {"ml/README.txt", "words"}});
  EXPECT_EQ(read(options("l.zip")), (Rows{{"1", "10", 3.5f, 900}}));
  EXPECT_NE(read_file(folder_ / "out/items.jsonl").find("Mill"), std::string::npos);
  EXPECT_EQ(result_.inputs, (std::vector<std::filesystem::path>{folder_ / "l.zip"}));
}

// What Python's bz2 and lzma and the program zstd make of kHead and the row u,x,4,7.
TEST_F(ImportCase, Bzip2XzAndZstd) {
  const std::string bzip2(
      "\102\132\150\071\061\101\131\046\123\131\132\321\152\062\000\000\020\331\200\000\020\000\004\004\200"
      "\042\243\136\100\040\000\061\114\000\023\102\046\032\106\101\352\134\021\315\331\244\041\114\227\101"
      "\342\126\136\051\264\042\112\067\305\334\221\116\024\044\026\264\132\214\200",
      69);
  const std::string xz(
      "\375\067\172\130\132\000\000\004\346\326\264\106\002\000\041\001\026\000\000\000\164\057\345\243\001"
      "\000\042\165\163\145\162\054\151\164\145\155\054\162\141\164\151\156\147\054\164\151\155\145\163\164"
      "\141\155\160\012\165\054\170\054\064\054\067\012\000\000\235\263\213\170\243\211\046\022\000\001\073"
      "\043\141\053\123\276\037\266\363\175\001\000\000\000\000\004\131\132",
      92);
  const std::string zstd(
      "\050\265\057\375\044\043\031\001\000\165\163\145\162\054\151\164\145\155\054\162\141\164\151\156"
      "\147\054\164\151\155\145\163\164\141\155\160\012\165\054\170\054\064\054\067\012\277\342\052\172",
      48);
  EXPECT_EQ(read(zstd), (Rows{{"u", "x", 4, 7}}));
  const std::string skippable("P\x2A\x4D\x18\2\0\0\0no", 10);
  EXPECT_EQ(read(skippable + zstd), (Rows{{"u", "x", 4, 7}})) << "a frame to skip before";
  EXPECT_EQ(read(zstd + zstd + zstd).size(), 1u) << "one behind the other";
  refuse({"zstd", "truncated"}, zstd.substr(0, zstd.size() - 6));
  std::string damaged = zstd;
  damaged[44] = 'z';
  refuse({"zstd", "damaged"}, damaged);
  EXPECT_EQ(read(bzip2), (Rows{{"u", "x", 4, 7}}));
  EXPECT_EQ(read(xz), (Rows{{"u", "x", 4, 7}}));
  refuse({"bzip2", "truncated"}, bzip2.substr(0, bzip2.size() - 6));
  refuse({"xz", "truncated"}, xz.substr(0, xz.size() - 6));
}

// Programs made up for the test stand before all others in PATH.
TEST_F(ImportCase, ParquetThroughAProgram) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", (folder_ / "bin").c_str(), 1);
  put("t.parquet", "PAR1");
  refuse({"Parquet", "pip install duckdb-cli"}, options("t.parquet"), ErrorCode::kUnavailable);
  const auto program = put("bin/duckdb",
                           "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\n"
                           "[ -e \"$0.bad\" ] && { echo broken footer >&2; exit 1; }\n"
                           "echo user,item,rating\necho u,x,4\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  EXPECT_EQ(read(options("t.parquet")), (Rows{{"u", "x", 4, 0}}));
  put("bin/duckdb.bad", "");
  refuse({"t.parquet", "duckdb cannot read", "broken footer"}, options("t.parquet"));
  ::setenv("PATH", path.c_str(), 1);
}

TEST_F(ImportCase, WhatIsNoTextIsNamed) {
  refuse({"web page"}, "<!DOCTYPE html>\n<html></html>\n");
  refuse({"web page"}, "  <html><body>404</body></html>\n");
  refuse({"Git LFS pointer", "git lfs pull"},
         "version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 1\n");
  refuse({"lz4", "lz4 -d"}, "\x04\x22\x4D\x18 rest");
  refuse({"SQLite", "sqlite3 -header -csv"}, std::string("SQLite format 3\0", 16));
  refuse({"pickle", "to_csv"}, "\x80\x04\x95 rest");
  refuse({"HDF5"}, "\x89HDF\r\n\x1A\n");
}

TEST_F(ImportCase, Encodings) {
  std::string wide = "\xFF\xFE";
  for (const char letter : kHead + "u,x,4,7\n") wide += std::string{letter, '\0'};
  EXPECT_EQ(read(wide), (Rows{{"u", "x", 4, 7}}));
  refuse({"r.csv:2", "field 'user'", "not UTF-8", "encoding = windows-1252"}, kHead + "Jos\xE9,x,4,7\n");
  put("r.csv", kHead + "Jos\xE9,x,4,7\n");
  PrepareOptions o = options("r.csv");
  o.encoding = "windows-1252";
  EXPECT_EQ(read(o), (Rows{{"José", "x", 4, 7}}));
  EXPECT_EQ(items("i.csv", "id,title\n1,\x93Mill\x94 \x80\n")["1"].title, "“Mill” €");
  EXPECT_TRUE(warned("i.csv:2: 1 texts are not UTF-8"));
  const std::string chinese = "id,title\n1,\xB5\xE7\xD3\xB0\n";
  EXPECT_THROW(items("i.csv", chinese), Error);
  PrepareOptions gbk;
  gbk.encoding = "gb18030";
  EXPECT_EQ(items("i.csv", chinese, gbk)["1"].title, "电影");
  gbk.encoding = "klingon";
  EXPECT_THROW(items("i.csv", chinese, gbk), Error);
}

TEST_F(ImportCase, QuotingSeparatorsAndComments) {
  EXPECT_EQ(items("i.csv", "id,title,note\n1,\"No \\\"1\\\"\",\"a, \\\"b\\\"\"\n")["1"].title, "No \"1\"");
  EXPECT_EQ(items("i.csv", "id,title,path\n1, \"Film, 1\", x\n2,\"Two\",\"C:\\\"\n")["1"].title, "Film, 1");
  const Rows rows{{"u", "x", 4, 7}, {"v", "x", 5, 8}};
  EXPECT_EQ(read("\"User ID\" , Item ID ,Rating , Time Stamp\nu,x,4,7\nv,x,5,8\n"), rows);
  EXPECT_EQ(read("u x 4 7\nv x 5 8\n"), rows);
  EXPECT_EQ(read("u   x   4   7\nv x  5 8\n"), rows);
  EXPECT_EQ(read("% bip\n% 2 2\nu\tx\t4\t7\nv\tx\t5\t8\n"), rows);
  EXPECT_EQ(read("sep=;\nuser;item;rating;timestamp\nu;x;4;7\nv;x;5;8\n"), rows);
  EXPECT_EQ(read("u\tx\t4\t7\nv\tx\t5\t8\n\n\n   \n"), rows);
  put("r.csv", "u,x,4,7\n//no\nv,x,5,8\n");
  PrepareOptions o = options("r.csv");
  o.comment = "//";
  EXPECT_EQ(read(o), rows);
  put("r.csv", "user,item\n'u,1',x\n");
  o = options("r.csv");
  o.quote = "'";
  EXPECT_EQ(read(o), (Rows{{"u,1", "x", 1, 0}}));
}

TEST_F(ImportCase, QuotedBlanksBelongToAnId) {
  EXPECT_EQ(read("user,item\n\" u\",x\nu,x\n"), (Rows{{" u", "x", 1, 0}, {"u", "x", 1, 0}}));
  read("user,item\nNaN,x\n");
  EXPECT_TRUE(warned("1 ids, 'NaN' for one"));
}

TEST_F(ImportCase, ListsInACell) {
  const std::pair<const char*, Paths> cases[] = {
      {"\"['Beauty', 'Skin']\"", {{"Beauty", "Skin"}}},
      {"\"[\"\"A\"\", \"\"B\"\"]\"", {{"A", "B"}}},
      {"\"[['A', 'B'], ['C']]\"", {{"A", "B"}, {"C"}}},
      {"\"Beauty, Skin\"", {{"Beauty"}, {"Skin"}}},
      {"\"Clothing, Shoes & Jewelry\"", {{"Clothing, Shoes & Jewelry"}}},
      {"A;B", {{"A"}, {"B"}}},
      {"A > B|C", {{"A", "B"}, {"C"}}},
      {"(no genres listed)", {}},
      {"[]", {}}};
  for (const auto& [cell, paths] : cases)
    EXPECT_EQ(items("i.csv", std::string("id,title,genres\n1,t,") + cell + "\n")["1"].categories, paths)
        << cell;
  EXPECT_EQ(items("i.jsonl", "{\"id\": 1, \"categories\": \"A|B\"}\n")["1"].categories,
            (Paths{{"A"}, {"B"}}));
  PrepareOptions o;
  o.list_separator = "/";
  EXPECT_EQ(items("i.csv", "id,title,genres\n1,t,\"A, B/C\"\n", o)["1"].categories, (Paths{{"A, B"}, {"C"}}));
}

TEST_F(ImportCase, JsonThatIsNotQuiteJson) {
  auto texts = items(
      "i.jsonl",
      "{\"id\":1,\"title\":\"a\",\"price\":NaN}\n{\"id\":2.0,\"title\":\"b \\ud83d\",\"p\":-Infinity}\n");
  EXPECT_EQ(texts["1"].title, "a");
  EXPECT_TRUE(texts["1"].other.empty());
  EXPECT_EQ(texts["2"].title, "b \xEF\xBF\xBD");
  EXPECT_TRUE(warned("1 broken characters became U+FFFD"));
  put("i.jsonl", "{\"id\": 1, \"title\": }\n");
  PrepareOptions o = options("two.csv");
  o.items = folder_ / "i.jsonl";
  refuse({"i.jsonl:1", "not a JSON object: at byte 20"}, o);
}

TEST_F(ImportCase, BadRowsAreCountedWhereThatIsWanted) {
  std::string log = kHead;
  for (int i = 0; i < 40; ++i) log += "u,x" + std::to_string(i) + ",4,7\n";
  log += "u,y,,7\n,y,4,7\nu,y,NaN,7\nu,y,4\n";
  refuse({"r.csv:42", "field 'rating'", "bad_rows = skip"}, log);
  PrepareOptions o = options("r.csv");
  o.bad_rows = "skip";
  EXPECT_EQ(read(o).size(), 40u);
  EXPECT_TRUE(told("44 rows, 4 left out"));
  EXPECT_TRUE(warned("1 rows left out: field 'user': it is empty; the first:"));
  o.bad_rows_share = 0.05;
  refuse({"4 of 44 rows cannot be read", "bad_rows_share"}, o);
  put("r.csv", log + "u,\"z,4,7\n" + kHead);
  o.bad_rows_share = 1;
  refuse({"never closed"}, o);
}

TEST_F(ImportCase, DatesAsPeopleWriteThem) {
  const std::pair<const char*, double> cases[] = {{"20200913", kDay},
                                                  {"20200913000102", kDay + 62},
                                                  {"13-09-2020 00:01", kDay + 60},
                                                  {"09/13/2020", kDay},
                                                  {"13.09.2020", kDay},
                                                  {"2020/09/13", kDay},
                                                  {"2020-09-13 00:00:05 UTC", kDay + 5},
                                                  {"2020-09-13 02:00:05 +0200", kDay + 5},
                                                  {"\"September 13, 2020 1:00 PM\"", kDay + 13 * 3600},
                                                  {"13 Sep 2020", kDay},
                                                  {"1599955200000000000", kDay}};
  for (const auto& [text, time] : cases)
    EXPECT_EQ(read("user,item,date\nu,x," + std::string(text) + "\n"), (Rows{{"u", "x", 1, time}})) << text;
  refuse({"field 'date'", "day or month", "timestamp_format"}, "user,item,date\nu,x,03/04/2020\n");
  PrepareOptions o = options("r.csv");
  o.timestamp_format = "%d/%m/%Y";
  EXPECT_EQ(read(o), (Rows{{"u", "x", 1, 1585872000}}));
  o.timestamp_format = "";
  o.timestamp_column = "none";
  EXPECT_EQ(read(o), (Rows{{"u", "x", 1, 0}}));
}

}  // namespace
}  // namespace hyperllm::stages::prepare
