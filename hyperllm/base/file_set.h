// Files that belong together: all of the new ones are in place, or all of the old ones.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/files.h"

namespace hyperllm {

// Several files below one folder that commit() puts in place together. Destroyed without commit(), it changes
// nothing.
//
//   1. Every file is written to its temporary and synced. A full disk ends here; nothing has changed.
//   2. The list of renames and removals is written aside, synced, and renamed to FOLDER/.hyperllm.commit.
//      This is the moment of the commit.
//   3. The renames and removals are done, the folders synced, and the list is removed.
//
// A process that is killed before 2 leaves the old files, and temporaries that the next writer removes. One
// that is killed in 3 leaves the list: finish_commit does the rest, whoever comes next. Doing a step twice
// does no harm. The list is locked (flock) by who works on it, so that nobody acts on one that is out of
// date.
//
// Files of a set are only written through sets of the same folder.
class FileSet {
 public:
  // Makes the folder; finishes what an earlier writer left half done. Throws kIo.
  explicit FileSet(std::filesystem::path folder);

  // A file of the set, to be written by the caller: "items.jsonl", "model/users.npy". Throws as AtomicFile
  // does.
  AtomicFile& add(const std::string& name);
  // After the commit there is no file of that name; there need not be one now.
  void remove(const std::string& name);
  // Throws kIo. If it says that a file could not be put in place, either nothing has changed or finish_commit
  // will go on with the rest.
  void commit();

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::vector<std::pair<std::string, std::unique_ptr<AtomicFile>>> files_;
  std::vector<std::string> removed_;
};

// Readers of a set call this first: if a writer was killed in the middle of its renames, does the rest; waits
// for one that is at it. Throws kIo if that is not possible (a folder that may only be read), kInvalidData
// for a list that is not ours. Costs one failing open() where there is nothing to do.
void finish_commit(const std::filesystem::path& folder);

}  // namespace hyperllm
