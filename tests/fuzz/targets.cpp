// Readers of text: tables, JSON lines, datasets, tags, results, recipes, replies.
#include <nlohmann/json.hpp>

#include "hyperllm/apps/recipe.h"
#include "hyperllm/artifact/manifest.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/hash.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/item_json.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/data/texts.h"
#include "hyperllm/importers/amazon.h"
#include "hyperllm/importers/csv.h"
#include "hyperllm/importers/jsonl.h"
#include "hyperllm/importers/movielens.h"
#include "hyperllm/importers/python_literal.h"
#include "hyperllm/importers/recbole.h"
#include "hyperllm/importers/source.h"
#include "hyperllm/llm/find_json.h"
#include "hyperllm/llm/replies.h"
#include "hyperllm/metrics/evaluation_files.h"
#include "hyperllm/stages/report/published.h"
#include "hyperllm/stages/report/training_record.h"
#include "tests/fuzz/binary_targets.h"
#include "tests/fuzz/fuzz.h"

namespace hyperllm::fuzz {
namespace {

namespace fs = std::filesystem;
using namespace data;
using namespace importers;

const std::vector<std::string> kItems = {"1", "2", "x", "B000000001", "31"};

template <typename Read>
void with_items(const Read& read) {
  ItemCollector items(kItems);
  read(items);
  const std::vector<ItemText> texts = std::move(items).take();
  for (const ItemText& text : texts)
    item_to_json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void add_tables(std::vector<Target>& all) {
  all.push_back(
      {"ratings_csv",
       {"user_id,item_id,rating,timestamp\n1,x,4.5,1577836800\n2,\"x,\"\"y\",3,2023-04-30T17:05:09Z\n",
        "1\tx\t5\t10\n2\tx\t4\t11\n", "1::2::5::978300760\n", "1;2;3\n4;5;6\n"},
       [](const std::string& bytes, const fs::path& folder) {
         put(folder / "r.csv", bytes);
         RawInteractions raw;
         read_ratings_csv(folder / "r.csv", {}, {}, raw);
       }});
  // By its content alone, as prepare reads it: adjacency lists, Netflix's blocks, JSON and Python by line.
  all.push_back(
      {"any_input",
       {"0 1 2 3\n1 2\n2 3 1\n", "1:\n6,3,2005-09-06\n11,5,2005-05-13\n2:\n6,4,2005-10-19\n",
        "{\"user\": {\"id\": 1}, \"item_id\": \"x\", \"user_id\": 2, \"rating\": 4.5}\n",
        "[{\"user\": 1, \"item\": \"x\"},\n {\"user\": 2,\n \"item\": [\"y\"], \"note\": \"]}\"}]\n",
        "\"user\",\"item\",\"rating\"\n\"1\",\"17.0\",\"x\",4\n\"2\",\"NaN\",\"x\",true\n",
        "%%MatrixMarket matrix coordinate real general\n3 3 2\n1 1 4\n2 3 5\n",
        "{u'username': u'a', u'product_id': u'x', 'hours': 3.5, 'early': False}\n",
        "user;item;date\n1;x;13/09/2020\n2;x;Sun Sep 13 17:27:17 -0800 2020\n"},
       [](const std::string& bytes, const fs::path& folder) {
         put(folder / "train.txt", bytes);  // a name that adjacency lists have
         ImportOptions options;
         options.input = {(folder / "train.txt").string()};
         options.bad_rows = "skip";
         options.bad_rows_share = 1;
         read_source(options, {});
       }});
  all.push_back({"items_csv",
                 {"item_id,title,brand,categories,year\nx,\"A \"\"t\"\"\",b,A > B|C,1999\n1,t,,,\n"},
                 [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "i.csv", bytes);
                   with_items([&](ItemCollector& items) { read_items_csv(folder / "i.csv", {}, {}, items); });
                 }});
  all.push_back({"movielens_items",
                 {"1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"},
                 [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "u.item", bytes);
                   with_items(
                       [&](ItemCollector& items) { read_movielens_items(folder / "u.item", {}, items); });
                 }});
  all.push_back({"movielens_titles",
                 {"1::Toy Story (1995)::Animation|Children's\n2::Heat::(no genres listed)\n"},
                 [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "movies.dat", bytes);
                   with_items(
                       [&](ItemCollector& items) { read_movielens_items(folder / "movies.dat", {}, items); });
                 }});
  all.push_back({"recbole",
                 {"user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\tx\t5\t10\n2\tx\t4\t11\n"},
                 [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "r.inter", bytes);
                   RawInteractions raw;
                   read_recbole(folder / "r.inter", {}, raw);
                 }});
  all.push_back(
      {"recbole_items",
       {"item_id:token\tmovie_title:token_seq\tclass:token_seq\nx\tHeat\tCrime Drama\n1\tB\t'a', 'b'\n"},
       [](const std::string& bytes, const fs::path& folder) {
         put(folder / "r.item", bytes);
         with_items([&](ItemCollector& items) { read_recbole_items(folder / "r.item", {}, items); });
       }});
}

