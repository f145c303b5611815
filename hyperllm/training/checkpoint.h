// Named float32 tensors and a few texts in one file of the safetensors layout (8 bytes header length, JSON
// header, payload), so that Python reads it too; a hash of header and payload in the header's metadata tells
// a damaged file.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace hyperllm::training {

struct Checkpoint {
  std::map<std::string, std::string> texts;                    // "epoch", "best_epoch", ...
  std::vector<std::pair<std::string, torch::Tensor>> tensors;  // float32, contiguous
  std::filesystem::path path = {};                             // where it was loaded from

  // Throw kInvalidData naming the file and the missing entry, with the remedy.
  const std::string& text(const std::string& key) const;
  const torch::Tensor& tensor(const std::string& name) const;
  // The same, and unless the text is a whole number of at least 0, a number, a list of [name, number].
  std::int64_t count(const std::string& key) const;
  double number(const std::string& key) const;
  std::vector<std::pair<std::string, double>> numbers(const std::string& key) const;
};

// Atomic. Throws kIo.
void save_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& path);

// Throws kIo, kInvalidData (truncated, hash does not fit, sizes that lie, a header that nests deep or is
// larger than 16 MiB, tensors that overlap) with the remedy.
Checkpoint load_checkpoint(const std::filesystem::path& path);

}  // namespace hyperllm::training
