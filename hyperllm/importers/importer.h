// The formats that `prepare` reads: one file and one line each.
#pragma once

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/importers/options.h"
#include "hyperllm/importers/source.h"

namespace hyperllm::importers {

struct Importer {
  const char* name;  // the word behind --format
  std::vector<std::string_view>
      options;  // of ImportOptions, those that it can use beside input, format, items
  // Whether a file or a folder is of this format, by its content and, where many are alike, its name. The
  // first importer of the list that says so reads it. Throws as open_bytes.
  bool (*recognise)(const std::filesystem::path& path, const std::string& encoding);
  // Reads the interactions of options.input and finds the file of item texts.
  void (*read)(const ImportOptions& options, const Context& context, Source& source);
  // Texts of items out of a file of the same format (`own`: the interactions are of it, too); false if the file
  // is none. Null: it has none.
  bool (*read_items)(const std::filesystem::path& path, const ImportOptions& options, const Context& context,
                     ItemCollector& items, bool own);
};

// In the order in which they are asked.
std::span<const Importer> importers();
// Throws kInvalidArgument.
const Importer& find_importer(std::string_view name);
// Names of the formats, "auto" first.
std::vector<std::string> format_names();

// Throws kInvalidArgument for an option that is set and that the importer cannot use.
void check_options(const Importer& importer, const ImportOptions& options);

// One per format, in its file.
Importer released_importer();
Importer recbole_importer();
Importer rdata_importer();
Importer movielens_importer();
Importer netflix_importer();
Importer lightgcn_importer();
Importer amazon_importer();
Importer jsonl_importer();
Importer csv_importer();

// Options of every format whose rows are tables, and of those whose rows have names.
std::vector<std::string_view> table_options();
std::vector<std::string_view> column_options();

// Calls read(path) for each input; the parts of a split (see part_of_inputs) are marked.
void read_inputs(const ImportOptions& options, RawInteractions& raw,
                 const std::function<void(const std::filesystem::path&)>& read);
// What part of a split each input is: by their names, or, with split = keep, two inputs in the order train,
// test and three in the order train, valid, test. Empty: they are one set of interactions.
std::vector<Part> part_of_inputs(const ImportOptions& options);
// Files train.*, test.* and perhaps valid.* of a folder; empty if it has none.
std::vector<std::filesystem::path> split_files(const std::filesystem::path& folder);

// A file of item texts that goes by its name; empty if there is none.
std::filesystem::path items_beside(const std::filesystem::path& folder);

// The only input. Throws kInvalidArgument.
std::filesystem::path only_input(const ImportOptions& options);
std::filesystem::path first_existing(const std::filesystem::path& folder,
                                     std::initializer_list<const char*> names);

}  // namespace hyperllm::importers
