#include "hyperllm/importers/source.h"

#include <algorithm>

#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/importers/importer.h"

namespace hyperllm::importers {
namespace {

namespace fs = std::filesystem;

// A folder or an archive as what lies in it, where no format takes it whole: the parts of a split, or the only
// file.
void open_folder(ImportOptions& options) {
  const fs::path folder = options.input[0];
  if (options.input.size() != 1 || !data::is_folder(folder)) return;
  std::vector<fs::path> files = split_files(folder);
  if (files.empty()) {
    files = data::files_of(folder);
    if (files.size() != 1) return;
  }
  options.input.assign(files.begin(), files.end());
}

const Importer& detect(ImportOptions& options) {
  for (const std::string& path : options.input)
    if (!data::input_exists(path))
      throw Error(ErrorCode::kIo, path + ": no such file or folder. Check the path.");
  const fs::path first = options.input[0];
  if (fs::is_directory(first)) finish_commit(first);  // it may be a dataset folder
  const bool told = options.format != "auto";
  for (const Importer& importer : importers())
    if (importer.recognise(first, options.encoding)) return told ? find_importer(options.format) : importer;
  open_folder(options);
  if (!data::is_folder(options.input[0]))
    for (const Importer& importer : importers())
      if (importer.recognise(options.input[0], options.encoding))
        return told ? find_importer(options.format) : importer;
  if (told) return find_importer(options.format);
  std::string members;
  for (const fs::path& file : data::files_of(first))
    members += (members.empty() ? " It holds " : ", ") + file.string();
  throw Error(
      ErrorCode::kInvalidArgument,
      first.string() +
          ": nothing known in this folder. Looked for train_matrix.npz (released HyperLLM data), *.inter "
          "(RecBole), ratings.csv, ratings.dat or u.data (MovieLens), files called train and test." +
          members + (members.empty() ? "" : ".") + " Give the path of the file with the interactions.");
}

// Items go by the name that the interactions give them, where their file has a column of that name: a catalogue
// of books has an asin and an isbn, too.
ImportOptions with_item_name(ImportOptions options, const Source& source) {
  if (!options.item_column.empty() && !data::to_integer(options.item_column)) return options;
  if (source.raw.reports.empty()) return options;
  for (const auto& [role, column] : source.raw.reports.front().used)
    if (role == "item") options.item_column = column;
  return options;
}

}  // namespace

Source read_source(const ImportOptions& told, const Context& context) {
  HYPERLLM_CHECK(!told.input.empty(), ErrorCode::kInvalidArgument,
                 "input: nothing given. Give a file or a folder with interactions.");
  ImportOptions options = told;
  Source source;
  const Importer& importer = detect(options);
  source.format = importer.name;
  check_options(importer, options);
  importer.read(options, context, source);
  HYPERLLM_CHECK(source.raw.parts.empty() ||
                     static_cast<std::int64_t>(source.raw.parts.size()) == source.raw.rows.size(),
                 ErrorCode::kInvalidData,
                 "input: some of the files have a split of their own and others have not. "
                 "Give split_column = none, or files of one kind.");
  if (!told.items.empty()) source.items = told.items;
  const auto add = [&](const fs::path& path) {
    const fs::path file = data::stored_file(path);
    if (std::find(source.files.begin(), source.files.end(), file) == source.files.end())
      source.files.push_back(file);
  };
  std::vector<fs::path> tags;
  tags.swap(source.files);
  for (const fs::path& file : source.raw.files) add(file);
  for (const fs::path& file : tags) add(file);
  if (!source.items.empty()) add(source.items);
  return source;
}

ItemTexts read_item_texts(const Source& source, const ImportOptions& told,
                          const std::vector<std::string>& ids, const Context& context) {
  const ImportOptions options = with_item_name(told, source);
  ItemCollector items(ids, options.columns().bad_rows);
  bool read = false;
  const Importer& own = find_importer(source.format);
  const bool last_resort = &own == &importers().back();  // tables may be anything
  if (own.read_items && !last_resort) read = own.read_items(source.items, options, context, items, true);
  for (const Importer& importer : importers())
    if (!read && importer.read_items && (last_resort || importer.name != source.format))
      read = importer.read_items(source.items, options, context, items, false);
  items.finish(source.items, context);
  ItemTexts result{{}, items.report()};
  result.texts = std::move(items).take();
  return result;
}

}  // namespace hyperllm::importers
