// Whole-file reads and atomic writes.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

namespace hyperllm {

// The whole content. Throws kIo (naming path and the system's reason) if it cannot be opened or read.
std::string read_file(const std::filesystem::path& path);

// A file that appears under its name only when commit() succeeds: bytes go to a temporary beside it, which is
// synced, then renamed. Destroyed without commit(), it removes the temporary and leaves any earlier file of
// that name alone; temporaries that killed processes left of it are removed at the start. Every failure (full
// disk included) throws kIo with path and reason.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void write(const void* data, std::size_t bytes) { write({static_cast<const char*>(data), bytes}); }
  // Everything that can fail for want of space: after it, commit() only renames. For files that belong
  // together: write and sync them all, then commit them all.
  void sync();
  void commit();

 private:
  [[noreturn]] void fail(const char* action) const;
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::FILE* file_ = nullptr;
  bool synced_ = false;
};

// Writes `content` through AtomicFile; makes missing parent folders.
void write_file(const std::filesystem::path& path, std::string_view content);

// Makes the folder and its parents; throws kIo with the reason.
void make_folder(const std::filesystem::path& path);

}  // namespace hyperllm
