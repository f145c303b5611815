// items.jsonl read one item at a time, in the order of item rows: a catalogue of a million items does not
// have to fit into memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/data/texts.h"

namespace hyperllm::llm {

class ItemLines {
 public:
  // Finds the line of each item of `items`. Throws kIo, and kInvalidData for a line that is no JSON object,
  // has no id, or repeats one.
  ItemLines(std::filesystem::path file, const std::vector<std::string>& items, const Context& context);

  // The item's text; only its id if it has no line.
  data::ItemText read(std::int64_t row);

 private:
  std::filesystem::path file_;
  const std::vector<std::string>& items_;
  std::ifstream stream_;
  std::vector<std::int64_t> offsets_;  // -1: no line
};

// What the model is shown of an item: one attribute a line, the description last and cut so that the whole
// has at most `most` bytes. "" if the catalogue says nothing beyond the id.
std::string describe_item(const data::ItemText& item, std::int64_t most);

}  // namespace hyperllm::llm
