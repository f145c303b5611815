#include "hyperllm/base/file_set.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "hyperllm/base/descriptor.h"

namespace hyperllm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kList = ".hyperllm.commit";
constexpr std::string_view kRemoval = "--------";  // in place of the temporary's eight letters

struct Step {
  std::string letters;  // of the temporary, or kRemoval
  std::string name;     // below the folder
};

// Each step is eight characters, a blank, the name and a NUL, which no name can hold.
std::string text_of(const std::vector<Step>& steps) {
  std::string text;
  for (const Step& step : steps) (text += step.letters + " " + step.name) += '\0';
  return text;
}

// The list says what is renamed and removed in whose name it runs: nothing outside the folder is touched.
bool is_inside(const fs::path& name) {
  return !name.empty() && name.is_relative() && std::find(name.begin(), name.end(), "..") == name.end();
}

std::vector<Step> parse(const std::string& text, const fs::path& list) {
  std::vector<Step> steps;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\0', at);
    const bool good = end != text.npos && end - at > 9 && text[at + 8] == ' ' &&
                      text.substr(at, 8).find('/') == std::string::npos &&
                      is_inside(text.substr(at + 9, end - at - 9));
    if (!good)
      throw data_error(list.string(), 0, "", "not a list of files to put in place",
                       "Remove it, and run the command again that wrote to this folder last.");
    steps.push_back({text.substr(at, 8), text.substr(at + 9, end - at - 9)});
    at = end + 1;
  }
  return steps;
}

// Each step may have been done before. `done` tells whether any of them was done now.
void apply(const fs::path& folder, const std::vector<Step>& steps, bool& done) {
  std::set<fs::path> folders = {folder};
  for (const auto& [letters, name] : steps) {
    const fs::path path = folder / name;
    if (letters == kRemoval) {
      file_step("remove", path);
      if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) throw io_error(path, "remove");
    } else {
      file_step("rename", path);
      const fs::path target = resolve_links(path);
      fs::path temporary = target;
      temporary += ".tmp" + letters;
      if (std::rename(temporary.c_str(), target.c_str()) != 0 && errno != ENOENT)
        throw io_error(path, "rename");
      folders.insert(folder_of(target));
    }
    done = true;
  }
  for (const fs::path& changed : folders) sync_folder(changed);
}

void remove_list(const fs::path& folder) {
  const fs::path list = folder / kList;
  file_step("remove", list);
  if (::unlink(list.c_str()) != 0) throw io_error(list, "remove");
  sync_folder(folder);
}

// Gives a file a name that must be free. Where the file system cannot promise that, the folder's lock must
// do.
bool rename_to_free_name(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno == EEXIST) return false;
  if ((errno != EINVAL && errno != ENOSYS) || std::rename(from.c_str(), to.c_str()) != 0)
    throw io_error(to, "rename", true);
  return true;
}

}  // namespace

FileSet::FileSet(fs::path folder) : folder_(std::move(folder)) {
  make_folder(folder_);
  finish_commit(folder_);
}

AtomicFile& FileSet::add(const std::string& name) {
  HYPERLLM_DCHECK(is_inside(name));
  return *files_.emplace_back(name, std::make_unique<AtomicFile>(folder_ / name)).second;
}

void FileSet::remove(const std::string& name) {
  remove_leftovers(folder_ / name);
  removed_.push_back(name);
}

void FileSet::commit() {
  std::vector<Step> steps;
  std::set<fs::path> folders;
  for (const auto& [name, file] : files_) {
    if (!file->synced_) file->sync();
    if (file->in_place()) continue;
    steps.push_back({file->temporary_.string().substr(file->temporary_.string().size() - 8), name});
    folders.insert(folder_of(file->temporary_));
  }
  for (const std::string& name : removed_) {
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(folder_ / name, ignored)))
      steps.push_back({std::string(kRemoval), name});
  }
  for (const fs::path& folder : folders) sync_folder(folder);
  if (steps.size() == 1) {  // one step is whole by itself
    bool done = false;
    apply(folder_, steps, done);
  } else if (!steps.empty()) {
    AtomicFile list(folder_ / kList);
    list.write(text_of(steps));
    list.sync();
    file_step("rename", list.path_);
    while (!rename_to_free_name(list.temporary_, list.target_)) finish_commit(folder_);
    bool done = false;
    try {
      sync_folder(folder_);
      apply(folder_, steps, done);
    } catch (...) {
      if (!done && ::unlink(list.target_.c_str()) == 0) throw;
      for (const auto& [name, file] : files_) file->close();  // the list needs the temporaries
      list.close();
      throw;
    }
    remove_list(folder_);
    list.close();
  }
  for (const auto& [name, file] : files_)
    if (file->file_) file->close();
  files_.clear();
  removed_.clear();
}

void finish_commit(const fs::path& folder) {
  const fs::path list = folder / kList;
  while (true) {
    const Descriptor open(::open(list.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!open.is_open() && (errno == ENOENT || errno == ENOTDIR)) return;
    if (!open.is_open())
      throw Error(ErrorCode::kIo, list.string() +
                                      ": an earlier command was ended while it put its files in place, and "
                                      "the rest cannot be done now: " +
                                      std::strerror(errno) +
                                      ". Run the command again as a user who may write to this folder.");
    while (::flock(open.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    if (!open.is_named(list)) continue;  // its writer has ended the work meanwhile
    bool done = false;
    apply(folder, parse(read_file(list), list), done);
    remove_list(folder);
    return;
  }
}

}  // namespace hyperllm