void add_json_lines(std::vector<Target>& all) {
  all.push_back(
      {"items_jsonl",
       {"{\"id\": \"x\", \"title\": \"t\", \"categories\": [[\"a\", \"b\"]], \"k\": {\"l\": [1, null, "
        "true]}}\n"
        "{\"id\": 1, \"title\": \"\\ud83d\\ude00\", \"description\": 3}\n",
        "[{\"id\": \"x\", \"title\": \"t\"},\n{'id': 1,\n 'title': u'[', 'genres': 'a|b'}]"},
       [](const std::string& bytes, const fs::path& folder) {
         put(folder / "items.jsonl", bytes);
         const auto ignore_errors = [](auto call) {
           try {
             call();
           } catch (const Error&) {  // the other reader may take it
           }
         };
         ignore_errors([&] { load_item_texts(folder, kItems); });
         with_items([&](ItemCollector& items) { read_items_jsonl(folder / "items.jsonl", {}, {}, items); });
       }});
  all.push_back({"summaries",
                 {"{\"id\": \"x\", \"summary\": \"s\"}\n{\"id\": \"1\", \"summary\": \"\"}\n"},
                 [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "s.jsonl", bytes);
                   load_summaries(folder / "s.jsonl", kItems);
                 }});
  all.push_back(
      {"amazon_reviews",
       {"{\"reviewerID\": \"A\", \"asin\": \"x\", \"overall\": 5.0, \"unixReviewTime\": 1}\n",
        "{\"user_id\": \"A\", \"parent_asin\": \"x\", \"rating\": 5, \"timestamp\": 1577836800000}\n",
        "A1,B000000001,5.0,1577836800\nA2,B000000002,4.0,1577836801\n"},
       [](const std::string& bytes, const fs::path& folder) {
         put(folder / "r.json", bytes);
         looks_like_amazon(folder / "r.json");
         RawInteractions raw;
         read_amazon(folder / "r.json", Edition::kAuto, {}, raw);
       }});
  all.push_back(
      {"amazon_items",
       {"{'asin': 'x', 'title': u'T &amp; \\u00e4', 'price': 3.5, 'categories': [['a', 'b']], 'n': None}\n",
        "{\"asin\": \"x\", \"title\": \"<b>t</b>\", \"category\": [\"a\"], \"feature\": [\"f\"]}\n",
        "{\"parent_asin\": \"x\", \"store\": \"s\", \"details\": {\"a\": [1, {\"b\": 2}]}}\n"},
       [](const std::string& bytes, const fs::path& folder) {
         put(folder / "meta.json", bytes);
         with_items([&](ItemCollector& items) { read_amazon_items(folder / "meta.json", {}, items); });
       }});
  all.push_back({"python_literal",
                 {"{'a': [1, -2.5e3, (True, None)], u'b': b'x\\x41\\u00e4\\U0001F600', 3: \"it's\"}"},
                 [](const std::string& bytes, const fs::path&) {
                   if (const auto value = parse_python_literal(bytes)) json_text(*value);
                 }});
  all.push_back(
      {"replies",
       {"{\"summary\": \"A film.\", \"tags\": {\"1\": [\"drama\"], \"2\": [\"crime drama\"], \"3\": []}, "
        "\"edges\": [[\"drama\", \"crime drama\"]]}",
        "<think>hm</think>```json\n{'summary': 'x', tags: [“a”, /* b */ True,], }\n```"},
       [](const std::string& bytes, const fs::path&) {
         const std::string_view keys[] = {"summary", "tags", "edges"};
         llm::find_json(bytes, keys);
         llm::parse_item_reply(bytes, {});
         llm::parse_user_reply(bytes, {});
       }});
}

// Several files from one input: the parts between lines "=====".
std::vector<std::string> parts_of(const std::string& bytes, std::size_t count) {
  std::vector<std::string> parts(count);
  const std::string mark = "=====\n";
  for (std::size_t part = 0, from = 0; part < count && from <= bytes.size(); ++part) {
    const std::size_t end = std::min(bytes.find(mark, from), bytes.size());
    parts[part] = bytes.substr(from, end - from);
    from = end + mark.size();
  }
  return parts;
}

