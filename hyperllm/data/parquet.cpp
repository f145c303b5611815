#include "hyperllm/data/parquet.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/process.h"

namespace hyperllm::data {
namespace {

namespace fs = std::filesystem;

std::string sql_text(const std::string& text) {
  std::string result = "'";
  for (const char letter : text) result.append(letter == '\'' ? 2 : 1, letter);
  return result + "'";
}

// Rows go in batches, so that memory does not grow with the file.
constexpr const char* kPython =
    "import sys, pyarrow.parquet as p, pyarrow.csv as c\n"
    "f = p.ParquetFile(sys.argv[1])\n"
    "with c.CSVWriter(sys.stdout.buffer, f.schema_arrow) as w:\n"
    "    for b in f.iter_batches(): w.write_batch(b)\n";

// A child process whose output is read; what it complains of is kept for the error.
class Child : public ByteSource {
 public:
  Child(const std::vector<std::string>& command, std::int64_t size) : size_(size), name_(command[0]) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw Error(ErrorCode::kIo, "cannot open a pipe.");
    out_ = ends[0];
    complaints_ = ::memfd_create("complaints", MFD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (complaints_ >= 0) posix_spawn_file_actions_adddup2(&actions, complaints_, STDERR_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    started_ = ::posix_spawnp(&child_, arguments[0], &actions, nullptr, arguments.data(), environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
  }
  ~Child() override {
    ::close(out_);
    if (started_) wait();
    if (complaints_ >= 0) ::close(complaints_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  std::size_t read(char* target, std::size_t bytes) override {
    ssize_t count = 0;
    do {
      count = ::read(out_, target, bytes);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
      any_ = true;
      return static_cast<std::size_t>(count);
    }
    if (started_ && wait() != 0)
      throw BytesProblem{name_ + " cannot read this Parquet file: " + last_complaint(),
                         "Check it with that program."};
    return 0;
  }
  std::int64_t done() const override { return any_ ? size_ : 0; }

 private:
  std::string last_complaint() const {
    std::string text(1 << 12, '\0');
    const ssize_t count = ::pread(complaints_, text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    while (text.ends_with('\n')) text.pop_back();
    return text.substr(text.rfind('\n') + 1);
  }
  int wait() {
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    started_ = false;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }
  std::int64_t size_;
  std::string name_;
  int out_ = -1, complaints_ = -1;
  pid_t child_ = 0;
  bool started_ = false, any_ = false;
};

bool works(const std::vector<std::string>& command) {
  const auto ended = run_program(command);
  return ended && ended->status == 0;
}

}  // namespace

bool is_parquet(std::string_view head) { return head.starts_with("PAR1"); }

ByteSourcePtr parquet_as_csv(const fs::path& path) {
  std::error_code ignored;
  const auto size = static_cast<std::int64_t>(fs::file_size(path, ignored));
  const std::string file = fs::absolute(path).string();
  if (works({"duckdb", "--version"}))
    return std::make_unique<Child>(
        std::vector<std::string>{"duckdb", "-csv", "-header", "-nullvalue", "", "-c",
                                 "SELECT * FROM read_parquet(" + sql_text(file) + ")"},
        size);
  if (works({"python3", "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('pyarrow') is None)"}))
    return std::make_unique<Child>(std::vector<std::string>{"python3", "-c", kPython, file}, size);
  throw Error(
      ErrorCode::kUnavailable,
      path.string() +
          ": this is a Parquet file, which needs DuckDB's command line program or Python with pyarrow. "
          "Install one, for example with `pip install duckdb-cli` or `pip install pyarrow`, and run the "
          "same command again.");
}

}  // namespace hyperllm::data
