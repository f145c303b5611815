// Flaws and habits of tables that people have: what was misread without a word, or refused with a wrong cause.
#include "tests/stages/prepare/import_case.h"

namespace hyperllm::stages::prepare {
namespace {

const std::string kHead = "user,item,rating,timestamp\n";
const std::string kLines = "u,x,4,7\nv,y,5,8\n";

class ImportKinds : public ImportCase {
 protected:
  const Rows rows_{{"u", "x", 4, 7}, {"v", "y", 5, 8}};
};

TEST_F(ImportKinds, NamesOfColumns) {
  const std::pair<const char*, const char*> users_items[] = {
      {"user_idx", "item_idx"},    {"user_token", "item_token"},
      {"CustomerID", "StockCode"}, {"msno", "song_id"},
      {"user", "track"},           {"user_id", "artist_name"},
      {"visitor", "content_id"},   {"reviewer", "book"}};
  for (const auto& [user, item] : users_items)
    EXPECT_EQ(read(std::string(user) + "," + item + ",rating,timestamp\n" + kLines), rows_) << user;
  EXPECT_EQ(read("id,user,track,rate,epoch\n1,u,x,4,7\n2,v,y,5,8\n"), rows_);
  EXPECT_EQ(items("i.csv", "name,id,contributor_id\nMill,1,7\n")["1"].title, "Mill");
  EXPECT_EQ(items("i.csv", "id,title,artist,url\n1,a,b,c\n")["1"].title, "a")
      << "items have ids of their own";
}

TEST_F(ImportKinds, WhatTellsOfItemsIsNoRatingOrTime) {
  EXPECT_EQ(read("user_id,item_id,average_rating,release_date\nu,x,4.1,1990-01-01\nv,y,3.9,1991-01-01\n"),
            (Rows{{"u", "x", 1, 0}, {"v", "y", 1, 0}}));
  EXPECT_EQ(read("user_id,item_id,review_count\nu,x,100\nv,y,200\n"),
            (Rows{{"u", "x", 1, 0}, {"v", "y", 1, 0}}));
  refuse({"column 'rating' holds times", "--timestamp-column 3"},
         "user_id,item_id,rating\nu,x,1599955200\nv,y,1599955201\n");
}

TEST_F(ImportKinds, AFirstRowWithACommonWordIsNoHeader) {
  EXPECT_EQ(read("u,Book,4\nv,Movie,5\n"), (Rows{{"u", "Book", 4, 0}, {"v", "Movie", 5, 0}}));
}

TEST_F(ImportKinds, NumbersOfRows) {
  std::string named = "id,user_name,rating\n", plain;
  for (int i = 1; i <= 30; ++i) {
    named += std::to_string(i) + ",u" + std::to_string(i % 3) + ",4\n";
    plain += std::to_string(i) + "," + std::to_string(i * 7 % 5 + 100) + "," +
             std::to_string(i * 11 % 7 + 500) + ",4\n";
  }
  refuse({"column 'id' holds the numbers of the rows"}, named);
  refuse({"column 1 holds the numbers of the rows", "--user-column 2 --item-column 3"}, plain);
  EXPECT_EQ(read("\"user\",\"item\",\"rating\"\n\"1\",\"u\",\"x\",4\n\"2\",\"v\",\"y\",5\n"),
            (Rows{{"u", "x", 4, 0}, {"v", "y", 5, 0}}))
      << "as R writes them";
}

TEST_F(ImportKinds, ACategoryIsNoRating) {
  std::string log, plays;
  for (int i = 0; i < 120; ++i) {
    const std::string start = "u" + std::to_string(i % 7) + ",i" + std::to_string(i % 40) + ",";
    log += start + std::to_string(1000 + i % 40 * 3) + ",1599955200\n";
    plays += start + std::to_string(1000 + i) + ",1599955200\n";
  }
  refuse({"column 3 holds one number for each item", "--rating-column none --timestamp-column 4"}, log);
  EXPECT_EQ(read(plays).size(), 120u) << "plays differ from user to user";
  refuse({"column 4 holds no times, as column 5 does"}, "u,x,4,1,1599955200\nv,y,5,0,1599955201\n");
}

TEST_F(ImportKinds, Matrices) {
  std::string dense;
  for (int i = 0; i < 9; ++i) dense += std::to_string(i % 5) + ",0,3,4,0,0,1,2,5\n";
  refuse({"a matrix", "user, item, rating"}, dense);
  EXPECT_EQ(read("%%MatrixMarket matrix coordinate real general\n% made up\n3 9 2\n1 7 4\n3 9 5\n"),
            (Rows{{"1", "7", 4, 0}, {"3", "9", 5, 0}}));
  refuse({"dense", "coordinate form"}, "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4\n");
}

TEST_F(ImportKinds, LineEndsSeparatorsAndQuotes) {
  for (const char* end : {"\r", "\r\r\n", "\r\n"}) {
    std::string text = kHead + kLines;
    for (std::size_t at = 0; (at = text.find('\n', at)) != text.npos; at += std::string(end).size())
      text.replace(at, 1, end);
    EXPECT_EQ(read(text), rows_) << ::testing::PrintToString(end);
  }
  EXPECT_EQ(read(kHead + "u,x,4,7,\nv,y,5,8,\n"), rows_) << "a separator behind the rows";
  EXPECT_EQ(read("user,item,rating,timestamp,\n" + kLines), rows_) << "behind the header";
  refuse({"r.csv:2", "5 fields where 4"}, kHead + "u,x,4,7,8\n");
  EXPECT_EQ(read(kHead + kLines + kHead + kLines), rows_);
  EXPECT_TRUE(warned("1 rows left out: the header again")) << sink_.warnings;
  EXPECT_EQ(read("user\x01item\x01rating\x01timestamp\nu\x01x\x01"
                 "4\x01"
                 "7\nv\x01y\x01"
                 "5\x01"
                 "8\n"),
            rows_);
  EXPECT_EQ(read("'user','item','rating','timestamp'\n'u','x',4,7\n'v','y',5,8\n"), rows_);
  refuse({"one field", "user~item~rating", "separator = ~"}, "user~item~rating\nu~x~4\n");
  put("r.csv", "user~item~rating~timestamp\nu~x~4~7\nv~y~5~8\n");
  PrepareOptions o = options("r.csv");
  o.separator = "~";
  EXPECT_EQ(read(o), rows_);
}

TEST_F(ImportKinds, TheFirstLineIsOfAnotherKind) {
  refuse({"first line has 3 fields and the rows have 1", "sed 1d"},
         "Ratings export 2020\n\nuser,item\nu,x\nv,y\n");
  refuse({"first line has 4 fields and the rows have 1", "sed 1d"}, kHead + "u\tx\t4\t7\nv\ty\t5\t8\n");
  refuse({"whole line stands in quotes", "sed 's/^"}, "\"user,item\"\n\"u,x\"\n\"v,y\"\n");
}

TEST_F(ImportKinds, ByteOrderMarks) {
  EXPECT_EQ(read("\xEF\xBB\xBF" + kHead + kLines), rows_);
  std::string wide("\xFF\xFE\0\0", 4);
  for (const char letter : kHead + kLines) wide += std::string{letter, '\0', '\0', '\0'};
  EXPECT_EQ(read(wide), rows_);
  put("r.csv", "\xEF\xBB\xBF" + kHead + "Jos\xC3\xA9,x,4,7\n");
  PrepareOptions o = options("r.csv");
  o.encoding = "windows-1252";
  EXPECT_EQ(read(o), (Rows{{"Jos\xC3\xA9", "x", 4, 7}})) << "the mark counts before the option";
}

TEST_F(ImportKinds, IdsThatAreNumbers) {
  EXPECT_EQ(read("user,item,rating\n1.0,10,4\n2.0,11.0,5\n1,11,3\n"),
            (Rows{{"1", "10", 4, 0}, {"2", "11", 5, 0}, {"1", "11", 3, 0}}));
  EXPECT_TRUE(told("ids such as 17.0 are read as 17"));
  EXPECT_EQ(read("user,item,rating\n1.0,a,4\nb,x,5\n"), (Rows{{"1.0", "a", 4, 0}, {"b", "x", 5, 0}}))
      << "no numbers";
  EXPECT_EQ(read("user,item\n007,x\n7,x\n"), (Rows{{"007", "x", 1, 0}, {"7", "x", 1, 0}}));
  for (const char* word : {"NaN", "NULL", "\\N", "None"})
    refuse({"r.csv:3", "field 'user'", word, "no id where ids are numbers", "bad_rows = skip"},
           "user,item\n1,x\n" + std::string(word) + ",x\n2,y\n");
  EXPECT_EQ(items("i.csv", "id,title\n1.0,a\n2.0,b\n")["2"].title, "b");
  read("user,item\n1.23E+15,x\nb,y\n");
  EXPECT_TRUE(warned("a spreadsheet has rounded"));
  refuse({"r.csv:1", "field 'user'", "more digits", "as texts"},
         "{\"user\":12345678901234567890123,\"item\":\"x\"}\n{\"user\":2,\"item\":\"x\"}\n");
}

TEST_F(ImportKinds, TruthsAndTimesThatAreNone) {
  const std::string liked = "user,item,liked\nu,x,True\nu,y,False\nv,x,true\n";
  EXPECT_EQ(read(liked), (Rows{{"u", "x", 1, 0}, {"v", "x", 1, 0}}));
  EXPECT_TRUE(warned("1 rows left out: liked = 0"));
  refuse({"field 'rating'", "'yes' is not a number", "label_column = rating"},
         "user,item,rating\nu,x,yes\nv,x,no\n");
  put("r.csv", "user,item,rating\nu,x,yes\nv,x,no\n");
  PrepareOptions o = options("r.csv");
  o.label_column = "rating";
  o.rating_column = "none";
  EXPECT_EQ(read(o), (Rows{{"u", "x", 1, 0}})) << "the remedy works";
  read("user,item,date\nu,x,44087\nv,y,44088\n");
  EXPECT_TRUE(warned("all times are before 1973"));
}

TEST_F(ImportKinds, ListsWithinRows) {
  refuse({"no column for the item", "jq -c", "[\"items\"]", "> rows.jsonl"},
         R"({"user":"u","items":["x","y"]})"
         "\n"
         R"({"user":"v","items":["y"]})"
         "\n");
  refuse({"ast.literal_eval"},
         "{'user_id': 'u', 'items': [{'item_id': 'x'}]}\n{'user_id': 'v', 'items': []}\n");
}

TEST_F(ImportKinds, FoldersAndWhatIsNoText) {
  put("d/log.csv", kHead + kLines);
  EXPECT_EQ(read(options("d")), rows_) << "the only file of a folder";
  put("d/other.csv", kHead + kLines);
  refuse({"nothing known", "It holds ", "d/log.csv", "d/other.csv"}, options("d"),
         ErrorCode::kInvalidArgument);
  refuse({"Feather", "r.csv", "to_csv"}, "FEA1 rest");
  refuse({"pickle", "pandas.read_pickle('" + (folder_ / "r.csv").string() + "')"}, "\x80\x04K\x01.");
  refuse({"Stata", "read_stata"}, "<stata_dta><header>");
  refuse({"tar archive", "tar xf " + (folder_ / "r.csv").string()},
         std::string(257, 'a') + "ustar" + std::string(300, 'b'));
}

}  // namespace
}  // namespace hyperllm::stages::prepare
