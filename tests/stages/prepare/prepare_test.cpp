#include <zlib.h>

#include <map>
#include <set>

#include "hyperllm/stages/prepare/run.h"
#include "tests/stages/prepare/recording_sink.h"
#include "tests/support/folder.h"

namespace hyperllm::stages::prepare {
namespace {

using Ids = std::vector<std::string>;
using Triples = std::set<std::tuple<std::string, std::string, float>>;

Triples triples(const data::Dataset& dataset, const data::Interactions& part) {
  Triples result;
  for (std::size_t i = 0; i < part.user.size(); ++i)
    result.emplace(dataset.users[part.user[i]], dataset.items[part.item[i]], part.rating[i]);
  return result;
}

Triples all_triples(const data::Dataset& dataset) {
  Triples result;
  for (const auto* part : {&dataset.train, &dataset.valid, &dataset.test})
    result.merge(triples(dataset, *part));
  return result;
}

class Prepare : public test::FolderTest {
 protected:
  PrepareOptions options(const std::string& input) const {
    PrepareOptions result;
    result.input = {(folder_ / input).string()};
    result.output = folder_ / "out";
    return result;
  }
  data::Dataset prepared(const PrepareOptions& options) {
    result_ = run(options, context_);
    return data::load_dataset(options.output);
  }
  std::map<std::string, data::ItemText> texts(const data::Dataset& dataset) const {
    std::map<std::string, data::ItemText> result;
    for (auto& item : data::load_item_texts(folder_ / "out", dataset.items)) result[item.id] = item;
    return result;
  }
  std::filesystem::path put_gzip(const std::string& name, const std::string& content) const {
    const auto path = folder_ / name;
    make_folder(path.parent_path());
    const gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
    gzclose(file);
    return path;
  }

