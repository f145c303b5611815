// Checkpoints, as they lie in the file and, because a hash hides most of the reader, with the right hash.
#include <cstring>

#include "hyperllm/base/hash.h"
#include "hyperllm/base/json.h"
#include "hyperllm/training/checkpoint.h"
#include "tests/fuzz/fuzz.h"

namespace hyperllm::fuzz {
namespace {

namespace fs = std::filesystem;

const std::string kPayload(20, '\1');
const std::string kHeader =
    R"({"__metadata__":{"epoch":"3","best":"[[\"recall@10\",0.5]]"},"a":{"data_offsets":[0,4],"dtype":"F32","shape":[1]},)"
    R"("b":{"data_offsets":[4,20],"dtype":"F32","shape":[2,2]}})";

std::string file_of(const std::string& header) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + kPayload;
}

std::string hashed(const std::string& text) {
  nlohmann::json header = parse_json(text);
  if (!header.is_object() || !header.contains("__metadata__") || !header["__metadata__"].is_object())
    return text;
  header["__metadata__"].erase("xxh3");
  const std::string hash = hash_text(header.dump() + hash_text(kPayload));
  header["__metadata__"]["xxh3"] = hash;
  return header.dump();
}

void read(const std::string& bytes, const fs::path& folder) {
  put(folder / "c.safetensors", bytes);
  const training::Checkpoint checkpoint = training::load_checkpoint(folder / "c.safetensors");
  checkpoint.tensor("a");
  checkpoint.count("epoch");
  checkpoint.numbers("best");
  checkpoint.number("epoch");
}

}  // namespace

std::vector<Target> targets() {
  return {{"checkpoint", {file_of(hashed(kHeader))}, read},
          {"checkpoint_header", {kHeader}, [](const std::string& bytes, const fs::path& folder) {
             read(file_of(hashed(bytes)), folder);
           }}};
}

}  // namespace hyperllm::fuzz
