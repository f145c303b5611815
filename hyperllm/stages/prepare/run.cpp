#include "hyperllm/stages/prepare/run.h"

#include <algorithm>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/data/filters.h"
#include "hyperllm/data/splits.h"
#include "hyperllm/importers/source.h"
#include "hyperllm/stages/prepare/told.h"

namespace hyperllm::stages::prepare {
namespace {

namespace fs = std::filesystem;
using importers::RawInteractions;
using importers::Source;

void check_choice(const PrepareOptions& options) {
  check_fields(PrepareOptions(options).fields());
  HYPERLLM_CHECK(!options.output.empty() || options.dry_run, ErrorCode::kInvalidArgument,
                 "output: give the dataset folder to write.");
  HYPERLLM_CHECK(options.name.find('/') == std::string::npos && !options.name.starts_with('.'),
                 ErrorCode::kInvalidArgument,
                 "name: '" + options.name + "' holds a '/' or begins with a dot. Give a plain name.");
  for (const fs::path input : options.input) {
    const fs::path folder = fs::is_directory(input) ? input : input.parent_path() / ".";
    std::error_code ignored;
    HYPERLLM_CHECK(!fs::equivalent(folder, options.output, ignored), ErrorCode::kInvalidArgument,
                   "output: " + options.output.string() +
                       " is the folder of the input. Give another one, so that nothing is overwritten.");
  }
}

std::string resolve_split(const PrepareOptions& options, const RawInteractions& raw) {
  const bool own = !raw.parts.empty();
  if (options.split == "auto") return own ? "keep" : "ratio";
  HYPERLLM_CHECK(
      options.split != "keep" || own, ErrorCode::kInvalidArgument,
      "split: keep, but the input has no split of its own. Choose ratio, leave_last_out or time, name the "
      "column that says train, valid or test with split_column, or give two inputs (train and test) or "
      "three (train, valid and test).");
  const bool timed = options.split == "leave_last_out" || options.split == "time";
  HYPERLLM_CHECK(!timed || raw.has_timestamp, ErrorCode::kInvalidArgument,
                 "split: " + options.split +
                     " needs timestamps, and the input has none. Name their column with "
                     "timestamp_column, or choose split = ratio.");
  return options.split;
}

// Keeps `rows` of everything that has one entry per interaction; returns how many went.
std::int64_t keep(RawInteractions& raw, const data::Rows& rows) {
  const auto dropped = raw.rows.size() - static_cast<std::int64_t>(rows.size());
  if (dropped == 0) return 0;
  raw.rows = data::take_rows(raw.rows, rows);
  const auto take = [&](auto& values) {
    if (values.empty()) return;
    for (std::size_t i = 0; i < rows.size(); ++i) values[i] = values[rows[i]];
    values.resize(rows.size());
  };
  take(raw.parts);
  take(raw.line);
  return dropped;
}

void refuse_duplicates(const RawInteractions& raw) {
  const auto found = data::first_duplicate(raw.rows);
  if (!found) return;
  const auto [first, again] = *found;
  const auto total = raw.rows.size() - static_cast<std::int64_t>(data::last_of_duplicates(raw.rows).size());
  throw Error(ErrorCode::kInvalidData,
              raw.place(again) + ": user '" + raw.users[raw.rows.user[again]] + "' and item '" +
                  raw.items[raw.rows.item[again]] + "' were there before, in " + raw.place(first) + " (" +
                  std::to_string(total) +
                  " duplicates in all). Remove them, or give duplicates = last to keep the last by time.");
}

Counts filter(const PrepareOptions& options, RawInteractions& raw) {
  Counts counts;
  counts.read = raw.rows.size();
  if (options.duplicates == "error") refuse_duplicates(raw);
  counts.duplicates = keep(raw, data::last_of_duplicates(raw.rows));
  if (options.min_rating > kAllRatings) {
    HYPERLLM_CHECK(raw.has_rating || options.min_rating <= 0, ErrorCode::kInvalidArgument,
                   "min_rating is given, but the input has no ratings. Name their column with rating_column, "
                   "or leave min_rating out.");
    counts.below_rating = keep(raw, data::rated_at_least(raw.rows, options.min_rating));
  }
  if (options.user_core > 1 || options.item_core > 1)
    counts.below_core = keep(raw, data::k_core(raw.rows, raw.users.size(), raw.items.size(),
                                               options.user_core, options.item_core));
  if (raw.rows.size() > 0) return counts;
  const std::string file = raw.files.empty() ? options.input.at(0) : raw.files[0].string();
  throw data_error(
      file, 0, "", counts.read == 0 ? "no interactions in the input" : "nothing is left: " + describe(counts),
      counts.read == 0 ? "Check that this is the right file." : "Lower min_rating, user_core or item_core.");
}

// Ids that still have interactions, in their old order, and the new number of each old one (-1: gone).
struct Renumbered {
  std::vector<std::string> ids;
  std::vector<std::int32_t> number;
};

Renumbered renumber(const data::IdTable& ids, std::vector<std::int32_t>& column, bool keep_all) {
  Renumbered result;
  result.number.assign(static_cast<std::size_t>(ids.size()), keep_all ? 0 : -1);
  for (const std::int32_t id : column) result.number[id] = 0;
  for (std::int32_t id = 0; id < ids.size(); ++id)
    if (result.number[id] == 0) {
      result.number[id] = static_cast<std::int32_t>(result.ids.size());
      result.ids.push_back(ids[id]);
    }
  for (std::int32_t& id : column) id = result.number[id];
  return result;
}

// The source's own parts; without a validation part, one cut from the train part if that is wanted.
data::Parts with_validation(const PrepareOptions& options, const RawInteractions& raw, std::int64_t users) {
  data::Parts parts = raw.parts;
  const bool has = std::find(parts.begin(), parts.end(), data::Part::kValid) != parts.end();
  if (has || options.valid_from_train <= 0) return parts;
  data::Rows train;
  for (std::size_t row = 0; row < parts.size(); ++row)
    if (parts[row] == data::Part::kTrain) train.push_back(static_cast<data::Rows::value_type>(row));
  const data::Parts cut =
      data::split_by_ratio(data::take_rows(raw.rows, train), users, options.valid_from_train, 0,
                           static_cast<std::uint64_t>(options.seed));
  for (std::size_t i = 0; i < train.size(); ++i) parts[train[i]] = cut[i];
  return parts;
}

data::Parts split(const PrepareOptions& options, const std::string& how, const RawInteractions& raw,
                  std::int64_t users) {
  if (how == "keep") return with_validation(options, raw, users);
  if (how == "leave_last_out") return data::split_leave_last_out(raw.rows, users);
  if (how == "time") return data::split_by_time(raw.rows, options.valid_ratio, options.test_ratio);
  return data::split_by_ratio(raw.rows, users, options.valid_ratio, options.test_ratio,
                              static_cast<std::uint64_t>(options.seed));
}

void distribute(const data::Interactions& rows, const data::Parts& parts, data::Dataset& dataset) {
  for (const auto& [part, target] : {std::pair{data::Part::kTrain, &dataset.train},
                                     {data::Part::kValid, &dataset.valid},
                                     {data::Part::kTest, &dataset.test}}) {
    data::Rows chosen;
    for (std::size_t row = 0; row < parts.size(); ++row)
      if (parts[row] == part) chosen.push_back(static_cast<std::int64_t>(row));
    *target = data::take_rows(rows, chosen);
  }
}

void warn_about_split(const data::Dataset& dataset, bool kept, const Context& context) {
  for (const auto& [part, name] :
       {std::pair{&dataset.train, "training"}, {&dataset.valid, "validation"}, {&dataset.test, "test"}})
    if (part->size() == 0)
      context.warn("the " + std::string(name) + " part is empty." +
                   (kept && part == &dataset.valid
                        ? " valid_from_train = 0.1 cuts one from a kept split's train part."
                        : ""));
  std::vector<bool> user(dataset.users.size()), item(dataset.items.size());
  for (const std::int32_t u : dataset.train.user) user[u] = true;
  for (const std::int32_t i : dataset.train.item) item[i] = true;
  const auto users = std::count(user.begin(), user.end(), false),
             items = std::count(item.begin(), item.end(), false);
  if (users + items > 0)
    context.warn(std::to_string(users) + " users and " + std::to_string(items) +
                 " items have no training interaction.");
}

void renumber_tags(data::TagGraph& tags, const Renumbered& items) {
  for (auto& [tag, item] : tags.tag_items) item = items.number[item];
  std::erase_if(tags.tag_items, [](const auto& pair) { return pair.second < 0; });
}

// Writes what there is and removes what an earlier run left, all together.
void write(const data::Dataset& dataset, std::vector<data::ItemText> texts, const data::TagGraph* tags,
           const fs::path& folder, std::vector<fs::path>& outputs) {
  std::erase_if(texts, [](const data::ItemText& item) {
    return item.title.empty() && item.brand.empty() && item.categories.empty() && item.description.empty() &&
           item.other.empty();
  });
  FileSet files(folder);
  if (texts.empty()) {
    files.remove("items.jsonl");
  } else {
    data::add_item_texts(texts, files);
    outputs.push_back(folder / "items.jsonl");
  }
  if (tags) data::add_tags(*tags, dataset.items, files);
  for (const char* name : {"tags.tsv", "tag_edges.tsv", "tag_items.tsv"}) {
    if (tags)
      outputs.push_back(folder / name);
    else
      files.remove(name);
  }
  data::add_dataset(dataset, files);
  for (const std::string& name :
       {std::string("users.tsv"), std::string("items.tsv"), dataset.name + ".train.inter",
        dataset.name + ".valid.inter", dataset.name + ".test.inter"})
    outputs.push_back(folder / name);
  files.commit();
}

}  // namespace

std::string describe(const Counts& counts) {
  std::string text = std::to_string(counts.read) + " interactions read";
  for (const auto& [count, why] : {std::pair{counts.duplicates, " duplicates dropped"},
                                   {counts.below_rating, " dropped by min_rating"},
                                   {counts.below_core, " dropped by user_core and item_core"}})
    if (count > 0) text += ", " + std::to_string(count) + why;
  return text;
}

PrepareResult run(const PrepareOptions& options, const Context& context) {
  check_choice(options);
  PrepareResult result;
  Source source = read_source(options, context);
  RawInteractions& raw = source.raw;
  for (const importers::FileReport& report : raw.reports) {
    tell_import(report, context);
    result.imports.push_back(importers::to_json(report));
  }
  if (options.dry_run) {
    result.shown = first_rows(raw);
    return result;
  }
  result.format = source.format;
  result.inputs = source.files;
  result.split = resolve_split(options, raw);
  result.counts = filter(options, raw);
  const bool all_ids = result.counts.below_rating + result.counts.below_core == 0;

  data::Dataset dataset;
  dataset.name = options.name.empty() ? data::folder_name(options.output) : options.name;
  Renumbered users = renumber(raw.users, raw.rows.user, all_ids),
             items = renumber(raw.items, raw.rows.item, all_ids);
  dataset.users = std::move(users.ids);
  dataset.items = std::move(items.ids);
  distribute(raw.rows, split(options, result.split, raw, dataset.num_users()), dataset);
  if (source.tags) renumber_tags(*source.tags, items);

  std::vector<data::ItemText> texts;
  if (!source.items.empty()) {
    importers::ItemTexts read = read_item_texts(source, options, dataset.items, context);
    texts = std::move(read.texts);
    tell_import(read.report, context);
    result.imports.push_back(importers::to_json(read.report));
  }
  const data::TagGraph* tags = source.tags ? &*source.tags : nullptr;
  result.statistics = data::measure(dataset, texts, tags);
  context.check_stop("prepare");
  write(dataset, std::move(texts), tags, options.output, result.outputs);
  context.info(describe(result.counts) + ".");
  if (!source.items.empty() && result.statistics.items_without_text > 0)
    context.warn(std::to_string(result.statistics.items_without_text) + " of " +
                 std::to_string(result.statistics.items) + " items have no text in " + source.items.string() +
                 ".");
  warn_about_split(dataset, result.split == "keep", context);
  warn_about_ids(dataset, context);
  return result;
}

}  // namespace hyperllm::stages::prepare