  test::RecordingSink sink_;
  Context context_{&sink_};
  PrepareResult result_;
};

TEST_F(Prepare, CsvWithQuotesNamedColumnsAndAnItemsFile) {
  put("shop/log.csv",
      "\xEF\xBB\xBF"
      "when,Item ID,customer_id,stars\r\n2023-04-30T00:00:01Z,\"x,1\",anna,4.5\r\n1682812802,\"y "
      "\"\"2\"\"\",anna,5\r\n"
      "1682812803000,y \"2\",bob,3\r\n");
  put("shop/items.jsonl",
      "{\"id\": \"x,1\", \"title\": \"Lamp\", \"year\": 1999}\n{\"id\": \"other\", \"title\": \"No\"}\n");
  PrepareOptions o = options("shop/log.csv");
  o.timestamp_column = "when";
  const data::Dataset dataset = prepared(o);
  EXPECT_EQ(result_.format, "csv");
  EXPECT_EQ(dataset.users, (Ids{"anna", "bob"}));
  EXPECT_EQ(dataset.items, (Ids{"x,1", "y \"2\""}));
  EXPECT_EQ(all_triples(dataset),
            (Triples{{"anna", "x,1", 4.5f}, {"anna", "y \"2\"", 5}, {"bob", "y \"2\"", 3}}));
  std::set<double> times;
  for (const auto* part : {&dataset.train, &dataset.valid, &dataset.test})
    times.insert(part->timestamp.begin(), part->timestamp.end());
  EXPECT_EQ(times, (std::set<double>{1682812801, 1682812802, 1682812803}));
  EXPECT_EQ(texts(dataset)["x,1"].title, "Lamp");
  EXPECT_EQ(texts(dataset)["x,1"].other,
            (std::vector<std::pair<std::string, std::string>>{{"year", "1999"}}));
  EXPECT_NE(sink_.warnings.find("1 of 2 items have no text"), std::string::npos) << sink_.warnings;
  EXPECT_EQ(result_.inputs,
            (std::vector<std::filesystem::path>{folder_ / "shop/log.csv", folder_ / "shop/items.jsonl"}));
  EXPECT_EQ(result_.outputs.size(), 6u);
  for (const auto& path : result_.outputs) EXPECT_TRUE(std::filesystem::exists(path)) << path;
}

TEST_F(Prepare, SeparatorsAndHeadersAreRecognised) {
  const Triples expected = {{"a", "x", 4}, {"b", "x", 2}};
  const char* const contents[] = {"user,item,rating\na,x,4\nb,x,2\n",
                                  "a,x,4\nb,x,2\n",
                                  "UserID\tItemID\tScore\na\tx\t4\nb\tx\t2\n",
                                  "user;rating;item\na;4;x\nb;2;x\n",
                                  "a::x::4::10\nb::x::2::11\n",
                                  "user|item|rating|noise\na|x|4|?\nb|x|2|?\n"};
  for (const char* content : contents) {
    put("log.txt", content);
    EXPECT_EQ(all_triples(prepared(options("log.txt"))), expected) << content;
  }
  put_gzip("log.csv.gz", contents[0]);
  EXPECT_EQ(all_triples(prepared(options("log.csv.gz"))), expected);
  put("log.csv", "p,q,r\na,4,x\nb,2,x\n");
  PrepareOptions numbered = options("log.csv");
  numbered.header = "yes";
  numbered.user_column = "1";
  numbered.item_column = "r";
  numbered.rating_column = "2";
  EXPECT_EQ(all_triples(prepared(numbered)), expected);
}

TEST_F(Prepare, SeveralFilesAreOneLog) {
  put("a.csv", "user,item\nu,x\n");
  put("b.csv", "user,item\nv,x\nu,y\n");
  PrepareOptions o = options("a.csv");
  o.input.push_back((folder_ / "b.csv").string());
  EXPECT_EQ(all_triples(prepared(o)), (Triples{{"u", "x", 1}, {"v", "x", 1}, {"u", "y", 1}}));
  o.input = {o.input[0], (folder_ / "a.csv").string(), (folder_ / "b.csv").string()};
  o.duplicates = "error";
  test::expect_error(ErrorCode::kInvalidData, {"a.csv:2", "were there before", "1 duplicates"},
                     [&] { run(o, {}); });
}

TEST_F(Prepare, ItemsFromATable) {
  put("log.csv", "user,item\nu,7\nu,8\n");
  put("catalogue.csv",
      "sku,Title,Category,price\n7,\"Lamp, big\",Home > Light|Gifts,3.50\n8,,,\n9,Other,,\n");
  PrepareOptions o = options("log.csv");
  o.items = folder_ / "catalogue.csv";
  auto items = texts(prepared(o));
  EXPECT_EQ(items["7"].title, "Lamp, big");
  EXPECT_EQ(items["7"].categories, (std::vector<Ids>{{"Home", "Light"}, {"Gifts"}}));
  EXPECT_EQ(items["7"].other, (std::vector<std::pair<std::string, std::string>>{{"price", "3.50"}}));
  EXPECT_EQ(result_.statistics.items_without_text, 1);
}

TEST_F(Prepare, RecBoleSingleFileAndItems) {
  put("toy/toy.inter", "item_id:token\tuser_id:token\nx\ta\ny\tb\nx\tb\n");
  put("toy/toy.item",
      "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\nx\tThe Mill\t1931\tDrama "
      "War\ny\tRed\t\tWar\n");
  const data::Dataset dataset = prepared(options("toy"));
  EXPECT_EQ(result_.format, "recbole");
  EXPECT_EQ(result_.split, "ratio");
  EXPECT_EQ(all_triples(dataset), (Triples{{"a", "x", 1}, {"b", "y", 1}, {"b", "x", 1}}));
  auto items = texts(dataset);
  EXPECT_EQ(items["x"].title, "The Mill");
  EXPECT_EQ(items["x"].categories, (std::vector<Ids>{{"Drama"}, {"War"}}));
  EXPECT_EQ(items["x"].other, (std::vector<std::pair<std::string, std::string>>{{"year", "1931"}}));
}

TEST_F(Prepare, RecBoleSplitIsKept) {
  const std::string head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n";
  put("toy/toy.train.inter", head + "a\tx\t5\t1\nb\ty\t5\t2\n");
  put("toy/toy.valid.inter", head + "a\ty\t4\t3\n");
  put("toy/toy.test.inter", head + "b\tx\t3\t4\n");
  const data::Dataset dataset = prepared(options("toy"));
  EXPECT_EQ(result_.split, "keep");
  EXPECT_EQ(triples(dataset, dataset.train), (Triples{{"a", "x", 5}, {"b", "y", 5}}));
  EXPECT_EQ(triples(dataset, dataset.valid), (Triples{{"a", "y", 4}}));
  EXPECT_EQ(triples(dataset, dataset.test), (Triples{{"b", "x", 3}}));
  PrepareOptions again = options("toy");
  again.split = "leave_last_out";
  const data::Dataset other = prepared(again);
  EXPECT_EQ(triples(other, other.test), (Triples{{"a", "y", 4}, {"b", "x", 3}}));
}

TEST_F(Prepare, ProgressEndsAtTheEndOfTheFile) {
  put("ratings.csv", "user,item\nu,x\nv,x\n");
  test::RecordingSink sink;
  run(options("ratings.csv"), Context{&sink});
  EXPECT_EQ(sink.ends, "read ratings.csv (bytes) 18/18 2 rows");
}

TEST_F(Prepare, MovieLensInItsThreeForms) {
  put("csv/ratings.csv", "userId,movieId,rating,timestamp\n1,10,3.5,900\n2,20,4.0,901\n");
  put("csv/movies.csv",
      "movieId,title,genres\n10,\"Mill, The (1931)\",Drama|War\n20,Caf\xC3\xA9 (no year),(no genres "
      "listed)\n");
  put("dat/ratings.dat", "1::10::3.5::900\n2::20::4::901\n");
  put("dat/movies.dat", "10::Mill, The (1931)::Drama|War\n20::Caf\xE9 (no year)::\n");
  put("old/u.data", "1\t10\t3.5\t900\n2\t20\t4\t901\n");
  put("old/u.item",
      "10|Mill, The (1931)|01-Jan-1931||http://x|0|0|0|0|0|0|0|0|1|0|0|0|0|0|0|0|0|1|0\n"
      "20|Caf\xE9 (no year)|||http://x|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n");
  put_gzip("zip/ratings.dat.gz", "1::10::3.5::900\n2::20::4::901\n");
  put_gzip("zip/movies.dat.gz", "10::Mill, The (1931)::Drama|War\n20::Caf\xE9 (no year)::\n");
  put_gzip("oldzip/u.data.gz", read_file(folder_ / "old/u.data"));
  put_gzip("oldzip/u.item.gz", read_file(folder_ / "old/u.item"));
  for (const char* form : {"csv", "dat", "old", "zip", "oldzip"}) {
    const data::Dataset dataset = prepared(options(form));
    EXPECT_EQ(result_.format, "movielens") << form;
    EXPECT_EQ(all_triples(dataset), (Triples{{"1", "10", 3.5f}, {"2", "20", 4}})) << form;
    auto items = texts(dataset);
    EXPECT_EQ(items["10"].title, "Mill, The") << form;
    EXPECT_EQ(items["10"].categories, (std::vector<Ids>{{"Drama"}, {"War"}})) << form;
    EXPECT_EQ(items["10"].other, (std::vector<std::pair<std::string, std::string>>{{"year", "1931"}}))
        << form;
    EXPECT_EQ(items["20"].title, "Café (no year)") << form;
    EXPECT_TRUE(items["20"].categories.empty()) << form;
  }
}

TEST_F(Prepare, Amazon2014ReviewsAndPythonMetadata) {
  put_gzip(
      "reviews_Lamps.json.gz",
      "{\"reviewerID\": \"A1\", \"asin\": \"B000000001\", \"overall\": 5.0, \"unixReviewTime\": 1400000000}\n"
      "{\"reviewerID\": \"A2\", \"asin\": \"0000000002\", \"overall\": 1.0, \"unixReviewTime\": "
      "1400000001}\n");
  put_gzip(
      "meta_Lamps.json.gz",
      "{'asin': 'B000000001', 'title': \"Bob's \\\"big\\\" lamp\", 'price': 3.5, 'salesRank': {'Home': 12}, "
      "'categories': [['Home', 'Light &amp; Lamps'], ['Gifts']], 'description': 'A <b>fine</b> "
      "lamp\\n\\u00e9', 'brand': None}\n"
      "{'asin': 'B999999999', 'title': u'Not wanted', 'related': {'also_bought': ['B1', 'B2']}}\n");
  PrepareOptions o = options("reviews_Lamps.json.gz");
  o.items = folder_ / "meta_Lamps.json.gz";
  const data::Dataset dataset = prepared(o);
  EXPECT_EQ(result_.format, "amazon");
  EXPECT_EQ(all_triples(dataset), (Triples{{"A1", "B000000001", 5}, {"A2", "0000000002", 1}}));
  auto item = texts(dataset)["B000000001"];
  EXPECT_EQ(item.title, "Bob's \"big\" lamp");
  EXPECT_EQ(item.brand, "");
  EXPECT_EQ(item.categories, (std::vector<Ids>{{"Home", "Light & Lamps"}, {"Gifts"}}));
  EXPECT_EQ(item.description, "A fine lamp é");
  EXPECT_EQ(item.other, (std::vector<std::pair<std::string, std::string>>{{"price", "3.5"}}));
}

TEST_F(Prepare, AmazonRatingsSwapTheirColumnsIn2018) {
  put("ratings_2014.csv",
      "A1YJEY40YUW4SE,7806397051,1.0,1391040000\nA60XNB876KYML,B000000003,3.0,1397779200\n");
  put("ratings_2018.csv",
      "7806397051,A1YJEY40YUW4SE,1.0,1391040000\nB000000003,A60XNB876KYML,3.0,1397779200\n");
  put("ratings_2023.csv",
      "user_id,parent_asin,rating,timestamp\nA1YJEY40YUW4SE,7806397051,1.0,1391040000000\nA60XNB876KYML,"
      "B000000003,3.0,1397779200000\n");
  for (const char* file : {"ratings_2014.csv", "ratings_2018.csv", "ratings_2023.csv"}) {
    const data::Dataset dataset = prepared(options(file));
    EXPECT_EQ(result_.format, "amazon") << file;
    EXPECT_EQ(all_triples(dataset),
              (Triples{{"A1YJEY40YUW4SE", "7806397051", 1}, {"A60XNB876KYML", "B000000003", 3}}))
        << file;
    EXPECT_EQ(dataset.train.timestamp, (std::vector<double>{1391040000, 1397779200})) << file;
  }
  put("unclear.csv", "u1,i1,5,1\n");
  PrepareOptions unclear = options("unclear.csv");
  unclear.format = "amazon";
  test::expect_error(ErrorCode::kInvalidData, {"unclear.csv", "cannot tell", "edition = 2018"},
                     [&] { run(unclear, {}); });
  unclear.edition = "2018";
  EXPECT_EQ(all_triples(prepared(unclear)), (Triples{{"i1", "u1", 5}}));
}

TEST_F(Prepare, Amazon2018And2023Metadata) {
  put("reviews.jsonl",
      "{\"rating\": 4.0, \"asin\": \"V1\", \"parent_asin\": \"P1\", \"user_id\": \"U1\", \"timestamp\": "
      "1600000000500}\n"
      "{\"rating\": 2, \"asin\": \"V2\", \"parent_asin\": \"P2\", \"user_id\": \"U1\", \"timestamp\": "
      "1600000000600}\n");
  put("meta23.jsonl",
      "{\"main_category\": \"All Beauty\", \"title\": \"Soap\", \"price\": null, \"categories\": [], "
      "\"store\": \"Acme\", "
      "\"features\": [\"mild\", \"green\"], \"description\": [], \"details\": {\"Size\": \"1 kg\"}, "
      "\"parent_asin\": \"P1\"}\n"
      "{\"title\": \"Brush\", \"price\": \"\xE2\x80\x94\", \"categories\": [\"Tools\", \"Brushes\"], "
      "\"parent_asin\": \"P2\"}\n");
  PrepareOptions o = options("reviews.jsonl");
  o.items = folder_ / "meta23.jsonl";
  data::Dataset dataset = prepared(o);
  EXPECT_EQ(all_triples(dataset), (Triples{{"U1", "P1", 4}, {"U1", "P2", 2}}));
  EXPECT_EQ(dataset.train.timestamp.at(0) + dataset.test.timestamp.at(0), 2 * 1600000000.55);
  auto items = texts(dataset);
  EXPECT_EQ(items["P1"].brand, "Acme");
  EXPECT_EQ(items["P1"].categories, (std::vector<Ids>{{"All Beauty"}}));
  EXPECT_EQ(items["P1"].other, (std::vector<std::pair<std::string, std::string>>{
                                   {"details", "Size: 1 kg"}, {"features", "mild, green"}}));
  EXPECT_EQ(items["P2"].categories, (std::vector<Ids>{{"Tools", "Brushes"}}));
  EXPECT_TRUE(items["P2"].other.empty());

  put("reviews18.json",
      "{\"overall\": 4.0, \"vote\": \"2\", \"asin\": \"P1\", \"reviewerID\": \"U1\", \"unixReviewTime\": "
      "1500000000}\n");
  put("meta18.json",
      "{\"category\": [\"Beauty\", \"Soaps</span></span></span>\"], \"description\": "
      "[\"<p>Very<br>mild</p>\"], "
      "\"title\": \"var aPageStart = (new Date()).getTime();\", \"brand\": \"Acme\", \"price\": \"$3.50\", "
      "\"asin\": \"P1\"}\n"
      "{\"asin\": \"P1\", \"title\": \"again\"}\n");
  PrepareOptions old = options("reviews18.json");
  old.items = folder_ / "meta18.json";
  dataset = prepared(old);
  auto item = texts(dataset)["P1"];
  EXPECT_EQ(item.title, "");
  EXPECT_EQ(item.categories, (std::vector<Ids>{{"Beauty", "Soaps"}}));
  EXPECT_EQ(item.description, "Very mild");
  EXPECT_EQ(item.other, (std::vector<std::pair<std::string, std::string>>{{"price", "$3.50"}}));
  EXPECT_NE(sink_.warnings.find("1 lines repeat an item"), std::string::npos);
}

TEST_F(Prepare, DuplicatesRatingsAndCoresWorkInThisOrder) {
  // u1 rates x twice: only the later 2 counts, and it is below min_rating. That leaves x with one user.
  put("log.csv",
      "user,item,rating,timestamp\nu1,x,2,200\nu1,x,5,100\nu1,y,5,1\nu1,z,5,1\nu2,x,5,1\nu2,y,5,1\nu2,z,4,"
      "1\nu3,y,5,1\n");
  PrepareOptions o = options("log.csv");
  o.min_rating = 4;
  o.user_core = o.item_core = 2;
  const data::Dataset dataset = prepared(o);
  EXPECT_EQ(all_triples(dataset), (Triples{{"u1", "y", 5}, {"u1", "z", 5}, {"u2", "y", 5}, {"u2", "z", 4}}));
  EXPECT_EQ(result_.counts.read, 8);
  EXPECT_EQ(result_.counts.duplicates, 1);
  EXPECT_EQ(result_.counts.below_rating, 1);
  EXPECT_EQ(result_.counts.below_core, 2);
  EXPECT_NE(sink_.messages.find("8 interactions read, 1 duplicates dropped, 1 dropped by min_rating, 2 "
                                "dropped by user_core and item_core"),
            std::string::npos);
}

TEST_F(Prepare, SameSeedSameBytes) {
  std::string log = "user,item\n";
  for (int u = 0; u < 30; ++u)
    for (int i = 0; i < 10; ++i) log += std::to_string(u) + "," + std::to_string((u * 7 + i) % 40) + "\n";
  put("log.csv", log);
  const auto bytes = [&](std::int64_t seed) {
    PrepareOptions o = options("log.csv");
    o.seed = seed;
    run(o, {});
    return read_file(folder_ / "out/out.train.inter") + read_file(folder_ / "out/out.test.inter");
  };
  const std::string first = bytes(1);
  EXPECT_EQ(bytes(1), first);
  EXPECT_NE(bytes(2), first);
}

TEST_F(Prepare, LeftoversOfAnEarlierRunAreRemoved) {
  put("log.csv", "user,item\nu,x\n");
  put("texts.jsonl", "{\"id\": \"x\", \"title\": \"t\"}\n");
  PrepareOptions o = options("log.csv");
  o.items = folder_ / "texts.jsonl";
  run(o, {});
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out/items.jsonl"));
  put("out/tags.tsv", "tag_id\ttext\tlevel\n");
  o.items.clear();
  run(o, {});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/items.jsonl"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/tags.tsv"));
}

