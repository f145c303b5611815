#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <stop_token>

#include "hyperllm/stages/prepare/run.h"
#include "tests/stages/prepare/recording_sink.h"
#include "tests/support/folder.h"

namespace hyperllm::stages::prepare {
namespace {

class PrepareBadInput : public test::FolderTest {
 protected:
  using Parts = std::initializer_list<std::string_view>;
  PrepareOptions options(const std::string& input) const {
    PrepareOptions result;
    result.input = {(folder_ / input).string()};
    result.output = folder_ / "out";
    return result;
  }
  void refuse(ErrorCode code, Parts parts, const PrepareOptions& options) const {
    test::expect_error(code, parts, [&] { run(options, {}); });
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out")) << "something was written";
  }
  void refuse_csv(const std::string& content, Parts parts) const {
    put("ratings.csv", content);
    refuse(ErrorCode::kInvalidData, parts, options("ratings.csv"));
  }
};

TEST_F(PrepareBadInput, MissingAndUnreadableFiles) {
  refuse(ErrorCode::kIo, {"none.csv", "no such file", "Check the path"}, options("none.csv"));
  put("ratings.csv", "user,item\nu,x\n");
  PrepareOptions o = options("ratings.csv");
  o.items = folder_ / "none.jsonl";
  refuse(ErrorCode::kIo, {"none.jsonl", "No such file"}, o);
  make_folder(folder_ / "empty");
  refuse(ErrorCode::kInvalidArgument, {"empty", "train_matrix.npz", "*.inter", "ratings.csv"},
         options("empty"));
  PrepareOptions nothing;
  nothing.output = folder_ / "out";
  refuse(ErrorCode::kInvalidArgument, {"input", "nothing given"}, nothing);
}

TEST_F(PrepareBadInput, UnreadableFiles) {
  std::filesystem::permissions(put("ratings.csv", "user,item\nu,x\n"), std::filesystem::perms::none);
  const bool root = ::geteuid() == 0;  // who may read everything
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(root ? ::seteuid(kNobody) : 0, 0);
  refuse(ErrorCode::kIo, {"ratings.csv", "Permission denied", "may read it"}, options("ratings.csv"));
  ASSERT_EQ(root ? ::seteuid(0) : 0, 0);
}

// A pipe would lose its first bytes to the guess of the format, or block for ever.
TEST_F(PrepareBadInput, PipesAreRefused) {
  ASSERT_EQ(::mkfifo((folder_ / "ratings.csv").c_str(), 0600), 0);
  refuse(ErrorCode::kIo, {"ratings.csv", "pipe or a device", "Write it to a file"}, options("ratings.csv"));
}

TEST_F(PrepareBadInput, WrongHeaders) {
  refuse_csv("usr,itm,rating\nu,x,4\n",
             {"ratings.csv:1", "no column for the user", "usr, itm, rating", "user_column"});
  refuse_csv("alpha,beta\nu,x\n", {"ratings.csv:1", "cannot tell", "header = no"});
  refuse_csv("", {"ratings.csv", "empty"});
  refuse_csv("user,item\n", {"ratings.csv", "no interactions"});
  PrepareOptions o = options("ratings.csv");
  put("ratings.csv", "user,article,rating\nu,x,4\n");
  o.item_column = "articl";
  refuse(ErrorCode::kInvalidData, {"ratings.csv:1", "'articl'", "Did you mean 'article'"}, o);
  put("ml/ratings.csv", "userId,movieId,rating,timestamp\n1,2,3,4\n");
  put("ml/movies.csv", "id,name\n1,x\n");
  refuse(ErrorCode::kInvalidData, {"movies.csv:1", "movieId,title,genres"}, options("ml"));
}

TEST_F(PrepareBadInput, BadRows) {
  const std::string head = "user,item,rating,timestamp\nu,x,4,1\n";
  refuse_csv(head + "u,y,4\n", {"ratings.csv:3", "3 fields where 4", "separator"});
  refuse_csv(head + "u,y,4,1,2\n", {"ratings.csv:3", "5 fields where 4", "quotes"});
  refuse_csv(head + "u,y,good,1\n", {"ratings.csv:3", "field 'rating'", "'good' is not a number", "3.5"});
  refuse_csv(head + "u,y,,1\n", {"ratings.csv:3", "field 'rating'"});
  refuse_csv(head + "u,y,NaN,1\n", {"ratings.csv:3", "field 'rating'", "not finite", "remove the row"});
  refuse_csv(head + "u,y,-inf,1\n", {"ratings.csv:3", "field 'rating'", "not finite"});
  refuse_csv(head + "u,y,1e99,1\n", {"ratings.csv:3", "field 'rating'", "32-bit"});
  refuse_csv(head + "u,y,4,yesterday\n",
             {"ratings.csv:3", "field 'timestamp'", "not a point in time", "2023-04-30T"});
  refuse_csv(head + "u,y,4,2023-02-30\n", {"field 'timestamp'", "not a point in time"});
  refuse_csv(head + ",y,4,1\n", {"ratings.csv:3", "field 'user'", "empty"});
  refuse_csv(head + "u,\"a\tb\",4,1\n", {"ratings.csv:3", "field 'item'", "tab"});
  refuse_csv(head + "u,\xFF,4,1\n", {"ratings.csv:3", "field 'item'", "UTF-8", "iconv"});
  refuse_csv(head + "u,\"y,4,1\nu,z,4,1\n", {"ratings.csv:3", "quote", "never closed"});
  refuse_csv(head + "u,\"y\"z,4,1\n", {"ratings.csv:3", "closing quote"});
}

TEST_F(PrepareBadInput, DuplicatesAreNamedWithBothLines) {
  put("ratings.csv", "user,item\nu,x\nu,y\nv,x\nu,y\nu,x\n");
  PrepareOptions o = options("ratings.csv");
  o.duplicates = "error";
  refuse(ErrorCode::kInvalidData,
         {"ratings.csv:5", "user 'u' and item 'y'", "ratings.csv:3", "2 duplicates", "duplicates = last"}, o);
}

TEST_F(PrepareBadInput, NothingLeftSaysWhichFilterTookHowMuch) {
  put("ratings.csv", "user,item,rating\nu,x,4\nu,x,5\nu,y,1\nv,x,5\n");
  PrepareOptions o = options("ratings.csv");
  o.min_rating = 4;
  o.user_core = 3;
  refuse(ErrorCode::kInvalidData,
         {"ratings.csv", "nothing is left", "4 interactions read", "1 duplicates dropped",
          "1 dropped by min_rating", "2 dropped by user_core", "Lower min_rating"},
         o);
}

TEST_F(PrepareBadInput, OptionsThatDoNotFitTheInput) {
  put("ratings.csv", "user,item\nu,x\n");
  PrepareOptions o = options("ratings.csv");
  o.min_rating = 4;
  refuse(ErrorCode::kInvalidArgument, {"min_rating", "no ratings", "rating_column"}, o);
  o = options("ratings.csv");
  o.split = "leave_last_out";
  refuse(ErrorCode::kInvalidArgument, {"leave_last_out needs timestamps", "timestamp_column"}, o);
  o.split = "keep";
  refuse(ErrorCode::kInvalidArgument, {"no split of its own"}, o);
  o.split = "sideways";
  refuse(ErrorCode::kInvalidArgument, {"split", "sideways", "leave_last_out"}, o);
  for (const char* name : {"..", "a/b"}) {
    o = options("ratings.csv");
    o.name = name;
    refuse(ErrorCode::kInvalidArgument, {"name", name, "plain name"}, o);
  }
  o = options("ratings.csv");
  o.valid_ratio = 0.6;
  o.test_ratio = 0.5;
  refuse(ErrorCode::kInvalidArgument, {"valid_ratio", "test_ratio"}, o);
  o = options("ratings.csv");
  o.output = folder_;
  test::expect_error(ErrorCode::kInvalidArgument, {"output", "folder of the input"}, [&] { run(o, {}); });
  o.output.clear();
  refuse(ErrorCode::kInvalidArgument, {"output"}, o);
}

TEST_F(PrepareBadInput, ItemsWithoutTextAreAWarning) {
  put("ratings.csv", "user,item\nu,x\nu,y\nu,z\n");
  put("items.jsonl", "{\"id\": \"x\", \"title\": \"\"}\n{\"id\": \"y\", \"title\": \"Lamp\"}\n");
  test::RecordingSink sink;
  run(options("ratings.csv"), {&sink});
  EXPECT_NE(sink.warnings.find("2 of 3 items have no text in"), std::string::npos) << sink.warnings;
}

TEST_F(PrepareBadInput, BadItemFiles) {
  put("ratings.csv", "user,item\nu,x\n");
  PrepareOptions o = options("ratings.csv");
  const struct {
    const char *file, *content;
    Parts parts;
  } cases[] = {{"i.jsonl", "{\"id\": \"x\"}\n{\"id\":\n", {"i.jsonl:2", "not a JSON object"}},
               {"i.jsonl", "{\"title\": \"t\"}\n", {"i.jsonl:1", "field 'id'", "item_column"}},
               {"i.csv", "id,title\nx\n", {"i.csv:2", "1 fields where 2"}},
               {"i.csv", "titel,preis\nx,1\n", {"i.csv:1", "no column for the item", "titel, preis"}},
               {"i.item", "id:token\ttitle:token_seq\nx\tt\n", {"i.item:1", "field 'item_id'"}}};
  for (const auto& bad : cases) {
    put(bad.file, bad.content);
    o.items = folder_ / bad.file;
    refuse(ErrorCode::kInvalidData, bad.parts, o);
  }
}

TEST_F(PrepareBadInput, BadAmazonFiles) {
  const std::string good =
      "{\"reviewerID\": \"A\", \"asin\": \"B\", \"overall\": 5.0, \"unixReviewTime\": 1}\n";
  const struct {
    std::string line;
    Parts parts;
  } cases[] = {
      {"{\"reviewerID\": \"A\", ", {"r.json:2", "not a JSON object"}},
      {"{\"reviewerID\": \"A\", \"overall\": 5.0}", {"r.json:2", "field 'asin'", "missing", "parent_asin"}},
      {"{\"reviewerID\": 7, \"asin\": \"B\"}", {"r.json:2", "field 'reviewerID'"}},
      {"{\"reviewerID\": \"A\", \"asin\": \"B\", \"overall\": \"5\"}",
       {"field 'overall'", "\"5\" is not a number"}},
      {"{\"reviewerID\": \"A\", \"asin\": \"B\", \"overall\": 1e39, \"unixReviewTime\": 1}",
       {"field 'overall'", "32-bit"}},
      {"{\"reviewerID\": \"A\", \"asin\": \"B\", \"overall\": 1e999, \"unixReviewTime\": 1}", {"r.json:2"}},
      {"{\"reviewerID\": \"A\\n\", \"asin\": \"B\"}", {"field 'reviewerID'", "line end"}}};
  for (const auto& bad : cases) {
    put("r.json", good + bad.line + "\n");
    refuse(ErrorCode::kInvalidData, bad.parts, options("r.json"));
  }
  put("r.json", good);
  PrepareOptions o = options("r.json");
  o.items = put("meta.json", "{'asin': 'B', 'title': 'x'}\n{'asin': 'C', 'title': open('/etc/passwd')}\n");
  refuse(ErrorCode::kInvalidData, {"meta.json:2", "neither a JSON object nor a Python dictionary"}, o);
  put("meta.json", "{\"title\": \"x\"}\n");
  refuse(ErrorCode::kInvalidData, {"meta.json:1", "field 'asin'"}, o);
}

TEST_F(PrepareBadInput, TruncatedAndDamagedGzip) {
  std::string log = "user,item\n";
  for (int i = 0; i < 20000; ++i)
    log += "u" + std::to_string(i * 7919 % 10007) + ",x" + std::to_string(i) + "\n";
  const gzFile file = gzopen((folder_ / "r.csv.gz").c_str(), "wb");
  gzwrite(file, log.data(), static_cast<unsigned>(log.size()));
  gzclose(file);
  const std::string whole = read_file(folder_ / "r.csv.gz");
  for (const std::size_t size : {whole.size() - 1, whole.size() - 8, whole.size() / 2}) {
    put("r.csv.gz", whole.substr(0, size));
    refuse(ErrorCode::kInvalidData, {"r.csv.gz", "truncated", "again"}, options("r.csv.gz"));
  }
  std::string damaged = whole;
  damaged[whole.size() / 2] = static_cast<char>(damaged[whole.size() / 2] ^ 0x5a);
  put("r.csv.gz", damaged);
  refuse(ErrorCode::kInvalidData, {"r.csv.gz", "damaged"}, options("r.csv.gz"));
}

TEST_F(PrepareBadInput, ReleasedFoldersThatDoNotFit) {
  const auto beauty = test::beauty_folder();
  if (beauty.empty()) GTEST_SKIP() << "set HYPERLLM_DATA to the folder that holds amazon-beauty";
  for (const char* name : {"train_matrix.npz", "val_matrix.npz", "test_matrix.npz"})
    put(std::string("b/") + name, read_file(beauty / name));
  const struct {
    const char *tags, *items, *edges;
    Parts parts;
  } cases[] = {
      {"[]", "{}", "{}", {"id_to_tag.json", "not a JSON object"}},
      {"{\"0\": \"a\", \"2\": \"b\"}", "{}", "{}", {"id_to_tag.json", "'2'", "not a valid tag id below 2"}},
      {"{\"0\": \"\"}", "{}", "{}", {"id_to_tag.json", "'0'", "no text"}},
      {"{\"0\": \"a\"}", "{\"0\": [6086]}", "{}", {"tag_to_item.json", "'6086'", "valid item id below 6086"}},
      {"{\"0\": \"a\"}", "{\"0\": 1}", "{}", {"tag_to_item.json", "not a list"}},
      {"{\"0\": \"a\"}", "{}", "{\"0\": [-1]}", {"tag_to_tag.json", "'-1'"}},
      {"{\"0\": \"a\"}", "{}", "{\"0\": [1", {"tag_to_tag.json", "not a JSON object"}}};
  for (const auto& bad : cases) {
    put("b/id_to_tag.json", bad.tags);
    put("b/tag_to_item.json", bad.items);
    put("b/tag_to_tag.json", bad.edges);
    refuse(ErrorCode::kInvalidData, bad.parts, options("b"));
  }
}

TEST_F(PrepareBadInput, InterruptedLeavesNothing) {
  std::string log = "user,item\n";
  for (int i = 0; i < 20000; ++i) log += "u" + std::to_string(i) + ",x\n";
  put("ratings.csv", log);
  std::stop_source stop;
  stop.request_stop();
  test::expect_error(ErrorCode::kInterrupted, {"prepare interrupted"}, [&] {
    run(options("ratings.csv"), {&silent_sink(), stop.get_token()});
  });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

}  // namespace
}  // namespace hyperllm::stages::prepare
