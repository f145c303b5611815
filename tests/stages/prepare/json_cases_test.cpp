// JSON in the forms that people have: lists, documents over many lines, lists inside of objects, columns.
#include "tests/stages/prepare/import_case.h"

namespace hyperllm::stages::prepare {
namespace {

TEST_F(ImportCase, JsonLists) {
  const Rows rows{{"u", "x", 4, 7}, {"v", "y", 5, 8}};
  const std::string first = R"({"user_id":"u","item":{"id":"x"},"rating":4,"timestamp":7})",
                    second = R"({"user_id":"v","item":{"id":"y"},"rating":5,"timestamp":8})";
  const std::string forms[] = {
      "[" + first + "," + second + "]",
      "[\n  " + first + ",\n  " + second + "\n]\n",
      "\n [\n" + first + "\n,\n" + second + ",\n]",
      "\xEF\xBB\xBF[" + first + ",\r\n" + second + "]\r\n",
      first + ",\n" + second + ",\n",
      "[{\n \"user_id\": \"u\",\n \"item\": {\"id\": \"x\"},\n \"rating\": 4,\n "
      "\"timestamp\": 7\n},\n" +
          second + "]",
      "{\n\"user_id\": \"u\", \"item\": {\"id\": \"x\"},\n\"rating\": 4, \"timestamp\": 7\n}\n{\n" +
          second.substr(1),
      "[{'user_id': u'u', 'item': {'id': 'x'}, 'rating': 4, 'timestamp': 7, 'note': "
      "\"it's ]\"},\n" +
          second + "]"};
  for (const std::string& form : forms) {
    put("r.json", form);
    PrepareOptions o = options("r.json");
    o.item_column = "item.id";
    EXPECT_EQ(read(o), rows) << form;
    EXPECT_EQ(result_.format, "jsonl") << form;
  }
}

TEST_F(ImportCase, JsonListsAreStreamed) {
  std::string log = "[";
  const std::string note(1000, 'n');
  for (int i = 0; i < 20'000; ++i)
    log += (i ? ",{\"user\":" : "{\"user\":") + std::to_string(i % 7) + ",\"item\":" + std::to_string(i) +
           ",\"note\":\"" + note + "\"}";
  put("r.json", log + "]");  // one line that is longer than a line may be
  EXPECT_EQ(read(options("r.json")).size(), 20'000u);
}

TEST_F(ImportCase, JsonItemLists) {
  const auto texts = items(
      "i.json", "[\n{\"id\": 1, \"title\": \"a\",\n\"genres\": \"A|B\"},\n{\"id\": 2, \"title\": \"b\"}]");
  EXPECT_EQ(texts.at("1").title, "a");
  EXPECT_EQ(texts.at("1").categories.size(), 2u);
  EXPECT_EQ(texts.at("2").title, "b");
  put("r.json", R"([{"reviewerID":"u","asin":"x","overall":4.0,"unixReviewTime":7}])");
  put("meta.json", R"([{"asin":"x","title":"T &amp; U"},{"asin":"z","title":"no"}])");
  PrepareOptions o = options("r.json");
  o.items = folder_ / "meta.json";
  EXPECT_EQ(read(o), (Rows{{"u", "x", 4, 7}}));
  EXPECT_EQ(result_.format, "amazon");
  EXPECT_NE(read_file(folder_ / "out/items.jsonl").find("T & U"), std::string::npos);
}

TEST_F(ImportCase, JsonListsThatAreNotWhole) {
  const std::string row = R"({"user":"u","item":"x"})";
  refuse({"r.csv:3", "list is not closed", "not whole"}, "[" + row + ",\n" + row + ",\n");
  refuse({"r.csv:2", "value is not closed"}, "[" + row + ",\n" + row.substr(0, 9) + "\n");
  refuse({"r.csv:3", "not a JSON object", "at byte 9", "bad_rows = skip"},
         "[" + row + ",\n\n{\"user\":,\"item\":3},\n" + row + "]");
  refuse({"r.csv:1", "not a JSON object but an array", "jq -r '.[] | @csv' > rows.csv"},
         "[[\"u\",\"x\",4],[\"v\",\"y\",5]]");
}

TEST_F(ImportCase, JsonBadRowsInLists) {
  std::string list = "[";
  for (int i = 0; i < 30; ++i) list += "{\"user\":\"u\",\"item\":" + std::to_string(i) + "},";
  put("r.json", list + "{\"user\":},7,{\"user\":\"u\"}]");
  PrepareOptions o = options("r.json");
  o.bad_rows = "skip";
  EXPECT_EQ(read(o).size(), 30u);
  EXPECT_TRUE(told("33 rows, 3 left out")) << sink_.messages;
}

TEST_F(ImportCase, JsonDocumentsAroundTheRows) {
  refuse({"field 'data'", "jq -c '.[\"data\"][]' "},
         R"({"count": 2, "data": [{"user":"u","item":"x"},{"user":"v","item":"y"}]})");
  refuse({"pandas", "orient='records'"}, R"({"user":{"0":"u","1":"v"},"item":{"0":"x","1":"y"}})");
  refuse({"pandas"}, R"({"user":["u","v"],"item":["x","y"]})");
  refuse({"pandas", "orient='split'"},
         R"({"columns":["user","item"],"index":[0,1],"data":[["u","x"],["v","y"]]})");
  refuse({"a list for each user", "{user_id: $user, item_id: .}"}, R"({"u":["x","y"],"v":["y"]})");
  refuse({"numbers for each user", "rating: .value"}, R"({"u":{"x":5,"y":3},"v":{"y":1}})");
  EXPECT_EQ(read(R"({"user":{"id":"u"},"item_id":"x","user_id":"u"})"), (Rows{{"u", "x", 1, 0}}));
}

TEST_F(ImportCase, BadRowsOfItemFiles) {
  PrepareOptions o;
  o.bad_rows = "skip";
  o.bad_rows_share = 0.5;
  const std::pair<const char*, const char*> files[] = {
      {"i.csv", "id,title\n1,a\n,b\n2,\"c\"d\n2,e\n3,f,g\n4,h\n5,i\n"},
      {"i.jsonl",
       "{\"id\":1,\"title\":\"a\"}\n{\"title\":\"b\"}\n{\"id\":2,\n{\"id\":2,\"title\":\"e\"}\n7\n{\"id\":4}"
       "\n{\"id\":5}\n"},
      {"i.item", "item_id:token\ttitle:token_seq\n1\ta\n\tb\n2\n2\te\n3\tf\tg\n4\th\n5\ti\n"},
      {"movies.dat", "1::a::A\n::b::A\n2::c\n2::e::A\n3::f::g::h\n4::h::A\n5::i::A\n"}};
  for (const auto& [name, text] : files) {
    auto texts = items(name, text, o);
    EXPECT_EQ(texts["1"].title, "a") << name;
    EXPECT_EQ(texts["2"].title, "e") << name;
    EXPECT_TRUE(told("7 rows, 3 left out")) << name << sink_.messages;
    EXPECT_TRUE(warned("rows left out: ")) << name;
    EXPECT_NE(result_.imports.at(1).find("\"left_out\""), std::string::npos) << name;
    sink_ = {};
    PrepareOptions strict = options("two.csv");
    strict.items = folder_ / name;
    refuse({std::string(name) + ":", "bad_rows = skip"}, strict);
    strict.bad_rows = "skip";
    strict.bad_rows_share = 0.3;
    refuse({name, "3 of 7 rows cannot be read", "bad_rows_share"}, strict);
  }
}

}  // namespace
}  // namespace hyperllm::stages::prepare