TEST_F(Prepare, BeautyAsReleasedHasThePublishedCounts) {
  const auto beauty = test::beauty_folder();
  if (beauty.empty()) GTEST_SKIP() << "set HYPERLLM_DATA to the folder that holds amazon-beauty";
  PrepareOptions o = options("x");
  o.input = {beauty.string()};
  const data::Dataset dataset = prepared(o);
  EXPECT_EQ(result_.format, "hyperllm");
  EXPECT_EQ(result_.split, "keep");
  EXPECT_EQ(dataset.num_users(), 10553);
  EXPECT_EQ(dataset.num_items(), 6086);
  EXPECT_EQ(dataset.train.size(), 70614);
  EXPECT_EQ(dataset.valid.size(), 11767);
  EXPECT_EQ(dataset.test.size(), 11767);
  EXPECT_EQ(dataset.users[10552], "10552");
  EXPECT_EQ(dataset.items[4000], "4000");
  const data::TagGraph tags = data::load_tags(folder_ / "out", dataset.items);
  EXPECT_EQ(tags.tags.size(), 6418u);
  EXPECT_EQ(tags.tag_items.size(), 51396u);
  EXPECT_EQ(tags.edges.size(), 16739u);
  EXPECT_EQ(tags.tags[4].text, "Paraben-free");
  EXPECT_EQ(tags.tags[4].level, 0);
  for (const auto& [a, b] : tags.edges) EXPECT_LT(a, b);
  const std::string table = format_statistics(result_.statistics);
  for (const char* number : {"10,553", "6,086", "94,148", "0.15%", "6,418", "51,396", "16,739"})
    EXPECT_NE(table.find(number), std::string::npos) << number << " is missing in\n" << table;
  EXPECT_EQ(result_.inputs.size(), 6u);
  EXPECT_EQ(result_.outputs.size(), 8u);
}

}  // namespace
}  // namespace hyperllm::stages::prepare
