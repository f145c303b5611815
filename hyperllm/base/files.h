// Every file that is read or written goes through here: inputs that cannot block, outputs that are whole or
// not there. Files that belong together: hyperllm/base/file_set.h.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "hyperllm/base/error.h"

namespace hyperllm {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using InputFile = std::unique_ptr<std::FILE, CloseFile>;

// Opens a file for reading. Throws kIo, naming path and reason, for what cannot be opened and for what is no
// regular file: pipes and devices may block or never end, and inputs are read more than once. Never blocks.
InputFile open_input(const std::filesystem::path& path);

// The same check for libraries that open files themselves.
void require_regular_file(const std::filesystem::path& path);

inline constexpr std::int64_t kMiB = 1 << 20;
inline constexpr std::int64_t kNoLimit = INT64_MAX;

// The whole content. Throws as open_input does, and kInvalidData for a file of more than `most` bytes, which
// would be some other file than the one that was meant.
std::string read_file(const std::filesystem::path& path, std::int64_t most = 256 * kMiB);

// Where writing to `path` ends: links are followed to their last target, which need not exist. Throws kIo for
// links in a circle.
std::filesystem::path resolve_links(const std::filesystem::path& path);

// A file that appears under its name only when commit() succeeds: bytes go to a temporary beside it, which is
// synced, then renamed, and the folder synced. Destroyed without commit(), it removes the temporary and
// leaves any earlier file of that name alone.
//
// What is there already decides how it is written:
//   a link                 stays; its target is replaced, or made with its folders if it is missing
//   a character device, a pipe, one of this process's own descriptors (/dev/stdout)
//                          is written to directly, never replaced; commit() flushes. A pipe that nobody reads
//                          within ten seconds is an error
//   a folder, a block device, a socket   is refused
// Missing parent folders are made. Every failure (full disk included) throws kIo with path and reason.
//
// Temporaries are NAME.tmpXXXXXXXX, eight random characters, and their living writer holds a lock on them
// (flock). What writers that are dead left of this name is removed at the start, told by its lock being free:
// process ids would mean nothing to a container that shares the folder.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void write(const void* data, std::size_t bytes) { write({static_cast<const char*>(data), bytes}); }
  // Everything that can fail for want of space: after it, commit() only renames.
  void sync();
  void commit();
  bool in_place() const { return temporary_.empty(); }

 private:
  friend class FileSet;
  void open_in_place();
  void open_temporary();
  void close();
  [[noreturn]] void fail(const char* action) const;
  std::filesystem::path path_;       // as it was given: for messages
  std::filesystem::path target_;     // links resolved
  std::filesystem::path temporary_;  // empty if written in place
  std::FILE* file_ = nullptr;
  bool synced_ = false;
};

// Removes temporaries of `target` whose writers live no more.
void remove_leftovers(const std::filesystem::path& target);

// Writes `content` through AtomicFile.
void write_file(const std::filesystem::path& path, std::string_view content);

// Opens a log for writing, at its end or emptied: the one kind of file that grows in place. Links are
// followed; throws kIo with the reason, for pipes and the like too. The descriptor is the caller's.
int open_log(const std::filesystem::path& path, bool append);
// Adds `text` to the end of a log.
void append_file(const std::filesystem::path& path, std::string_view text);

// Makes the folder and its parents, and the target of a link that leads nowhere; throws kIo with the reason.
void make_folder(const std::filesystem::path& path);

// Makes renames in the folder last through a power cut, as far as its file system can.
void sync_folder(const std::filesystem::path& folder);

// The folder that a path lies in; "." for a bare name.
std::filesystem::path folder_of(const std::filesystem::path& path);

// For tests of faults: called before every step that changes the disk ("create", "write", "sync", "rename",
// "remove"). It may throw, as a failing disk does, or end the process, as a kill does. None by default.
using FileStepHook = void (*)(const char* step, const std::filesystem::path& path);
void set_file_step_hook(FileStepHook hook);
void file_step(const char* step, const std::filesystem::path& path);

// The Error of a failed system call (`errno`): path, action, reason and what to do. `intact` says that the
// file of this name is as it was.
Error io_error(const std::filesystem::path& path, const std::string& action, bool intact = false);

}  // namespace hyperllm
