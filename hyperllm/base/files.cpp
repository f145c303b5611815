#include "hyperllm/base/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
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
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) fail("write");
}

void AtomicFile::commit() {
  if (std::fflush(file_) != 0) fail("write");
  if (::fsync(::fileno(file_)) != 0 && errno != EINVAL && errno != EROFS) fail("sync");
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
