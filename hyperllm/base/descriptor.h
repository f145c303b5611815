// Open files as the system knows them, for base/ itself.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace hyperllm {

// Closes it in the end; -1: none.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  // True if the path, links not followed, still leads to what is open. A lock is only worth something on a
  // file that nobody has removed or replaced between opening and locking it.
  bool is_named(const std::filesystem::path& path) const {
    struct stat open {
    }, named{};
    return ::fstat(number_, &open) == 0 && ::lstat(path.c_str(), &named) == 0 &&
           open.st_dev == named.st_dev && open.st_ino == named.st_ino;
  }
  int release() {
    const int number = number_;
    number_ = -1;
    return number;
  }

 private:
  int number_;
};

}  // namespace hyperllm
