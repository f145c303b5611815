// Columns, layouts and splits: read right, or refused with the options that read the file.
#include "tests/stages/prepare/import_case.h"

namespace hyperllm::stages::prepare {
namespace {

// date -u -d 2020-09-13 +%s
constexpr double kDay = 1599955200;

TEST_F(ImportCase, TimeWhereTheItemShouldBe) {
  const std::string clicks =
      "7,2020-09-13T00:00:01.500Z,214,0\n7,2020-09-13T00:00:02Z,215,0\n8,2020-09-13T00:00:02Z,214,0\n";
  refuse({"r.csv:1", "column 2 holds times",
          "--user-column 1 --item-column 3 --rating-column none --timestamp-column 2"},
         clicks);
  PrepareOptions o = options("r.csv");
  o.user_column = "1";
  o.item_column = "3";
  o.rating_column = "none";
  o.timestamp_column = "2";
  EXPECT_EQ(read(o),
            (Rows{{"7", "214", 1, kDay + 1.5}, {"7", "215", 1, kDay + 2}, {"8", "214", 1, kDay + 2}}));
  // Check-ins: user, time, latitude, longitude, place.
  refuse({"column 2 holds times", "--item-column 5"},
         "0\t2010-10-19T23:55:27Z\t30.2\t-97.7\t22847\n1\t2010-10-18T22:17:43Z\t30.3\t-97.8\t420315\n");
}

TEST_F(ImportCase, TimeWhereTheRatingShouldBe) {
  EXPECT_EQ(read("a\tx\t1600018037\nb\ty\t1600011222\n"),
            (Rows{{"a", "x", 1, 1600018037}, {"b", "y", 1, 1600011222}}));
  EXPECT_EQ(read("1,10,2020-09-13\n2,11,2020-09-14\n"),
            (Rows{{"1", "10", 1, kDay}, {"2", "11", 1, kDay + 86400}}));
  EXPECT_EQ(read("1,10,6000000000\n2,11,3\n"), (Rows{{"1", "10", 6e9f, 0}, {"2", "11", 3, 0}})) << "counts";
  refuse({"column 3 holds words", "--rating-column none"}, "1,10,view,1600018037\n2,11,buy,1600018038\n");
}

TEST_F(ImportCase, RatingWhereTheUserShouldBe) {
  std::string log;
  for (int i = 0; i < 40; ++i)
    log += std::to_string(1 + i % 5) + ".0," + std::to_string(i) + "," + std::to_string(i * 7 % 30) +
           ",1600000000\n";
  refuse({"column 1 holds a few numbers",
          "--user-column 2 --item-column 3 --rating-column 1 --timestamp-column 4"},
         log);
}

TEST_F(ImportCase, NumbersAsPeopleWriteThem) {
  EXPECT_EQ(read("user,item,plays\na,x,\"1,234\"\nb,y,\"6,172,835\"\n"),
            (Rows{{"a", "x", 1234, 0}, {"b", "y", 6172835, 0}}));
  EXPECT_EQ(read("user;item;rating\na;x;5,5\nb;y;4\n"), (Rows{{"a", "x", 5.5f, 0}, {"b", "y", 4, 0}}));
  put("r.csv", "user;item;rating\na;x;1,234\n");
  PrepareOptions o = options("r.csv");
  o.decimal = "comma";
  EXPECT_EQ(read(o), (Rows{{"a", "x", 1.234f, 0}}));
  refuse({"r.csv:2", "'1,23,4' is not a number", "decimal"}, "user;item;rating\na;x;1,23,4\n");
}

TEST_F(ImportCase, JsonLinesAndPythonLiterals) {
  EXPECT_EQ(read("{\"user_id\": 18, \"item_id\": 39, \"rating\": 5, \"timestamp\": 1600018037}\n"),
            (Rows{{"18", "39", 5, 1600018037}}));
  EXPECT_EQ(result_.format, "jsonl");
  EXPECT_EQ(
      read("{\"review_id\": \"r\", \"user_id\": \"u-\", \"business_id\": \"b_\", \"stars\": 4.0, \"date\": "
           "\"2020-09-13 00:00:07\"}\n"),
      (Rows{{"u-", "b_", 4, kDay + 7}}));
  EXPECT_EQ(read("{\"user_id\": \"ab\", \"book_id\": \"39\", \"rating\": 5, \"date_added\": \"Sun Sep 13 "
                 "00:00:00 -0800 "
                 "2020\"}\n"),
            (Rows{{"ab", "39", 5, kDay + 8 * 3600}}));
  EXPECT_EQ(read("{u'username': u'Ch\xC3\xA4os', 'hours': 0.1, u'product_id': u'39', 'date': '2020-09-13', "
                 "'x': None}\n"),
            (Rows{{"Chäos", "39", 1, kDay}}));
  put("r.csv", "{\"who\": {\"id\": 3}, \"what\": {\"sku\": \"a\"}}\n");
  PrepareOptions o = options("r.csv");
  o.user_column = "who.id";
  o.item_column = "what.sku";
  EXPECT_EQ(read(o), (Rows{{"3", "a", 1, 0}}));
  o.format = "csv";
  refuse({"r.csv:1", "JSON by line", "format = jsonl"}, o);
}

TEST_F(ImportCase, LightGcnKeepsItsSplitAndIds) {
  put("d/train.txt", "0 1 2 3\n1 3\n2\n");
  put("d/test.txt", "0 0\n1 2 1\n");
  for (const char* input : {"d", "d/train.txt", "d/train.txt,d/test.txt"}) {
    const data::Dataset dataset = prepared(options(input));
    EXPECT_EQ(result_.format, "lightgcn");
    EXPECT_EQ(result_.split, "keep");
    EXPECT_EQ(rows_of(dataset, dataset.test), (Rows{{"0", "0", 1, 0}, {"1", "2", 1, 0}, {"1", "1", 1, 0}}))
        << input;
  }
  put("d/user_list.txt", "org_id remap_id\nanna 0\nbob 1\ncy 2\n");
  put("d/item_list.txt", "org_id remap_id\ni0 0\ni1 1\ni2 2\ni3 3\n");
  PrepareOptions o = options("d");
  o.valid_from_train = 0.5;
  const data::Dataset dataset = prepared(o);
  EXPECT_EQ(rows_of(dataset, dataset.test),
            (Rows{{"anna", "i0", 1, 0}, {"bob", "i2", 1, 0}, {"bob", "i1", 1, 0}}));
  EXPECT_EQ(dataset.valid.size(), 1);
  EXPECT_EQ(dataset.train.size(), 3);
}

TEST_F(ImportCase, NetflixBlocks) {
  EXPECT_EQ(read("1:\n11,5,2020-09-13\n6,4,2020-09-14\n2:\n11,3,2020-09-13\n"),
            (Rows{{"11", "1", 5, kDay}, {"6", "1", 4, kDay + 86400}, {"11", "2", 3, kDay}}));
  EXPECT_EQ(result_.format, "netflix");
}

TEST_F(ImportCase, OwnSplits) {
  put("a.csv", "user,item\nu,x\nv,y\n");
  put("b.csv", "user,item\nu,y\n");
  put("c.csv", "user,item\nv,x\n");
  PrepareOptions o = options("a.csv,b.csv,c.csv");
  o.split = "keep";
  data::Dataset dataset = prepared(o);
  EXPECT_EQ(rows_of(dataset, dataset.valid), (Rows{{"u", "y", 1, 0}}));
  EXPECT_EQ(rows_of(dataset, dataset.test), (Rows{{"v", "x", 1, 0}}));
  put("s.csv", "user,item,split\nu,x,train\nv,y,test\nu,y,val\n");
  dataset = prepared(options("s.csv"));
  EXPECT_EQ(result_.split, "keep");
  EXPECT_EQ(rows_of(dataset, dataset.valid), (Rows{{"u", "y", 1, 0}}));
  put("f/train.tsv", "user\titem\nu\tx\n");
  put("f/test.tsv", "user\titem\nu\ty\n");
  dataset = prepared(options("f"));
  EXPECT_EQ(rows_of(dataset, dataset.test), (Rows{{"u", "y", 1, 0}}));
  EXPECT_TRUE(warned("the validation part is empty. valid_from_train = 0.1"));
}

TEST_F(ImportCase, RecBoleWithOtherNames) {
  put("s.inter", "session_id:token\tartist_id:token\tweight:float\n1\ta\t500\n");
  EXPECT_EQ(read(options("s.inter")), (Rows{{"1", "a", 500, 0}}));
  put("o.inter", "who:token\twhat:token\n1\ta\n");
  PrepareOptions o = options("o.inter");
  o.user_column = "who";
  o.item_column = "what";
  EXPECT_EQ(read(o), (Rows{{"1", "a", 1, 0}}));
  put("t.inter",
      "user_id:token\titem_id:token\ttimestamp:float\tlabel:"
      "float\n1\ta\t1600018037000\t1\n1\tb\t1600018037000\t0\n");
  EXPECT_EQ(read(options("t.inter")), (Rows{{"1", "a", 1, 1600018037}}));
  EXPECT_TRUE(warned("1 rows left out: label = 0"));
  put("k.inter", "user_id:token,item_id:token\n1,a\n");
  EXPECT_EQ(read(options("k.inter")), (Rows{{"1", "a", 1, 0}}));
  put("p/x.inter", "user_id:token\titem_id:token\n1\ta\n1\tb\n");
  put("p/._x.inter", std::string("\0\5\26\7", 4));
  put("p/x.item", "product_id:token\ttitle:token_seq\tcategories:token_seq\na\tA \"6\"\tBars, Fast Food\n");
  const data::Dataset dataset = prepared(options("p"));
  const auto texts = data::load_item_texts(folder_ / "out", dataset.items);
  EXPECT_EQ(texts[0].title, "A \"6\"");
  EXPECT_EQ(texts[0].categories, (std::vector<std::vector<std::string>>{{"Bars"}, {"Fast Food"}}));
}

TEST_F(ImportCase, RecBolePartsWithOtherNames) {
  for (const char* part : {"1", "2", "3"})
    put(std::string("q/m.part") + part + ".inter",
        std::string("user_id:token\titem_id:token\nu\tx") + part + "\n");
  refuse({"several files", "m.part2.inter", "--split keep"}, options("q"), ErrorCode::kIo);
  PrepareOptions o = options("q/m.part1.inter,q/m.part2.inter,q/m.part3.inter");
  o.split = "keep";
  data::Dataset dataset = prepared(o);
  EXPECT_EQ(rows_of(dataset, dataset.test), (Rows{{"u", "x3", 1, 0}}));
  put("w/m.train.inter", "user_id:token\titem_id:token\nu\tx\n");
  put("w/m.test.inter", "user_id:token\titem_id:token\nu\ty\n");
  dataset = prepared(options("w"));
  EXPECT_EQ(rows_of(dataset, dataset.test), (Rows{{"u", "y", 1, 0}}));
}

TEST_F(ImportCase, AnOptionThatAFormatCannotUseIsAnError) {
  put("r.csv", "user,item\nu,x\n");
  PrepareOptions o = options("r.csv");
  o.edition = "2014";
  refuse({"'edition'", "format csv", "amazon"}, o, ErrorCode::kInvalidArgument);
  o = options("r.csv");
  o.object = "df";
  refuse({"'object'", "format csv", "rda"}, o, ErrorCode::kInvalidArgument);
}

TEST_F(ImportCase, OtherNamesOfColumns) {
  EXPECT_EQ(read("user_id,anime_id,rating\n18,39,-1\n"), (Rows{{"18", "39", -1, 0}}));
  EXPECT_TRUE(warned("1 of 1 ratings are below 0"));
  put("r.csv", "user_id,anime_id,rating\n18,39,-1\n18,40,7\n");
  PrepareOptions o = options("r.csv");
  o.min_rating = 0;
  EXPECT_EQ(read(o), (Rows{{"18", "40", 7, 0}}));
  EXPECT_EQ(read("\"User-ID\";\"ISBN\";\"Book-Rating\"\r\n\"27\";\"01x\";\"0\"\r\n\"27\";\"02\";\"8\"\r\n"),
            (Rows{{"27", "01x", 0, 0}, {"27", "02", 8, 0}}));
  EXPECT_TRUE(warned("1 of 2 ratings are 0"));
  EXPECT_EQ(read("userID\tartistID\tweight\n2\t51\t13883\n"), (Rows{{"2", "51", 13883, 0}}));
}

TEST_F(ImportCase, TheImportIsToldAndDryRunWritesNothing) {
  put("r.csv", "user,item,shop,rating\nu,x,s,4\nu,y,s,2\n");
  PrepareOptions o = options("r.csv");
  o.dry_run = true;
  const PrepareResult result = run(o, {&sink_});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  EXPECT_TRUE(told("user = user, item = item, rating = rating; unused: shop. 2 rows; ratings 2 to 4"));
  EXPECT_NE(result.shown.find("u | x | s | 4"), std::string::npos);
  ASSERT_EQ(result.imports.size(), 1u);
  EXPECT_NE(result.imports[0].find("\"unused\":[\"shop\"]"), std::string::npos) << result.imports[0];
}

}  // namespace
}  // namespace hyperllm::stages::prepare
