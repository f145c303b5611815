// The driver: every target reads its mutants in a child process that has little memory and a deadline.
#include "tests/fuzz/fuzz.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "hyperllm/base/error.h"
#include "tests/support/memory_bound.h"

namespace hyperllm::fuzz {
namespace {

namespace fs = std::filesystem;

// For all inputs of a child together: they are small, and what one leaves behind the next may use.
constexpr std::int64_t kMemory = 256 << 20;
constexpr unsigned kSeconds = 120;    // far more than any input takes on a busy machine
constexpr std::int64_t kBatch = 500;  // inputs a child

std::int64_t setting(const char* name, std::int64_t otherwise) {
  const char* const text = std::getenv(name);
  return text ? std::atoll(text) : otherwise;
}

std::string kind_of_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return error.code() == ErrorCode::kIo || error.code() == ErrorCode::kInvalidData ||
                   error.code() == ErrorCode::kInvalidArgument
               ? ""
               : std::string("an Error of another kind: ") + error.what();
  } catch (const std::bad_alloc&) {
    return "more memory than " + std::to_string(kMemory >> 20) + " MiB";
  } catch (const std::exception& error) {
    return std::string("not an Error: ") + error.what();
  }
}

class Fuzz : public ::testing::TestWithParam<Target> {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("fuzz_" + GetParam().name + "_" + std::to_string(::getpid()));
    fs::create_directories(folder_ / "in");
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Reads `count` inputs in a child. What it finds is named with the input's number and kept.
  void read_all(const std::string& what, std::int64_t count,
                const std::function<std::string(std::int64_t)>& input) {
    const fs::path last = folder_ / "input", said = folder_ / "said";
    fs::remove(said);
    const pid_t child = ::fork();
    if (child == 0) {
      test::limit_memory(kMemory);
      for (std::int64_t i = 0; i < count; ++i) {
        ::alarm(kSeconds);
        std::string finding;
        try {
          const std::string bytes = input(i);
          put(last, bytes);
          GetParam().read(bytes, folder_ / "in");
        } catch (...) {
          finding = kind_of_exception();
        }
        put(said, std::to_string(i) + " " + finding);
        if (!finding.empty()) ::_exit(1);
      }
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    std::string verdict;
    std::getline(std::ifstream(said), verdict);
    if (WIFSIGNALED(status))
      verdict = "signal " + std::to_string(WTERMSIG(status)) + ", after input " + verdict;
    const fs::path folder =
        std::getenv("HYPERLLM_FUZZ_SAVE") ? std::getenv("HYPERLLM_FUZZ_SAVE") : "fuzz-findings";
    const fs::path kept = folder / (GetParam().name + "-" + what);
    fs::create_directories(folder);
    fs::copy_file(last, kept, fs::copy_options::overwrite_existing);
    ADD_FAILURE() << GetParam().name << ", " << what << ", input " << verdict << "; the input is "
                  << fs::absolute(kept);
  }

  fs::path folder_;
};

TEST_P(Fuzz, ReadsWhatItStartsFrom) {
  for (const std::string& bytes : GetParam().corpus) EXPECT_NO_THROW(GetParam().read(bytes, folder_ / "in"));
  const char* const again = std::getenv("HYPERLLM_FUZZ_INPUT");
  if (!again) return;
  std::ifstream file(again, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  read_all("again", 1, [&](std::int64_t) { return bytes; });
}

TEST_P(Fuzz, NestingIsRefusedOrHarmless) {
  const std::vector<std::string> inputs = nested(GetParam().corpus);
  read_all("nesting", std::ssize(inputs),
           [&](std::int64_t i) { return inputs[static_cast<std::size_t>(i)]; });
}

TEST_P(Fuzz, MutantsAreReadOrRefused) {
  const auto rounds = setting("HYPERLLM_FUZZ_ROUNDS", 300), seed = setting("HYPERLLM_FUZZ_SEED", 1);
  for (std::int64_t first = 0; first < rounds && !HasFailure(); first += kBatch) {
    Random random(static_cast<std::uint64_t>(seed), "fuzz " + GetParam().name + std::to_string(first));
    read_all("seed-" + std::to_string(seed) + "-from-" + std::to_string(first),
             std::min(kBatch, rounds - first),
             [&](std::int64_t) { return mutant(GetParam().corpus, random); });
  }
}

INSTANTIATE_TEST_SUITE_P(Readers, Fuzz, ::testing::ValuesIn(targets()),
                         [](const auto& target) { return target.param.name; });

}  // namespace

// A new file, not the old one cut to nothing: that is flushed to the disk by ext4 when it is closed.
void put(const fs::path& path, const std::string& bytes) {
  fs::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

}  // namespace hyperllm::fuzz
