// Content hashes for manifests and stores (XXH3, 128 bits; not cryptographic).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace hyperllm {

// 32 lower-case hexadecimal digits.
std::string hash_text(std::string_view bytes);

// The same of bytes that come in pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  void add(std::string_view bytes);
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The same of a file's content, read in pieces; throws kIo, for pipes and devices too.
std::string hash_file(const std::filesystem::path& path);

}  // namespace hyperllm