void add_folders(std::vector<Target>& all) {
  all.push_back(
      {"dataset",
       {"user_id:token\na\nb\n=====\nitem_id:token\nx\n1\n=====\n"
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\na\tx\t1\t0\nb\t1\t2\t3.5\n=====\n"
        "user_id:token\titem_id:token\na\t1\n=====\nuser_id:token\titem_id:token\nb\tx\n"},
       [](const std::string& bytes, const fs::path& folder) {
         const auto parts = parts_of(bytes, 5);
         const char* const names[] = {"users.tsv", "items.tsv", "in.train.inter", "in.valid.inter",
                                      "in.test.inter"};
         for (std::size_t i = 0; i < 5; ++i) put(folder / names[i], parts[i]);
         load_dataset(folder).train_csr().transposed();
       }});
  all.push_back({"tags",
                 {"tag_id\ttext\tlevel\n0\tdrama\t1\n1\tcrime drama\t2\n=====\nparent\tchild\n0\t1\n=====\n"
                  "tag\titem\n1\tx\n0\t1\n"},
                 [](const std::string& bytes, const fs::path& folder) {
                   const auto parts = parts_of(bytes, 3);
                   const char* const names[] = {"tags.tsv", "tag_edges.tsv", "tag_items.tsv"};
                   for (std::size_t i = 0; i < 3; ++i) put(folder / names[i], parts[i]);
                   load_tags(folder, kItems);
                 }});
  all.push_back(
      {"evaluation",
       {"{\"dataset\": \"d\", \"run\": \"r\", \"split\": \"test\", \"mask\": \"train\", \"users\": 3, "
        "\"metrics\": {\"recall@10\": 0.125, \"ndcg@10\": 1e-3}}"},
       [](const std::string& bytes, const fs::path& folder) {
         put(folder / "e.json", bytes);
         metrics::load_evaluation(folder / "e.json");
       }});
  all.push_back({"per_user",
                 {"user_id\trecall@10\tndcg@10\na\t0.5\t1\nb\t0\t1e-5\n"},
                 [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "e.tsv", bytes);
                   metrics::load_per_user(folder / "e.tsv").column("recall@10");
                 }});
  all.push_back({"per_item",
                 {"item_id\theld_out\thits@10\thits@20\na\t2\t1\t2\nb\t0\t0\t0\n"},
                 [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "e.tsv", bytes);
                   metrics::load_per_item(folder / "e.tsv");
                 }});
  all.push_back({"published",
                 {"dataset\trun\tmetric\tvalue\nbeauty\thgcf-base\trecall@20\t0.16\n"},
                 [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "p.tsv", bytes);
                   stages::report::load_published(folder / "p.tsv", "beauty");
                 }});
  all.push_back(
      {"training_record",
       {"{\"model\": \"hgcf\", \"best_epoch\": 1, \"epochs\": 2}\n=====\n{\"load_seconds\": 1, \"phase1\": "
        "{\"epochs\": 1, \"step_seconds\": 2.5}, \"phase2\": {\"epochs\": 2}, \"seconds\": 3}\n=====\n"
        "{\"epoch\":0,\"recall@20\":0.1}\n{\"epoch\":2,\"loss\":1,\"recall@20\":0.2}\n"},
       [](const std::string& bytes, const fs::path& folder) {
         const auto parts = parts_of(bytes, 3);
         const char* const names[] = {"result.json", "timing.json", "metrics.jsonl"};
         for (std::size_t i = 0; i < 3; ++i) put(folder / names[i], parts[i]);
         stages::report::load_training_record(folder).seconds_at(1);
       }});
  all.push_back({"manifest",
                 {"{\"format\": 1, \"stage\": \"train\", \"options\": {\"seed\": \"1\"}, \"inputs\": "
                  "{\"in/a\": \"" +
                  hash_text("a") + "\"}, \"outputs\": {\"in/b\": \"11\"}, \"versions\": {}}"},
                 [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "manifest.json", bytes);
                   put(folder / "a", "a");
                   const artifact::Manifest manifest{"train", {{"seed", "1"}}, {folder / "a"}, {}};
                   artifact::up_to_date(manifest, folder / "manifest.json");
                   artifact::recorded_inputs(folder / "manifest.json");
                   artifact::require_made_from(folder / "manifest.json", {folder / "a"});
                 }});
  all.push_back(
      {"recipe",
       {"name = \"b\"\nseeds = [1, 2]\n[prepare]\ninput = [\"a.csv\", "
        "'${HOME:-x}']\n[[embed]]\ndimension = 8\n"
        "[train]\nlr = 1e-3\nresume = false\n[runs.ease]\nmodel = \"ease\"\n",
        "[train]\n[search]\nruns = ['b']\ntrials = 3\n[search.space]\nlr = {low = 1e-4, high = 0.1, log = "
        "true}\nmodel = ['hgcf', 'hrcf']\n[search.spaces.'b.c']\nlayers = [1, 2.5, true]\n"},
       [](const std::string& bytes, const fs::path& folder) {
         put(folder / "r.toml", bytes);
         apps::load_recipe(folder / "r.toml", {});
       }});
  all.push_back(
      {"overrides",
       {"train.lr=0.1", "runs.ease.lambda=5", "seeds=1,2,3", "output=${HOME:-x}/y", "search.space.lr=1,2"},
       [](const std::string& bytes, const fs::path& folder) {
         put(folder / "r.toml", "[train]\n[runs.ease]\n");
         apps::load_recipe(folder / "r.toml", {bytes});
       }});
}

}  // namespace

std::vector<Target> targets() {
  std::vector<Target> all = binary_targets();
  add_tables(all);
  add_json_lines(all);
  add_folders(all);
  return all;
}

}  // namespace hyperllm::fuzz
