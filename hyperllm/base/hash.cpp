#include "hyperllm/base/hash.h"

#include <xxhash.h>

#include <cstdio>
#include <memory>

#include "hyperllm/base/files.h"

namespace hyperllm {
namespace {

std::string hex(const XXH128_hash_t& hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : canonical.digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace

std::string hash_text(std::string_view bytes) { return hex(XXH3_128bits(bytes.data(), bytes.size())); }

struct Hasher::State {
  XXH3_state_t* inner = XXH3_createState();
  ~State() { XXH3_freeState(inner); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) { XXH3_128bits_reset(state_->inner); }
Hasher::~Hasher() = default;
void Hasher::add(std::string_view bytes) { XXH3_128bits_update(state_->inner, bytes.data(), bytes.size()); }
std::string Hasher::text() const { return hex(XXH3_128bits_digest(state_->inner)); }

std::string hash_file(const std::filesystem::path& path) {
  const InputFile file = open_input(path);
  Hasher hasher;
  char buffer[1 << 16];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get()))
    hasher.add({buffer, count});
  if (std::ferror(file.get())) throw io_error(path, "read");
  return hasher.text();
}

}  // namespace hyperllm
