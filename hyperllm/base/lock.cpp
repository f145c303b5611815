#include "hyperllm/base/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "hyperllm/base/descriptor.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"

namespace hyperllm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLock = ".hyperllm.lock";
constexpr std::size_t kLongestHolder = 400;

std::string this_process() {
  char host[256] = "", since[64] = "";
  ::gethostname(host, sizeof host - 1);
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::strftime(since, sizeof since, "%Y-%m-%d %H:%M:%S UTC", &parts);
  std::string command;
  try {
    command = read_file("/proc/self/cmdline");
  } catch (const Error&) {  // no /proc
  }
  // Arguments end in NUL. Only the program and its subcommand are told: an address may hold a password.
  std::size_t end = command.find('\0');
  if (end != command.npos) end = command.find('\0', end + 1);
  command.resize(std::min(end, command.size()));
  std::replace(command.begin(), command.end(), '\0', ' ');
  return ("process " + std::to_string(::getpid()) + " on " + host + " since " + since + ": " + command)
      .substr(0, kLongestHolder);
}

std::string holder_of(int descriptor) {
  char text[kLongestHolder];
  const ssize_t count = ::pread(descriptor, text, sizeof text, 0);
  std::string holder(text, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  std::erase_if(holder, [](unsigned char letter) { return letter < ' '; });
  while (holder.ends_with(' ')) holder.pop_back();
  return holder;
}

int lock_now(int descriptor) {
  int result = 0;
  while ((result = ::flock(descriptor, LOCK_EX | LOCK_NB)) != 0 && errno == EINTR) {
  }
  return result;
}

}  // namespace

FileLock::FileLock(fs::path file, const std::string& problem, const std::string& remedy)
    : file_(std::move(file)) {
  while (descriptor_ < 0) {
    Descriptor open(::open(file_.c_str(), O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666));
    if (!open.is_open()) throw io_error(file_, "lock");
    if (lock_now(open.get()) != 0 && errno == EWOULDBLOCK) {
      const std::string holder = holder_of(open.get());
      throw Error(ErrorCode::kUnavailable,
                  problem + (holder.empty() ? "" : " (" + holder + ")") + ". " + remedy);
    }
    if (open.is_named(file_)) descriptor_ = open.release();  // else its holder has just removed it
  }
  const std::string text = this_process() + "\n";
  // Only a help for others: on a full disk the lock holds without it.
  if (::ftruncate(descriptor_, 0) == 0) [[maybe_unused]]
    const auto ignored = ::pwrite(descriptor_, text.data(), text.size(), 0);
}

FileLock::~FileLock() {
  ::unlink(file_.c_str());
  ::close(descriptor_);
}

FolderLock::FolderLock(const fs::path& folder) {
  std::error_code ignored;
  for (fs::path missing = folder; !missing.empty() && !fs::exists(fs::symlink_status(missing, ignored));
       missing = missing.parent_path())
    made_.push_back(missing);
  make_folder(folder);
  lock_.emplace(folder / kLock, folder.string() + ": another process is writing to this folder",
                "Wait until it ends, or give another folder.");
}

FolderLock::~FolderLock() {
  lock_.reset();
  for (const fs::path& folder : made_)
    if (::rmdir(folder.c_str()) != 0) break;
}

bool is_held(const fs::path& file) {
  const Descriptor open(::open(file.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  return open.is_open() && lock_now(open.get()) != 0 && errno == EWOULDBLOCK;
}

void remove_leftover(const fs::path& file) {
  const Descriptor open(::open(file.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (open.is_open() && lock_now(open.get()) == 0 && open.is_named(file)) ::unlink(file.c_str());
}

void remove_leftover_lock(const fs::path& folder) { remove_leftover(folder / kLock); }

}  // namespace hyperllm
