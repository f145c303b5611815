#include "hyperllm/base/files.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <utility>

#include "hyperllm/base/error.h"

namespace hyperllm {
namespace {

Error io_error(const std::filesystem::path& path, const char* action) {
  const int code = errno;
  std::string remedy;
  if (code == ENOSPC)
    remedy = ". Free some space and run the same command again; what was written before is intact";
  if (code == ENOENT) remedy = ". Check the path";
  return Error(ErrorCode::kIo,
               path.string() + ": cannot " + action + ": " + std::strerror(code) + remedy + ".");
}

// Temporaries of `path` whose writers (NAME.tmpPID) live no more.
void remove_leftovers(const std::filesystem::path& path) {
  const std::string prefix = path.filename().string() + ".tmp";
  std::error_code ignored;
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    pid_t writer = 0;
    const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), writer);
    if (error != std::errc{} || end != name.data() + name.size() || writer <= 0) continue;
    if (::kill(writer, 0) != 0 && errno == ESRCH) ::unlink(entry.path().c_str());
  }
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) throw io_error(path, "open");
  std::string content;
  char buffer[1 << 16];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get()))
    content.append(buffer, count);
  if (std::ferror(file.get())) throw io_error(path, "read");
  return content;
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)), temporary_(path_) {
  temporary_ += ".tmp" + std::to_string(::getpid());
  if (path_.has_parent_path()) make_folder(path_.parent_path());
  remove_leftovers(path_);
  file_ = std::fopen(temporary_.c_str(), "wb");
  if (!file_) fail("create");
}

AtomicFile::~AtomicFile() {
  if (file_) {
    std::fclose(file_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::fail(const char* action) const { throw io_error(path_, action); }

void AtomicFile::write(std::string_view bytes) {
  synced_ = false;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) fail("write");
}

void AtomicFile::sync() {
  if (std::fflush(file_) != 0) fail("write");
  if (::fsync(::fileno(file_)) != 0 && errno != EINVAL && errno != EROFS) fail("sync");
  synced_ = true;
}

void AtomicFile::commit() {
  if (!synced_) sync();
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename");
  std::fclose(std::exchange(file_, nullptr));
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

void make_folder(const std::filesystem::path& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) throw Error(ErrorCode::kIo, path.string() + ": cannot make the folder: " + code.message() + ".");
}

}  // namespace hyperllm
