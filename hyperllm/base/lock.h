// One writer at a time.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hyperllm {

// Holds a lock on `file`, which is made, tells who holds it (process, host, time, command) and is removed in
// the end. The system lets go of it when the process ends, killed or not, so that what a killed one left is
// no obstacle. Where the file system has no locks, nothing is locked.
class FileLock {
 public:
  // Throws kUnavailable, "PROBLEM (holder). REMEDY", if another holds it; kIo if the file cannot be made.
  FileLock(std::filesystem::path file, const std::string& problem, const std::string& remedy);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

// The right to write to a folder: FOLDER/.hyperllm.lock. The folder is made if it is missing, and removed
// again if nothing was put into it. Throws kUnavailable naming the holder, kIo. Readers need no lock.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::vector<std::filesystem::path> made_;  // innermost first
  std::optional<FileLock> lock_;
};

// True if somebody holds the FileLock `file` now. One that a killed process left is not held.
bool is_held(const std::filesystem::path& file);

// Removes the lock that a killed process left, the file or that of the folder; leaves one that is held.
void remove_leftover(const std::filesystem::path& file);
void remove_leftover_lock(const std::filesystem::path& folder);

}  // namespace hyperllm
