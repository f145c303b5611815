// Errors: what went wrong, where in the user's data, and what to do about it.
//
// Two families. Bad input or a failing environment throws hyperllm::Error and carries a code that the command
// line turns into an exit status. A broken invariant of our own is caught by HYPERLLM_DCHECK in debug builds.
// Library code never prints and never exits.
#pragma once

#include <cassert>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace hyperllm {

enum class ErrorCode {
  kInvalidArgument,  // an option or a call is wrong: exit status 2
  kInvalidData,      // a file's content is wrong: exit status 3
  kIo,               // the operating system refused: missing file, full disk: exit status 4
  kNonFinite,        // a NaN or an infinity appeared in training: exit status 5
  kInterrupted,      // the user asked to stop (Ctrl-C); work done so far is saved: exit status 130
  kUnavailable,      // something optional is missing or silent, or a folder is in use: exit status 6
};

// The process exit status that stands for `code`; never 0.
int exit_status(ErrorCode code);

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// An Error about one place in a file, worded as
//   ratings.csv:17: field 'rating': 'abc' is not a number. Give a number such as 4 or 3.5.
// `line` is 1-based, 0 if the error concerns the whole file; `field` may be empty. What is long is cut: a
// text of megabytes in a file does not become a message of megabytes.
Error data_error(std::string_view file, std::int64_t line, std::string_view field, std::string_view problem,
                 std::string_view remedy);

// The candidate nearest to `word` by edit distance, for "did you mean"; empty if every candidate differs in
// more than a third of the word's letters (two at least), or if the word has hundreds of letters.
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace hyperllm

// Throws hyperllm::Error(code, message) unless `condition` holds. `message` is only evaluated on failure.
#define HYPERLLM_CHECK(condition, code, message)                  \
  do {                                                            \
    if (!(condition)) throw ::hyperllm::Error((code), (message)); \
  } while (false)

// Guards an invariant of our own; nothing in release builds.
#define HYPERLLM_DCHECK(condition) assert(condition)
