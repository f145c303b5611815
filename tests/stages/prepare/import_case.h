// Small inputs of the layouts and flaws that people have, and what becomes of them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>

#include "hyperllm/stages/prepare/run.h"
#include "tests/stages/prepare/recording_sink.h"
#include "tests/support/folder.h"

namespace hyperllm::stages::prepare {

class ImportCase : public test::FolderTest {
 protected:
  using Parts = std::initializer_list<std::string_view>;
  using Row = std::tuple<std::string, std::string, float, double>;  // user, item, rating, time
  using Rows = std::set<Row>;

  PrepareOptions options(const std::string& input) const {
    PrepareOptions result;
    for (std::size_t at = 0; at <= input.size();) {
      const std::size_t comma = std::min(input.find(',', at), input.size());
      result.input.push_back((folder_ / input.substr(at, comma - at)).string());
      at = comma + 1;
    }
    result.output = folder_ / "out";
    return result;
  }
  static Rows rows_of(const data::Dataset& dataset, const data::Interactions& part) {
    Rows rows;
    for (std::size_t i = 0; i < part.user.size(); ++i)
      rows.emplace(dataset.users[part.user[i]], dataset.items[part.item[i]], part.rating[i],
                   part.timestamp[i]);
    return rows;
  }
  data::Dataset prepared(const PrepareOptions& told) {
    result_ = run(told, {&sink_});
    return data::load_dataset(told.output);
  }
  Rows read(const PrepareOptions& told) {
    const data::Dataset dataset = prepared(told);
    Rows rows;
    for (const auto* part : {&dataset.train, &dataset.valid, &dataset.test})
      rows.merge(rows_of(dataset, *part));
    return rows;
  }
  Rows read(const std::string& content) {
    put("r.csv", content);
    return read(options("r.csv"));
  }
  void refuse(Parts parts, const PrepareOptions& told, ErrorCode code = ErrorCode::kInvalidData) const {
    std::filesystem::remove_all(told.output);
    test::expect_error(code, parts, [&] { run(told, {}); });
    EXPECT_FALSE(std::filesystem::exists(told.output)) << "something was written";
  }
  void refuse(Parts parts, const std::string& content) const {
    put("r.csv", content);
    refuse(parts, options("r.csv"));
  }
  // Of items 1 and 2 that one user has.
  std::map<std::string, data::ItemText> items(const std::string& file, const std::string& content,
                                              PrepareOptions told = {}) {
    put("two.csv", "user,item\nu,1\nu,2\n");
    put(file, content);
    told.input = {(folder_ / "two.csv").string()};
    told.output = folder_ / "out";
    told.items = folder_ / file;
    const data::Dataset dataset = prepared(told);
    std::map<std::string, data::ItemText> result;
    if (std::filesystem::exists(folder_ / "out/items.jsonl"))
      for (auto& item : data::load_item_texts(folder_ / "out", dataset.items)) result[item.id] = item;
    return result;
  }
  bool warned(std::string_view text) const { return sink_.warnings.find(text) != std::string::npos; }
  bool told(std::string_view text) const { return sink_.messages.find(text) != std::string::npos; }

  test::RecordingSink sink_;
  PrepareResult result_;
};

}  // namespace hyperllm::stages::prepare
