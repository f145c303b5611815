#include "hyperllm/data/dataset.h"

#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/data/ids.h"
#include "hyperllm/data/inter.h"
#include "hyperllm/data/lines.h"

namespace hyperllm::data {
namespace {

namespace fs = std::filesystem;

// The NAME of NAME.train.inter: the folder's own, or that of its only such file (the folder was renamed).
std::string dataset_name(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw Error(ErrorCode::kIo, folder.string() + ": no such folder. Give the folder that `prepare` wrote.");
  const std::string own = folder_name(folder);
  constexpr std::string_view kSuffix = ".train.inter";
  if (fs::exists(folder / (own + std::string(kSuffix)))) return own;
  std::string found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(kSuffix)) continue;
    if (!found.empty())
      throw Error(ErrorCode::kIo, folder.string() + ": holds several datasets (" + found + ", " +
                                      file.substr(0, file.size() - kSuffix.size()) +
                                      "). Keep one dataset a folder.");
    found = file.substr(0, file.size() - kSuffix.size());
  }
  if (found.empty())
    throw Error(ErrorCode::kIo,
                folder.string() + ": has no file " + own + ".train.inter. Run `prepare` first.");
  return found;
}

// Reads one column of ids below a header line.
void load_ids(const fs::path& path, const std::string& header, IdTable& ids) {
  LineReader lines(path);
  std::string_view line;
  if (!lines.next(line) || line != header)
    throw data_error(path.string(), 1, "", "the header is not '" + header + "'",
                     "Write it as the first line.");
  while (lines.next(line)) {
    const auto count = ids.size();
    if (line.empty() || line.find('\t') != line.npos)
      throw data_error(path.string(), lines.line_number(), "", "not one id a line",
                       "Remove empty lines and tabs.");
    if (ids.add(line) < count)
      throw data_error(path.string(), lines.line_number(), "",
                       "the id '" + std::string(line) + "' is there twice", "Remove one of the two lines.");
  }
}

struct Row {
  std::int32_t user, item;
};

Row find_row(const InterReader& reader, const InterRow& row, const IdTable& users, const IdTable& items) {
  const Row found{users.find(row.user), items.find(row.item)};
  if (found.user < 0)
    throw reader.table().error("user_id", "users.tsv has no '" + std::string(row.user) + "'",
                               "Run `prepare` again, or remove users.tsv and items.tsv.");
  if (found.item < 0)
    throw reader.table().error("item_id", "items.tsv has no '" + std::string(row.item) + "'",
                               "Run `prepare` again, or remove users.tsv and items.tsv.");
  return found;
}

Interactions load_interactions(const fs::path& path, bool fixed_ids, IdTable& users, IdTable& items) {
  Interactions result;
  InterReader reader(path);
  InterRow row;
  while (reader.next(row)) {
    const Row at =
        fixed_ids ? find_row(reader, row, users, items) : Row{users.add(row.user), items.add(row.item)};
    result.user.push_back(at.user);
    result.item.push_back(at.item);
    result.rating.push_back(row.rating);
    result.timestamp.push_back(row.timestamp);
  }
  return result;
}

void add_interactions(const Dataset& dataset, const Interactions& part, const std::string& name,
                      FileSet& files) {
  HYPERLLM_CHECK(part.item.size() == part.user.size() && part.rating.size() == part.user.size() &&
                     part.timestamp.size() == part.user.size(),
                 ErrorCode::kInvalidArgument,
                 (files.folder() / name).string() + ": the columns of the interactions differ in length.");
  InterWriter writer(files.add(name));
  for (std::size_t i = 0; i < part.user.size(); ++i)
    writer.write(
        {dataset.users.at(part.user[i]), dataset.items.at(part.item[i]), part.rating[i], part.timestamp[i]});
}

void add_ids(const std::string& name, const std::string& header, const std::vector<std::string>& ids,
             FileSet& files) {
  AtomicFile& file = files.add(name);
  file.write(header + "\n");
  for (const std::string& id : ids) {
    HYPERLLM_CHECK(
        !id.empty() && id.find_first_of("\t\r\n") == id.npos, ErrorCode::kInvalidArgument,
        (files.folder() / name).string() + ": the id '" + id + "' is empty or holds a tab or a line end.");
    file.write(id + "\n");
  }
}

}  // namespace

std::string folder_name(const fs::path& folder) {
  const fs::path whole = fs::weakly_canonical(folder);
  return (whole.has_filename() ? whole.filename() : whole.parent_path().filename()).string();
}

Csr Interactions::csr(std::int64_t users, std::int64_t items) const {
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs(user.size());
  for (std::size_t i = 0; i < user.size(); ++i) pairs[i] = {user[i], item[i]};
  return make_csr(users, items, pairs);
}

Dataset load_dataset(const fs::path& folder) {
  finish_commit(folder);
  Dataset dataset;
  dataset.name = dataset_name(folder);
  IdTable users, items;
  const bool fixed = fs::exists(folder / "users.tsv") || fs::exists(folder / "items.tsv");
  if (fixed) {
    load_ids(folder / "users.tsv", "user_id:token", users);
    load_ids(folder / "items.tsv", "item_id:token", items);
  }
  dataset.train = load_interactions(folder / (dataset.name + ".train.inter"), fixed, users, items);
  dataset.valid = load_interactions(folder / (dataset.name + ".valid.inter"), fixed, users, items);
  dataset.test = load_interactions(folder / (dataset.name + ".test.inter"), fixed, users, items);
  dataset.users = std::move(users).take();
  dataset.items = std::move(items).take();
  return dataset;
}

void add_dataset(const Dataset& dataset, FileSet& files) {
  const std::string name = dataset.name.empty() ? folder_name(files.folder()) : dataset.name;
  add_ids("users.tsv", "user_id:token", dataset.users, files);
  add_ids("items.tsv", "item_id:token", dataset.items, files);
  add_interactions(dataset, dataset.valid, name + ".valid.inter", files);
  add_interactions(dataset, dataset.test, name + ".test.inter", files);
  add_interactions(dataset, dataset.train, name + ".train.inter", files);
}

void save_dataset(const Dataset& dataset, const fs::path& folder) {
  FileSet files(folder);
  add_dataset(dataset, files);
  files.commit();
}

std::unordered_map<std::string, std::int32_t> index_of(const std::vector<std::string>& ids) {
  std::unordered_map<std::string, std::int32_t> index;
  index.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) index.emplace(ids[i], static_cast<std::int32_t>(i));
  return index;
}

}  // namespace hyperllm::data
