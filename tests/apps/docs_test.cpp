// What the documentation names is there: options, their defaults, and every key of every recipe.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "hyperllm/apps/pipeline.h"
#include "hyperllm/apps/search_plan.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"

namespace hyperllm::apps {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

const fs::path kRoot = HYPERLLM_SOURCE_DIR;

std::vector<fs::path> files(const char* folder, const std::string& extension) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder))
    if (entry.path().extension() == extension) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<fs::path> documents() {
  std::vector<fs::path> found = files("docs", ".md");
  for (const char* name : {"README.md", "CONTRIBUTING.md", "examples/README.md"})
    found.push_back(kRoot / name);
  return found;
}

// A document cut into its code and the rest.
struct Document {
  std::vector<std::string> code;     // lines of blocks, and inline code
  std::vector<std::string> recipes;  // blocks marked as toml
  std::vector<std::string> lines;    // what is no block
};

Document read(const fs::path& path) {
  Document document;
  std::string prose, line, fence;
  bool inside = false;
  for (std::istringstream text(read_file(path)); std::getline(text, line);) {
    if (line.starts_with("```")) {
      inside = !inside;
      fence = line;
      if (inside && line == "```toml") document.recipes.emplace_back();
    } else if (inside && fence == "```toml") {
      document.recipes.back() += line + "\n";
    } else if (inside || line.starts_with("    ")) {
      document.code.push_back(line.substr(0, line.find(" #")));
    } else {
      document.lines.push_back(line);
      prose += line + "\n";
    }
  }
  for (std::size_t open = prose.find('`'); open != prose.npos;) {
    const std::size_t close = prose.find('`', open + 1);
    if (close == prose.npos) break;
    document.code.push_back(prose.substr(open + 1, close - open - 1));
    open = prose.find('`', close + 1);
  }
  return document;
}

Words words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

// Flags and defaults of a stage, by option name with '_'.
std::map<std::string, std::string> options_of(const Stage& stage) {
  std::map<std::string, std::string> options;
  const auto call = stage.make();
  for (const Field& field : call->fields()) options[field.name] = field_text(field);
  return options;
}

// Flags that a command takes, for "" those that some command takes.
std::set<std::string> flags_of(const std::string& command) {
  std::set<std::string> flags = {"--threads", "--quiet", "--verbose", "--version", "--help"};
  if (command == "run" || command.empty()) flags.insert({"--set", "--only"});
  if (command == "search") flags.insert("--set");
  for (const Stage& stage : all_stages()) {
    if (!command.empty() && stage.name != command) continue;
    for (const auto& [name, text] : options_of(stage)) {
      std::string flag = name;
      std::replace(flag.begin(), flag.end(), '_', '-');
      flags.insert({"--" + flag, "--no-" + flag});
    }
  }
  return flags;
}

bool is_command(const std::string& word) {
  return word == "run" || word == "search" || std::any_of(all_stages().begin(), all_stages().end(),
                                      [&](const Stage& stage) { return stage.name == word; });
}

bool is_flag(const std::string& word) {
  return word.size() > 3 && word.starts_with("--") && std::islower(static_cast<unsigned char>(word[2]));
}

// The command that a piece of code calls ("": unknown); nothing if it is another program's or the data flow.
std::optional<std::string> command_in(const Words& words) {
  const auto program = std::find_if(words.begin(), words.end(), [](const std::string& word) {
    return word == "hyperllm" || word.ends_with("/hyperllm");
  });
  if (program != words.end() && program + 1 != words.end() && is_command(program[1])) return program[1];
  if (!words.empty() && is_command(words[0])) return words[0];
  const bool flow =
      std::any_of(words.begin(), words.end(), [](const auto& word) { return word.ends_with("-->"); });
  if (!words.empty() && is_flag(words[0]) && !flow) return "";
  return std::nullopt;
}

TEST(Docs, EveryFlagExists) {
  int flags = 0;
  for (const fs::path& path : documents())
    for (const std::string& code : read(path).code) {
      const Words words = words_of(code);
      const auto command = command_in(words);
      if (!command) continue;
      const std::set<std::string> known = flags_of(*command);
      for (const std::string& word : words) {
        if (!is_flag(word)) continue;
        ++flags;
        EXPECT_TRUE(known.contains(word.substr(0, word.find('='))))
            << path << ": " << word << " in '" << code << "'";
      }
    }
  EXPECT_GT(flags, 30) << "the documents are not understood";
}

// Tables headed "| option | default |" of docs/extract-and-embed.md and the like.
TEST(Docs, EveryOptionInATableHasTheDefaultThatItSays) {
  const auto plain = [](std::string cell) {
    std::erase_if(cell, [](char letter) { return letter == '`' || letter == ' '; });
    return cell;
  };
  int rows = 0;
  for (const fs::path& path : documents()) {
    bool table = false, defaults = false;
    for (const std::string& line : read(path).lines) {
      std::vector<std::string> cells;
      std::string cell;
      for (std::istringstream text(line); std::getline(text, cell, '|');) cells.push_back(plain(cell));
      if (cells.size() < 3 || !line.starts_with("|")) {
        table = false;
      } else if (cells[1] == "option") {
        table = true;
        defaults = cells[2] == "default";
      } else if (table && !cells[1].starts_with("-")) {
        ++rows;
        bool known = false, right = false;
        for (const Stage& stage : all_stages()) {
          const auto options = options_of(stage);
          const auto found = options.find(cells[1]);
          if (found == options.end()) continue;
          known = true;
          right |= !defaults || found->second == cells[2] || found->second.empty();
        }
        EXPECT_TRUE(known) << path << ": there is no option '" << cells[1] << "'";
        EXPECT_TRUE(right || !known) << path << ": the default of '" << cells[1] << "' is not " << cells[2];
      }
    }
  }
  EXPECT_GT(rows, 15) << "the documents are not understood";
}

// Planning refuses unknown sections, keys and values; the stop comes before any work.
void expect_planned(const fs::path& recipe) {
  std::stop_source stop;
  stop.request_stop();
  std::ostringstream out;
  try {
    const Recipe loaded = load_recipe(recipe);
    if (loaded.search) plan_search(loaded, all_stages());
    run_recipe(loaded, {}, all_stages(), Context{&silent_sink(), stop.get_token()}, out);
    ADD_FAILURE() << recipe << " ran";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted) << recipe << ": " << error.what();
  }
}

TEST(Docs, EveryRecipeIsValid) {
  // Data that not everybody has: planning only asks whether the files are there.
  const fs::path data = fs::path(::testing::TempDir()) / ("data" + std::to_string(::getpid()));
  for (const char* file : {"phase1_user_embeddings.npy", "phase1_item_embeddings.npy"})
    write_file(data / "amazon-beauty" / file, "");
  ::setenv("HYPERLLM_DATA", data.c_str(), 1);
  const auto recipes = files("experiments", ".toml");
  EXPECT_GE(recipes.size(), 2u);
  for (const fs::path& recipe : recipes) expect_planned(recipe);
  int snippets = 0;
  for (const fs::path& path : documents())
    for (const std::string& recipe : read(path).recipes) {
      const fs::path file =
          fs::path(::testing::TempDir()) / ("snippet" + std::to_string(snippets++) + ".toml");
      write_file(file, recipe);
      expect_planned(file);
      fs::remove(file);
    }
  EXPECT_GE(snippets, 2);
  ::unsetenv("HYPERLLM_DATA");
  fs::remove_all(data);
}

}  // namespace
}  // namespace hyperllm::apps
