// The commands of docs/importing.md, on made-up rows in the layouts in which the datasets are published.
#include "tests/stages/prepare/import_case.h"

namespace hyperllm::stages::prepare {
namespace {

constexpr double kDay = 1599955200;  // date -u -d 2020-09-13 +%s

class PublishedLayouts : public ImportCase {
 protected:
  // The columns of user, item, rating and time; "" leaves one to be recognised.
  PrepareOptions columns(const std::string& file, const std::string& user, const std::string& item,
                         const std::string& rating, const std::string& time) const {
    PrepareOptions o = options(file);
    o.user_column = user;
    o.item_column = item;
    o.rating_column = rating;
    o.timestamp_column = time;
    return o;
  }
};

TEST_F(PublishedLayouts, LastFm) {
  put("user_artists.dat", "userID\tartistID\tweight\r\n2\t51\t13883\r\n2\t52\t11690\r\n");
  put("artists.dat",
      "id\tname\turl\tpictureURL\n51\t\"Odd Al\" Smith\thttp://a/\thttp://b/\n52\tMill\thttp://c/\t\n");
  PrepareOptions o = options("user_artists.dat");
  o.items = folder_ / "artists.dat";
  o.quote = "none";
  EXPECT_EQ(read(o), (Rows{{"2", "51", 13883, 0}, {"2", "52", 11690, 0}}));
  EXPECT_NE(read_file(folder_ / "out/items.jsonl").find(R"("title":"\"Odd Al\" Smith")"), std::string::npos);
  put("360k.tsv", "00aa\tm-1\tthe \"mills\t2137\n00aa\t\tbarn\t1099\n");
  o = columns("360k.tsv", "1", "3", "4", "none");
  o.quote = "none";
  EXPECT_EQ(read(o), (Rows{{"00aa", "the \"mills", 2137, 0}, {"00aa", "barn", 1099, 0}}));
  put("1k.tsv",
      "user_01\t2020-09-13T00:00:07Z\tm-1\tMill\tt-1\tA song\nuser_01\t2020-09-13T00:00:08Z\t\tBarn\t\tB\n");
  o = columns("1k.tsv", "1", "4", "none", "2");
  o.quote = "none";
  EXPECT_EQ(read(o), (Rows{{"user_01", "Mill", 1, kDay + 7}, {"user_01", "Barn", 1, kDay + 8}}));
}

TEST_F(PublishedLayouts, ClicksAndCheckIns) {
  EXPECT_EQ(read("timestamp,visitorid,event,itemid,transactionid\n1599955200007,25,view,35,\n"),
            (Rows{{"25", "35", 1, kDay + 0.007}}));
  put("yoochoose-clicks.dat", "7,2020-09-13T00:00:01.500Z,214,0\n8,2020-09-13T00:00:02.000Z,215,0\n");
  EXPECT_EQ(read(columns("yoochoose-clicks.dat", "1", "3", "none", "2")),
            (Rows{{"7", "214", 1, kDay + 1.5}, {"8", "215", 1, kDay + 2}}));
  put("gowalla.txt",
      "0\t2020-09-13T00:00:27Z\t30.2\t-97.7\t22847\n1\t2020-09-13T00:00:03Z\t30.3\t-97.8\t42\n");
  EXPECT_EQ(read(columns("gowalla.txt", "1", "5", "none", "2")),
            (Rows{{"0", "22847", 1, kDay + 27}, {"1", "42", 1, kDay + 3}}));
  put("UserBehavior.csv", "1,226,2520377,pv,1599955201\n2,227,2520377,buy,1599955202\n");
  refuse({"words where the time should be"}, options("UserBehavior.csv"));
  EXPECT_EQ(read(columns("UserBehavior.csv", "1", "2", "none", "5")),
            (Rows{{"1", "226", 1, kDay + 1}, {"2", "227", 1, kDay + 2}}));
  put("train-item-views.csv", "sessionId;userId;itemId;timeframe;eventdate\n1;NA;817;526309;2020-09-13\n");
  EXPECT_EQ(read(columns("train-item-views.csv", "sessionId", "", "", "")), (Rows{{"1", "817", 1, kDay}}));
}

TEST_F(PublishedLayouts, RatingsAndPlays) {
  EXPECT_EQ(read("user_id,recipe_id,date,rating,review\n38,40,2020-09-13,4,\"Good, \n\"\"really\"\"\"\n"),
            (Rows{{"38", "40", 4, kDay}}));
  EXPECT_EQ(read("user_id,book_id,is_read,rating,is_reviewed\n0,948,1,5,0\n0,947,1,4,1\n"),
            (Rows{{"0", "948", 5, 0}, {"0", "947", 4, 0}}));
  put("big_matrix.csv",
      "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio\n"
      "0,3649,13838,10867,2020-09-13 08:00:00.5,20200913,1599955200.5,1.25\n");
  EXPECT_EQ(read(columns("big_matrix.csv", "", "", "watch_ratio", "")),
            (Rows{{"0", "3649", 1.25f, kDay + 0.5}}));
  put("steam-200k.csv", "15,\"Mill, the game\",purchase,1.0,0\n15,\"Mill, the game\",play,273.0,0\n");
  EXPECT_EQ(read(columns("steam-200k.csv", "1", "2", "4", "none")), (Rows{{"15", "Mill, the game", 273, 0}}));
  EXPECT_EQ(read("{u'username': u'a', u'product_id': u'7', u'date': u'2020-09-13', u'hours': 0.1}\n"),
            (Rows{{"a", "7", 1, kDay}}));
}

TEST_F(PublishedLayouts, GoodreadsBooksHaveOtherIdsToo) {
  put("log.json",
      R"({"user_id":"88","book_id":"2","review_id":"r","is_read":false,"rating":0,"date_added":"Sun Sep 13 00:00:00 -0800 2020","read_at":""})");
  put("books.json", R"({"isbn":"","asin":"B00","book_id":"2","title":"Mill","work_id":"5"})");
  PrepareOptions o = options("log.json");
  o.items = folder_ / "books.json";
  EXPECT_EQ(read(o), (Rows{{"88", "2", 0, kDay + 8 * 3600}}));
  EXPECT_NE(read_file(folder_ / "out/items.jsonl").find("Mill"), std::string::npos);
  put("log.csv", "user_id,book_id\n88,2\n");
  put("books.csv", "asin,book_id,title\nB00,2,Barn\n");
  o = options("log.csv");
  o.items = folder_ / "books.csv";
  read(o);
  EXPECT_NE(read_file(folder_ / "out/items.jsonl").find("Barn"), std::string::npos);
}

TEST_F(PublishedLayouts, AmazonBenchmarkSplits) {
  const std::string head = "user_id,parent_asin,rating,timestamp,history\n";
  put("B.train.csv", head + "U,B000000001,5.0,1599955200000,\n");
  put("B.valid.csv", head + "U,B000000002,4.0,1599955201000,B000000001\n");
  put("B.test.csv", head + "U,B000000003,3.0,1599955202000,B000000001 B000000002\n");
  const data::Dataset dataset = prepared(options("B.train.csv,B.valid.csv,B.test.csv"));
  EXPECT_EQ(result_.split, "keep");
  EXPECT_EQ(rows_of(dataset, dataset.valid), (Rows{{"U", "B000000002", 4, kDay + 1}}));
  EXPECT_EQ(rows_of(dataset, dataset.test), (Rows{{"U", "B000000003", 3, kDay + 2}}));
}

}  // namespace
}  // namespace hyperllm::stages::prepare
