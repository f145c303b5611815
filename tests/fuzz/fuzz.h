// Fuzzing of everything that reads files: targets, the inputs they start from, and the driver.
// docs/fuzzing.md says how to run it.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "hyperllm/base/random.h"

namespace hyperllm::fuzz {

struct Target {
  std::string name;
  std::vector<std::string> corpus;  // small whole inputs, from which mutants are made
  // Reads `bytes`, writing what files it needs into `folder` (its own). It may return or throw
  // hyperllm::Error; anything else is a finding.
  std::function<void(const std::string& bytes, const std::filesystem::path& folder)> read;
};

void PrintTo(const Target& target, std::ostream* out);

// Those of this program (a program lists its own).
std::vector<Target> targets();

// One input from a corpus: some flips, cuts, splices, repetitions, telling numbers, or nesting. The same
// random stream, the same input.
std::string mutant(const std::vector<std::string>& corpus, Random& random);

// Inputs that nest: each bracket by each depth; alone, and before and within the first text of the corpus.
std::vector<std::string> nested(const std::vector<std::string>& corpus);

// Writes without syncing: it is called thousands of times.
void put(const std::filesystem::path& path, const std::string& bytes);

}  // namespace hyperllm::fuzz
