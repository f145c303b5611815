#include "hyperllm/base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <random>
#include <thread>
#include <utility>

#include "hyperllm/base/descriptor.h"
#include "hyperllm/base/file_set.h"

namespace hyperllm {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kRandomLetters = 8;
constexpr int kMostLinks = 40;  // what Linux itself follows

FileStepHook step_hook = nullptr;

std::string random_letters() {
  static thread_local std::random_device device;  // names must differ, runs need not repeat them
  std::string text;
  for (std::size_t i = 0; i < kRandomLetters; ++i) text += kLetters[device() % kLetters.size()];
  return text;
}

// Only an error of the descriptor itself is worth a word: some file systems cannot sync, or need not.
bool sync_descriptor(int descriptor) {
  return ::fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP;
}

}  // namespace

void remove_leftovers(const fs::path& target) {
  const std::string prefix = target.filename().string() + ".tmp";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_of(target), ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || name.size() != prefix.size() + kRandomLetters ||
        name.find_first_not_of(kLetters, prefix.size()) != name.npos)
      continue;
    const Descriptor file(::open(entry.path().c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file.is_open() && entry.is_regular_file(ignored) && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 &&
        file.is_named(entry.path()))
      ::unlink(entry.path().c_str());
  }
}

namespace {

// N if the path is /proc/PID/fd/N of this process, else -1.
int own_descriptor(const fs::path& path) {
  std::error_code ignored;
  if (fs::canonical(folder_of(path), ignored) != "/proc/" + std::to_string(::getpid()) + "/fd") return -1;
  const std::string name = path.filename().string();
  int number = -1;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

// Follows links until `stop(path)` or their end.
template <typename Stop>
fs::path follow_links(const fs::path& start, Stop stop) {
  fs::path path = start;
  for (int links = 0; links < kMostLinks; ++links) {
    std::error_code code;
    if (stop(path) || !fs::is_symlink(fs::symlink_status(path, code))) return path;
    const fs::path next = fs::read_symlink(path, code);
    if (code) return path;
    path = next.is_absolute() ? next : folder_of(path) / next;
  }
  throw Error(ErrorCode::kIo, start.string() + ": is a link that leads in a circle. Remove the link.");
}

[[noreturn]] void refuse_folder(const fs::path& path) {
  throw Error(ErrorCode::kIo, path.string() + ": is a folder. Give the path of a file.");
}

[[noreturn]] void refuse_input(const fs::path& path) {
  throw Error(ErrorCode::kIo, path.string() +
                                  ": is a pipe or a device, and inputs are read more than once. Write it to "
                                  "a file (gzip will do) and give that.");
}

// A pipe whose reader is about to come is waited for: shells start both ends at once.
int open_for_writing(const fs::path& path, int flags) {
  constexpr std::chrono::milliseconds kPause(20), kLongest(10'000);
  for (auto waited = kPause;; waited += kPause) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, 0666);
    if (descriptor >= 0) {
      ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) & ~O_NONBLOCK);
      return descriptor;
    }
    std::error_code ignored;
    if (errno != ENXIO || !fs::is_fifo(path, ignored)) throw io_error(path, "open for writing");
    if (waited >= kLongest)
      throw Error(ErrorCode::kIo,
                  path.string() + ": nobody reads this pipe. Start its reader first, or give a file.");
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Error io_error(const fs::path& path, const std::string& action, bool intact) {
  const int code = errno;
  std::string remedy;
  if (code == ENOSPC || code == EDQUOT) remedy = ". Free some space and run the same command again";
  if (code == EFBIG)
    remedy = ". Raise the limit on the size of files (ulimit -f) and run the same command again";
  if (!remedy.empty() && intact) remedy += "; what this file held before is untouched";
  if (code == ENOENT) remedy = ". Check the path";
  if (code == EACCES || code == EPERM)
    remedy = action == "open" ? ". Check that you may read it" : ". Check that you may write there";
  return {ErrorCode::kIo, path.string() + ": cannot " + action + ": " + std::strerror(code) + remedy + "."};
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

void set_file_step_hook(FileStepHook hook) { step_hook = hook; }
void file_step(const char* step, const fs::path& path) {
  if (step_hook) step_hook(step, path);
}

InputFile open_input(const fs::path& path) {
  Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!descriptor.is_open() && errno == ENXIO) refuse_input(path);  // a socket
  struct stat status {};
  if (!descriptor.is_open() || ::fstat(descriptor.get(), &status) != 0) throw io_error(path, "open");
  if (S_ISDIR(status.st_mode)) refuse_folder(path);
  if (!S_ISREG(status.st_mode)) refuse_input(path);
  InputFile file(::fdopen(descriptor.get(), "rb"));
  if (!file) throw io_error(path, "open");
  descriptor.release();
  return file;
}

void require_regular_file(const fs::path& path) { open_input(path); }

std::string read_file(const fs::path& path, std::int64_t most) {
  const InputFile file = open_input(path);
  struct stat status {};
  const auto check = [&](std::int64_t size) {
    if (size > most)
      throw data_error(path.string(), 0, "",
                       "the file is larger than " + std::to_string(most / kMiB) +
                           " MiB, the most that is read of its kind",
                       "Check that this is the right file.");
  };
  if (::fstat(::fileno(file.get()), &status) == 0) check(status.st_size);
  std::string content;
  char buffer[1 << 16];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) {
    content.append(buffer, count);
    check(static_cast<std::int64_t>(content.size()));
  }
  if (std::ferror(file.get())) throw io_error(path, "read");
  return content;
}

fs::path resolve_links(const fs::path& path) {
  return follow_links(path, [](const fs::path&) { return false; });
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  target_ = follow_links(path_, [](const fs::path& link) { return own_descriptor(link) >= 0; });
  struct stat status {};
  const bool own = own_descriptor(target_) >= 0;
  const bool exists = !own && ::stat(target_.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) refuse_folder(path_);
  if (exists && (S_ISBLK(status.st_mode) || S_ISSOCK(status.st_mode)))
    throw Error(ErrorCode::kIo, path_.string() + ": is a " + (S_ISBLK(status.st_mode) ? "disk" : "socket") +
                                    ", which is not written to. Give the path of a file.");
  if (own || (exists && !S_ISREG(status.st_mode)))
    open_in_place();
  else
    open_temporary();
}

void AtomicFile::open_in_place() {
  file_step("create", path_);
  const int own = own_descriptor(target_);
  // A descriptor of our own is shared, not opened again: that would begin at the file's start.
  Descriptor descriptor(own >= 0 ? ::fcntl(own, F_DUPFD_CLOEXEC, 0) : open_for_writing(target_, 0));
  file_ = descriptor.is_open() ? ::fdopen(descriptor.get(), "wb") : nullptr;
  if (!file_) fail("open for writing");
  descriptor.release();
}

void AtomicFile::open_temporary() {
  make_folder(folder_of(target_));
  finish_commit(folder_of(path_));  // whose temporaries are no leftovers
  remove_leftovers(target_);
  file_step("create", path_);
  while (true) {
    temporary_ = target_;
    temporary_ += ".tmp" + random_letters();
    Descriptor descriptor(
        ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (!descriptor.is_open() && errno == EEXIST) continue;
    if (!descriptor.is_open()) fail("create");
    // Another may have taken it for a leftover before it was locked.
    if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) continue;
    if (!descriptor.is_named(temporary_)) continue;
    file_ = ::fdopen(descriptor.get(), "wb");
    if (!file_) fail("create");
    descriptor.release();
    return;
  }
}

AtomicFile::~AtomicFile() {
  if (!file_) return;
  if (!in_place()) ::unlink(temporary_.c_str());
  std::fclose(file_);
}

void AtomicFile::fail(const char* action) const { throw io_error(path_, action, !in_place()); }

void AtomicFile::write(std::string_view bytes) {
  file_step("write", path_);
  synced_ = false;
  if (bytes.empty()) return;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) fail("write");
}

void AtomicFile::sync() {
  file_step("sync", path_);
  if (std::fflush(file_) != 0) fail("write");
  if (!sync_descriptor(::fileno(file_))) fail("sync");
  synced_ = true;
}

void AtomicFile::close() { std::fclose(std::exchange(file_, nullptr)); }

void AtomicFile::commit() {
  if (!synced_) sync();
  if (!in_place()) {
    file_step("rename", path_);
    if (std::rename(temporary_.c_str(), target_.c_str()) != 0) fail("rename");
    sync_folder(folder_of(target_));
  }
  close();
}

void write_file(const fs::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

int open_log(const fs::path& path, bool append) {
  file_step("create", path);
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_character_file(status))
    throw Error(ErrorCode::kIo, path.string() + ": is no file that a log can be written to. Remove it.");
  return open_for_writing(path, O_CREAT | (append ? O_APPEND : O_TRUNC));
}

void append_file(const fs::path& path, std::string_view text) {
  const Descriptor log(open_log(path, true));
  file_step("write", path);
  while (!text.empty()) {
    const ssize_t count = ::write(log.get(), text.data(), text.size());
    if (count < 0 && errno != EINTR) throw io_error(path, "write");
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
}

void make_folder(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (!code) return;
  fs::path prefix;
  for (const fs::path& part : path) {
    prefix /= part;
    std::error_code ignored;
    if (!fs::is_symlink(prefix, ignored) || fs::exists(prefix, ignored)) continue;
    const fs::path target = resolve_links(prefix);
    if (target == prefix) break;
    make_folder(target);
    return make_folder(path);
  }
  throw Error(ErrorCode::kIo, path.string() + ": cannot make the folder: " + code.message() + ".");
}

void sync_folder(const fs::path& folder) {
  const Descriptor open(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A folder that may be written to but not read cannot be opened, so not be synced either.
  if (open.is_open() && !sync_descriptor(open.get())) throw io_error(folder, "sync");
}

}  // namespace hyperllm
